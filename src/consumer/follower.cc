#include "honryu/consumer/follower.h"

#include "honryu/async/task_group.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

namespace honryu::consumer {

namespace {
constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kErrorPause = std::chrono::milliseconds(500);
}  // namespace

struct Follower::Impl {
  Impl(FollowerConfig settings, client::StreamClient& stream_client, async::Executor home, OnRecord callback)
      : config(std::move(settings)),
        client(stream_client),
        executor(std::move(home)),
        on_record(std::move(callback)) {}

  async::Task<void> Watch();
  async::Task<void> ReadShard(std::string shard_id, client::StartPosition from);
  void Tell();

  const FollowerConfig config;
  client::StreamClient& client;
  const async::Executor executor;
  const OnRecord on_record;
  std::map<std::string, bool> shards;  // all that were begun; true: its end was seen
  bool listed = false;
  std::atomic<bool> caught_up{false};
  async::TaskGroup tasks;
};

void Follower::Impl::Tell() {
  if (caught_up || !listed) return;
  if (std::all_of(shards.begin(), shards.end(), [](const auto& shard) { return shard.second; }))
    caught_up = true;
}

async::Task<void> Follower::Impl::Watch() {
  for (;;) {
    Result<std::vector<client::ShardDescription>> found =
        co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), config.stream);
    if (found.ok()) {
      for (const client::ShardDescription& shard : *found) {
        if (!shards.try_emplace(shard.shard_id, false).second) continue;
        client::StartPosition from = config.from;
        if (listed) from = client::FromTrimHorizon{};
        tasks.Spawn(executor, "follow " + config.stream, ReadShard(shard.shard_id, std::move(from)));
      }
      listed = true;
      Tell();
    } else if (found.error().code() != ErrorCode::kNotFound) {
      LOG_LIMITED(info, "shards not listed", {"stream", config.stream}, {"error", found.error()});
    }
    Result<void> slept = co_await async::SleepFor(config.sync_interval);
    if (!slept.ok()) co_return;
  }
}

async::Task<void> Follower::Impl::ReadShard(std::string shard_id, client::StartPosition from) {
  for (;;) {
    client::ReadRequest request;
    request.stream = config.stream;
    request.shard_id = shard_id;
    request.from = from;
    request.wait = config.poll_wait;
    Result<client::ReadBatch> batch = co_await client.Read(
        async::Context::WithTimeout(config.poll_wait + kCallTimeout), std::move(request));
    const bool ended = co_await async::Cancelled();
    if (ended) co_return;
    if (!batch.ok()) {
      const ErrorCode code = batch.error().code();
      if (code == ErrorCode::kOutOfRange || code == ErrorCode::kExpired) from = client::FromTrimHorizon{};
      LOG_LIMITED(info, "shard not read", {"stream", config.stream}, {"shard", shard_id},
                  {"error", batch.error()});
      Result<void> slept = co_await async::SleepFor(kErrorPause);
      if (!slept.ok()) co_return;
      continue;
    }
    for (const client::StreamRecord& record : batch->records) on_record(record);
    if (batch->records.empty() || batch->behind_latest == Duration::zero() || batch->next.empty()) {
      shards[shard_id] = true;
      Tell();
    }
    if (batch->next.empty()) co_return;  // closed: its children are found by Watch
    from = client::FromCursor{batch->next};
  }
}

Follower::Follower(FollowerConfig config, client::StreamClient& client, async::Executor executor,
                   OnRecord on_record)
    : impl_(std::make_unique<Impl>(std::move(config), client, std::move(executor), std::move(on_record))) {}
Follower::~Follower() = default;

void Follower::Start() {
  impl_->tasks.Spawn(impl_->executor, "follow the shards of " + impl_->config.stream, impl_->Watch());
}

async::Task<void> Follower::Stop() {
  impl_->tasks.Cancel();
  Result<void> joined = co_await impl_->tasks.Join();
}

bool Follower::caught_up() const { return impl_->caught_up; }

}  // namespace honryu::consumer
