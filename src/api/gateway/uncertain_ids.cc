#include "api/gateway/uncertain_ids.h"

#include "api/gateway/event.h"
#include "honryu/base/random.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

std::uint64_t FreshSeed() {
  std::uint64_t seed = 0;
  SecureRandomBytes(&seed, sizeof seed);
  return seed;
}

}  // namespace

UncertainIds::UncertainIds(client::StreamClient& client, std::string stream, const Clock& clock,
                           Config config, Metrics metrics)
    : client_(client),
      stream_(std::move(stream)),
      clock_(clock),
      config_(config),
      metrics_(metrics),
      entries_(8, IdHash{FreshSeed()}) {
  JsonLimits limits;
  limits.max_value_bytes = 0;
  scanner_.SetLimits(limits);
}

void UncertainIds::Expire() {
  const MonoTime now = clock_.Mono();
  while (!order_.empty() && now - order_.front().first > config_.keep) {
    const auto found = entries_.find(order_.front().second);
    if (found != entries_.end() && found->second.added == order_.front().first) entries_.erase(found);
    order_.pop_front();
  }
}

void UncertainIds::Add(const UInt128& id, Timestamp since) {
  const std::lock_guard lock(mutex_);
  Expire();
  const MonoTime now = clock_.Mono();
  const auto found = entries_.find(id);
  // `order_` holds ids that were forgotten or came again, too: it has its own bound.
  if ((found == entries_.end() && entries_.size() >= config_.max_entries) ||
      order_.size() >= 4 * config_.max_entries) {
    metrics_.dropped.Add();
    return;
  }
  const Timestamp first = found == entries_.end() ? since : std::min(since, found->second.since);
  entries_.insert_or_assign(id, Entry{now, first, false});
  order_.emplace_back(now, id);
  if (!unread_.has_value() || since < *unread_) unread_ = since;
  metrics_.entries.Set(static_cast<double>(entries_.size()));
}

void UncertainIds::Forget(const UInt128& id) {
  const std::lock_guard lock(mutex_);
  if (entries_.erase(id) > 0) metrics_.entries.Set(static_cast<double>(entries_.size()));
  if (entries_.empty()) order_.clear();
}

UncertainIds::State UncertainIds::Of(const UInt128& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return State::kNone;
  return found->second.stored ? State::kStored : State::kUncertain;
}

void UncertainIds::Visit(const client::StreamRecord& record) {
  const std::optional<UInt128> id = EventIdOf(record.data, &scanner_);
  if (!id.has_value()) return;
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(*id);
  if (found == entries_.end() || found->second.stored) return;
  found->second.stored = true;
  metrics_.found.Add();
}

void UncertainIds::PlanScan() {
  const std::lock_guard lock(mutex_);
  Expire();
  metrics_.entries.Set(static_cast<double>(entries_.size()));
  const std::optional<Timestamp> unread = std::exchange(unread_, std::nullopt);
  if (!unread.has_value()) return;
  const Timestamp begin = *unread - std::chrono::ceil<std::chrono::milliseconds>(config_.margin);
  if (follower_ == nullptr) {
    follower_ = std::make_unique<StreamScan>(client_, stream_, begin, std::nullopt);
    followed_.reset();
    return;
  }
  if (followed_.has_value() && *followed_ <= begin) return;  // the follower has all of it before itself
  if (again_ != nullptr && again_from_ <= begin) {
    // It has not come to its end yet, but may have passed what is asked for.
    again_ = std::make_unique<StreamScan>(client_, stream_, again_from_, std::nullopt);
    return;
  }
  again_from_ = begin;
  again_ = std::make_unique<StreamScan>(client_, stream_, begin, std::nullopt);
}

async::Task<Result<void>> UncertainIds::Scan() {
  PlanScan();
  const StreamScan::Visitor visit = [this](const client::StreamRecord& record) { Visit(record); };
  const async::Context ctx = async::Context::WithTimeout(config_.scan_timeout);
  Result<void> read = Ok();
  const Timestamp begin = clock_.Now();
  if (follower_ != nullptr) read = co_await follower_->Run(ctx, visit);
  if (read.ok()) followed_ = begin;
  if (read.ok() && again_ != nullptr) {
    read = co_await again_->Run(ctx, visit);
    if (read.ok()) again_.reset();
  }
  if (!read.ok() && !read.error().retryable() && read.error().code() != ErrorCode::kCancelled) {
    // The places are of no use any more (the stream was made anew): begin again with the oldest attempt.
    follower_.reset();
    again_.reset();
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (!unread_.has_value() || entry.since < *unread_) unread_ = entry.since;
    }
  }
  co_return read;
}

async::Task<void> UncertainIds::Work() {
  for (;;) {
    std::vector<async::OneShot<void>> waiters;
    {
      const std::lock_guard lock(mutex_);
      if (waiters_.empty()) {
        // The place in the stream is only worth keeping while somebody may ask again.
        if (entries_.empty()) {
          follower_.reset();
          again_.reset();
          unread_.reset();
        }
        working_ = false;
        co_return;
      }
      waiters.swap(waiters_);
    }
    Result<void> read = co_await Scan();
    for (const async::OneShot<void>& waiter : waiters) waiter.Set(read);
  }
}

async::Task<Result<void>> UncertainIds::Resolve(async::Context ctx) {
  const async::OneShot<void> done;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    waiters_.push_back(done);
    first = !std::exchange(working_, true);
  }
  if (first) {
    async::Executor executor = co_await async::CurrentExecutor();
    group_.Spawn(executor, "look for uncertain events", Work());
  }
  Result<void> read = co_await done.Wait(ctx.deadline);
  co_return read;
}

async::Task<void> UncertainIds::Stop() {
  group_.Cancel();
  Result<void> joined = co_await group_.Join();
  (void)joined;
}

}  // namespace honryu::api::gateway
