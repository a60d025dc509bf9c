#include "api/gateway/upkeep.h"

#include "honryu/obs/log.h"

#include <chrono>
#include <utility>

namespace honryu::api::gateway {

namespace {

constexpr Duration kEnsureTimeout = std::chrono::seconds(30);
constexpr Duration kProbeTimeout = std::chrono::seconds(5);

bool SaysMissing(const Error& error) {
  return error.code() == ErrorCode::kNotFound || error.code() == ErrorCode::kFailedPrecondition;
}

/// Errors that say something about the log and not about the one write, or that it is busy.
bool SaysBroken(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kIo:
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
    case ErrorCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

async::Context Within(const async::Context& ctx, Duration timeout) {
  async::Context step = ctx;
  step.deadline = std::min(ctx.deadline, async::Context::WithTimeout(timeout).deadline);
  return step;
}

}  // namespace

Upkeep::Upkeep(client::StreamClient& client, std::vector<Stream> streams, Duration interval)
    : client_(client), interval_(interval) {
  for (Stream& stream : streams) watched_.push_back({std::move(stream), false});
}

void Upkeep::Note(const std::string& stream, const Error* error) {
  async::OneShot<void> wake;
  {
    const std::lock_guard lock(mutex_);
    const bool events = stream == watched_.front().stream.name;
    if (error == nullptr) {
      if (!events) return;
      written_ = true;
      health_ = Ok();
      return;
    }
    if (events && SaysBroken(*error)) {
      health_ = Error(ErrorCode::kUnavailable, "the last write failed: " + error->message());
    }
    if (!SaysMissing(*error)) return;
    for (Watched& watched : watched_) {
      if (watched.stream.name == stream) watched.missing = noted_ = true;
    }
    wake = wake_;
  }
  wake.Set(Ok());
}

bool Upkeep::missing() const {
  const std::lock_guard lock(mutex_);
  return watched_.front().missing;
}

Result<void> Upkeep::Health() const {
  const std::lock_guard lock(mutex_);
  if (watched_.front().missing)
    return Error(ErrorCode::kUnavailable, "the stream " + watched_.front().stream.name + " is missing");
  return health_;
}

void Upkeep::SetHealth(Result<void> health) {
  const std::lock_guard lock(mutex_);
  health_ = std::move(health);
}

async::Task<Result<void>> Upkeep::Ensure(async::Context ctx, const Stream& stream) {
  Result<void> ensured =
      co_await client_.EnsureStream(Within(ctx, kEnsureTimeout), stream.name, stream.settings);
  if (ensured.ok()) co_return ensured;
  const Error error = ensured.error().WithContext("create stream " + stream.name);
  // One that is being deleted has to be gone before it can be made anew.
  if (SaysMissing(error)) co_return Error(ErrorCode::kUnavailable, error.message());
  co_return error;
}

async::Task<Result<void>> Upkeep::EnsureAll(async::Context ctx) {
  for (std::size_t at = 0; at < watched_.size(); ++at) {
    Result<void> ensured = co_await Ensure(ctx, watched_[at].stream);
    if (!ensured.ok()) co_return ensured;
  }
  co_return Ok();
}

async::Task<void> Upkeep::Repair(std::size_t at) {
  const std::string& name = watched_[at].stream.name;  // never changes
  Result<void> ensured = co_await Ensure(async::Context(), watched_[at].stream);
  if (!ensured.ok()) {
    LOG_LIMITED(warn, "a stream is missing and cannot be made", {"stream", name}, {"error", ensured.error()});
    co_return;
  }
  LOG(warn, "a stream was missing and is there again", {"stream", name});
  const std::lock_guard lock(mutex_);
  watched_[at].missing = false;
}

async::Task<void> Upkeep::Probe() {
  const std::string& name = watched_.front().stream.name;
  async::Context ctx = async::Context::WithTimeout(kProbeTimeout);
  Result<std::vector<client::ShardDescription>> shards = co_await client_.ListShards(std::move(ctx), name);
  if (shards.ok()) {
    SetHealth(Ok());
    co_return;
  }
  const bool cancelled = co_await async::Cancelled();
  if (cancelled) co_return;
  if (SaysMissing(shards.error())) {
    const Error& error = shards.error();
    Note(name, &error);
    co_return;
  }
  SetHealth(Error(ErrorCode::kUnavailable, "the broker does not answer: " + shards.error().message()));
}

async::OneShot<void> Upkeep::NextWake() {
  const std::lock_guard lock(mutex_);
  wake_ = async::OneShot<void>();
  if (std::exchange(noted_, false)) wake_.Set(Ok());  // while we were busy
  return wake_;
}

async::Task<void> Upkeep::Run() {
  for (;;) {
    const async::OneShot<void> wake = NextWake();
    Result<void> woken = co_await wake.Wait(std::chrono::steady_clock::now() + interval_);
    const bool cancelled = co_await async::Cancelled();
    if (cancelled) co_return;
    bool written = false;
    std::vector<std::size_t> missing;
    {
      const std::lock_guard lock(mutex_);
      written = std::exchange(written_, false);
      noted_ = false;
      for (std::size_t at = 0; at < watched_.size(); ++at) {
        if (watched_[at].missing) missing.push_back(at);
      }
    }
    for (const std::size_t at : missing) co_await Repair(at);
    if (!woken.ok() && !written && missing.empty()) co_await Probe();
  }
}

}  // namespace honryu::api::gateway
