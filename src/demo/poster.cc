#include "poster.h"

#include "honryu/async/retry.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace honryu::demo {
namespace {

constexpr Duration kRequestTimeout = std::chrono::seconds(30);
/// Between attempts when the server gives no advice.
constexpr async::RetryPolicy kBackoff{
    .max_attempts = 1'000'000, .initial = std::chrono::milliseconds(200), .max = std::chrono::seconds(5)};

/// Retry-After in seconds, bounded; nothing when absent or a date.
std::optional<Duration> RetryAfter(const http::ClientResponse& response) {
  const std::string_view text = response.headers.Get("Retry-After");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return Duration(std::chrono::seconds(std::min(seconds, 60)));
}

std::string Shortened(std::string_view text) {
  constexpr std::size_t kLongest = 200;
  return std::string(text.substr(0, kLongest)) + (text.size() > kLongest ? "…" : "");
}

/// "location.latitude: expected -90 to 90" of the first refused event.
std::string FirstRefusal(const codec::Json& answer) {
  const codec::Json* rejected = answer.Find("rejected");
  if (rejected == nullptr || rejected->array().empty()) return {};
  const codec::Json& first = rejected->array().front();
  const codec::Json* field = first.Find("field");
  const codec::Json* reason = first.Find("reason");
  std::string text = field != nullptr ? std::string(field->StringOr("")) + ": " : "";
  return "refused: " + text + std::string(reason != nullptr ? reason->StringOr("") : "");
}

std::uint64_t CountOf(const codec::Json& answer, std::string_view key) {
  const codec::Json* value = answer.Find(key);
  if (value == nullptr) return 0;
  return value->is_array() ? value->array().size()
                           : static_cast<std::uint64_t>(std::max<std::int64_t>(0, value->IntOr(0)));
}

}  // namespace

Poster::Poster(http::Client& client, http::Endpoint endpoint, const Target& target, Progress& progress,
               std::function<bool()> on_pause)
    : client_(client),
      endpoint_(std::move(endpoint)),
      target_(target),
      progress_(progress),
      on_pause_(std::move(on_pause)),
      random_(async::RetrySeed()),
      last_success_(SystemClock().Mono()) {}

http::ClientRequest Poster::MakeRequest(const std::string& body) {
  http::ClientRequest request;
  request.method = "POST";
  request.endpoint = endpoint_;
  request.headers.Add("Content-Type", "application/x-ndjson");
  if (!target_.api_key.empty()) request.headers.Add("Authorization", "Bearer " + target_.api_key);
  request.body = Bytes::Copy(body);
  return request;
}

void Poster::Count(const http::ClientResponse& response, std::uint64_t* taken, bool last) {
  const Result<codec::Json> answer = codec::Json::Parse(response.body);
  if (!answer.ok()) return;
  const std::uint64_t accepted = CountOf(*answer, "accepted");
  progress_.accepted += accepted;
  if (last) {
    // What an earlier attempt got in comes back as a duplicate; it was counted then.
    const std::uint64_t duplicates = CountOf(*answer, "duplicates");
    progress_.duplicates += duplicates - std::min(duplicates, *taken);
    const std::uint64_t rejected = CountOf(*answer, "rejected");
    progress_.rejected += rejected;
    if (rejected > 0) Problem(FirstRefusal(*answer));
  }
  *taken += accepted;
}

Result<bool> Poster::Judge(const http::ClientResponse& response) {
  switch (response.status) {
    case 200:
    case 400:  // every event refused
      return true;
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
      return false;
    default:
      break;
  }
  const auto code = response.status == 401 || response.status == 403 ? ErrorCode::kPermissionDenied
                                                                     : ErrorCode::kFailedPrecondition;
  return Error(code,
               "the server answered " + std::to_string(response.status) + ": " + Shortened(response.body));
}

async::Task<Result<void>> Poster::Post(std::string body, std::size_t events) {
  // Level 1 takes about 2 ms for 500 events; this process has nothing more urgent on the loop.
  bool packed = false;
  if (target_.gzip) {
    Result<std::string> smaller = codec::Compress(codec::Compression::kGzip, body, 1);
    if (!smaller.ok()) co_return smaller.error();
    body = std::move(*smaller);
    packed = true;
  }
  progress_.sent += events;
  std::uint64_t taken = 0;
  for (int attempt = 0;; ++attempt) {
    http::ClientRequest request = MakeRequest(body);
    if (packed) request.headers.Add("Content-Encoding", "gzip");
    const async::Context ctx = async::Context::WithTimeout(kRequestTimeout);
    Result<http::ClientResponse> response = co_await client_.Send(ctx, std::move(request));
    std::optional<Duration> wait;
    if (response.ok()) {
      Result<bool> settled = Judge(*response);
      if (!settled.ok()) co_return settled.error();
      Count(*response, &taken, *settled);
      if (*settled) {
        last_success_ = SystemClock().Mono();
        co_return Ok();
      }
      wait = RetryAfter(*response);
      Problem("the server answered " + std::to_string(response->status) + ": " + Shortened(response->body));
    } else {
      if (!response.error().retryable()) co_return response.error();
      Problem(response.error().message());
    }
    if (target_.give_up_after > Duration::zero() &&
        SystemClock().Mono() - last_success_ > target_.give_up_after)
      co_return Error(ErrorCode::kUnavailable, "gave up: " + progress_.last_problem);
    progress_.retried += events;
    // Advice plus a little noise, so that batches that were pushed back together do not return together.
    const Duration pause = wait ? *wait + Duration(static_cast<std::int64_t>(random_.Below(250'000'000)))
                                : async::BackoffDelay(kBackoff, std::min(attempt, 8), random_);
    Result<void> slept = co_await Pause(pause);
    if (!slept.ok()) co_return slept.error();
  }
}

async::Task<Result<void>> Poster::Pause(Duration duration) {
  constexpr Duration kSlice = std::chrono::milliseconds(100);
  const MonoTime until = SystemClock().Mono() + duration;
  for (MonoTime now = SystemClock().Mono(); now < until; now = SystemClock().Mono()) {
    if (on_pause_())
      co_return Error(ErrorCode::kCancelled, "stopped while a batch waited for its next attempt");
    Result<void> slept = co_await async::SleepFor(std::min(kSlice, until - now));
    if (!slept.ok()) co_return slept.error();
  }
  co_return Ok();
}

Result<http::Endpoint> EventsEndpoint(const std::string& url) {
  HONRYU_TRY(http::Endpoint endpoint, http::ParseUrl(url));
  while (endpoint.path.ends_with('/')) endpoint.path.pop_back();
  if (!endpoint.path.ends_with("/events")) endpoint.path += "/v1/events";
  return endpoint;
}

}  // namespace honryu::demo
