#include "exchange.h"

#include "error_response.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/uri.h"
#include "honryu/obs/log.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <exception>

namespace honryu::http {

namespace {
// Bodies that come to this size at most are decompressed on the event loop: it takes well under 0.5 ms.
constexpr std::size_t kInlineDecompress = 65536;
// Most bodies shrink less when they are compressed. What has shrunk more is decompressed once more, with four
// times the memory set aside: nobody knows beforehand how much it needs, and the most that it may take would
// starve others.
constexpr std::size_t kUsualShrinking = 16;
}  // namespace

std::shared_ptr<char[]> PaddedBuffer(std::size_t size) {
  auto buffer = std::make_shared_for_overwrite<char[]>(size + kBodyPadding);
  std::memset(buffer.get() + size, 0, kBodyPadding);
  return buffer;
}

Bytes PaddedCopy(std::string_view text) {
  const auto buffer = PaddedBuffer(text.size());
  if (!text.empty())
    std::memcpy(buffer.get(), text.data(), text.size());  // an empty view may have no address
  return Bytes(buffer, std::string_view(buffer.get(), text.size()));
}

Bytes Padded(std::string text) {
  const std::size_t size = text.size();
  text.append(kBodyPadding, '\0');
  return Bytes(std::move(text)).Slice(0, size);
}

std::string HttpDate() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

Result<void> ParseTarget(Request& request) {
  const std::string_view target = request.target;
  const std::size_t question = target.find('?');
  Result<std::string> path = codec::PercentDecode(target.substr(0, question), false);
  auto query = codec::ParseQuery(question == std::string_view::npos ? std::string_view()
                                                                    : target.substr(question + 1));
  if (!path.ok() || !query.ok()) {
    return Error(ErrorCode::kInvalidArgument,
                 "malformed request target: " + (path.ok() ? query.error() : path.error()).message());
  }
  request.path = std::move(*path);
  request.query = std::move(*query);
  return Ok();
}

std::string_view RefusalCode(int status) {
  switch (status) {
    case 408:
      return "timeout";
    case 413:
      return "body_too_large";
    case 415:
      return "unsupported_encoding";
    case 431:
      return "header_too_large";
    case 501:
      return "not_implemented";
    case 503:
      return "overloaded";
    default:
      return "bad_request";
  }
}

Error NoMemoryForBody() {
  return Error(ErrorCode::kOverloaded, "the bodies of other requests take all memory set aside for them");
}

async::Task<OpenedBody> OpenBody(const ConnectionContext& context, const Headers& headers, Bytes body,
                                 BodyBudget::Share& memory) {
  const Result<codec::Compression> compression = codec::ParseContentEncoding(headers.Get("Content-Encoding"));
  if (!compression.ok()) {
    co_return OpenedBody{compression.error().WithContext("Content-Encoding"), 415, {}};
  }
  if (*compression == codec::Compression::kNone || body.empty()) co_return OpenedBody{std::move(body), 0, {}};
  const bool keep = headers.Get("Authorization").starts_with("AWS4-");
  const std::size_t limit = context.config.max_decompressed_body.bytes;
  const std::size_t packed = memory.held();
  std::size_t room = std::min(limit, kInlineDecompress + body.size() * kUsualShrinking);
  Result<std::string> plain;
  for (;;) {
    if (!memory.Grow(room)) co_return OpenedBody{NoMemoryForBody(), 503, {}};
    if (room <= 2 * kInlineDecompress) {
      plain = codec::Decompress(*compression, body, room);
    } else {
      const codec::Compression kind = *compression;
      plain = co_await context.runtime.Blocking(
          [body, kind, room] { return codec::Decompress(kind, body, room); });
    }
    if (plain.ok() || plain.error().code() != ErrorCode::kTooLarge || room == limit) break;
    memory.ShrinkTo(packed);
    room = std::min(limit, room * 4);
  }
  if (!plain.ok()) {
    const int status = plain.error().code() == ErrorCode::kTooLarge ? 413 : 400;
    co_return OpenedBody{plain.error().WithContext("request body"), status, {}};
  }
  memory.ShrinkTo(plain->size() + (keep ? packed : 0));  // else `body` goes with this frame
  co_return OpenedBody{Padded(std::move(*plain)), 0, keep ? body : Bytes()};
}

async::Task<Response> AnswerRequest(const ConnectionContext& context, const Request& request) {
  async::Context ctx = async::Context::WithTimeout(context.config.request_timeout);
  ctx.request_id = request.request_id;
  std::string failure;
  try {
    Response response = co_await context.handler(std::move(ctx), request);
    co_return response;
  } catch (const std::exception& e) {
    failure = e.what();
  } catch (...) {
    failure = "unknown exception";
  }
  context.metrics.Refused("handler_failed");
  LOG_LIMITED(error, "request handler failed", {"listener", context.config.name}, {"path", request.path},
              {"what", failure}, {"request_id", request.request_id});
  co_return ErrorResponse(500, "internal", "internal error", request.request_id);
}

async::Task<void> RunStream(const Response* response, BodyWriter* writer) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await response->stream(*writer);
}

}  // namespace honryu::http
