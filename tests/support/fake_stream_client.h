#pragma once

#include "honryu/async/one_shot.h"
#include "honryu/client/stream_client.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace honryu::testing {

/// A StreamClient in memory: streams, shards that split the hash range evenly, records, leases. Tests can
/// make it fail, push back or hold writes. Arrival times and lease expiry come from the clock given.
/// Thread-safe.
class FakeStreamClient final : public client::StreamClient {
 public:
  explicit FakeStreamClient(const Clock& clock) : clock_(clock) {}

  // ---- what tests do with it ----

  /// Each of the next `count` calls of Put fails as a whole with this error.
  void FailPuts(int count, Error error) {
    const std::lock_guard lock(mutex_);
    failing_puts_ = count;
    put_error_ = std::move(error);
  }
  /// Each of the next `count` calls of Put (to that stream; empty: any) stores its entries, and then fails as
  /// if the answer had been lost.
  void LoseAnswers(int count, Error error, std::string stream = "") {
    const std::lock_guard lock(mutex_);
    lost_stream_ = std::move(stream);
    lost_answers_ = count;
    put_error_ = std::move(error);
  }
  /// Entries for which `fails` gives an error are not stored; null: none fail.
  void FailEntries(std::function<std::optional<Error>(const client::PutEntry&)> fails) {
    const std::lock_guard lock(mutex_);
    entry_fault_ = std::move(fails);
  }
  /// Every call of Put to this stream fails.
  void FailStream(std::string stream, Error error) {
    const std::lock_guard lock(mutex_);
    failing_streams_.insert_or_assign(std::move(stream), std::move(error));
  }
  /// Writes to that stream work again.
  void HealStream(const std::string& stream) {
    const std::lock_guard lock(mutex_);
    failing_streams_.erase(stream);
  }
  /// Every call of ListShards fails with this error; kUnset: none does.
  void FailLists(Error error) {
    const std::lock_guard lock(mutex_);
    list_error_ = std::move(error);
  }
  /// Of each call of Read: how many records it gave back. Cleared by the call.
  std::vector<std::size_t> TakeReadSizes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(read_sizes_, {});
  }
  /// From now on calls of Put wait until ReleasePuts().
  void HoldPuts() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void ReleasePuts() {
    std::vector<async::OneShot<void>> held;
    {
      const std::lock_guard lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (const auto& waiter : held) waiter.Set(Ok());
  }
  /// Blocks the calling thread (not an event loop) until that many calls of Put are held.
  void AwaitHeldPuts(std::size_t count) {
    std::unique_lock lock(mutex_);
    held_changed_.wait(lock, [this, count] { return held_.size() >= count; });
  }
  std::size_t held_puts() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  /// After `after` good ones, each of the next `count` calls of Read fails with this error.
  void FailReads(int count, Error error, int after = 0) {
    const std::lock_guard lock(mutex_);
    failing_reads_ = count;
    good_reads_ = after;
    read_error_ = std::move(error);
  }
  /// Each of the next `count` calls of SaveCheckpoint fails with this error and saves nothing.
  void FailSaves(int count, Error error) {
    const std::lock_guard lock(mutex_);
    failing_saves_ = count;
    save_error_ = std::move(error);
  }
  /// Closes a shard and opens two children, each with half of its hash range.
  void Split(const std::string& stream, const std::string& shard_id) {
    std::vector<async::OneShot<void>> readers;
    {
      const std::lock_guard lock(mutex_);
      std::vector<Shard>& shards = streams_.at(stream);
      const auto parent = std::find_if(shards.begin(), shards.end(), [&shard_id](const Shard& shard) {
        return shard.description.shard_id == shard_id;
      });
      parent->description.open = false;
      const UInt128::Native first = parent->description.hash_start.native();
      const UInt128::Native last = parent->description.hash_end.native();
      const UInt128::Native middle = first + (last - first) / 2;
      Shard low, high;
      low.description.shard_id = ShardName(shards.size());
      high.description.shard_id = ShardName(shards.size() + 1);
      low.description.parent_id = high.description.parent_id = shard_id;
      low.description.hash_start = UInt128::FromNative(first);
      low.description.hash_end = UInt128::FromNative(middle);
      high.description.hash_start = UInt128::FromNative(middle + 1);
      high.description.hash_end = UInt128::FromNative(last);
      shards.push_back(std::move(low));
      shards.push_back(std::move(high));
      readers.swap(readers_);
    }
    for (const auto& reader : readers) reader.Set(Ok());
  }
  /// Takes a shard out of the listing, as when its last record has expired.
  void Retire(const std::string& stream, const std::string& shard_id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_.at(stream),
                  [&shard_id](const Shard& shard) { return shard.description.shard_id == shard_id; });
  }
  /// Deletes a stream with its leases.
  void DeleteStream(const std::string& stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(stream);
    std::erase_if(leases_, [&stream](const auto& entry) { return entry.second.stream == stream; });
  }
  /// Each of the next `count` calls of ListShards fails with this error.
  void FailLists(int count, Error error) {
    const std::lock_guard lock(mutex_);
    failing_lists_ = count;
    failing_list_error_ = std::move(error);
  }
  /// Calls of ListLeases so far, for this application.
  int LeaseLooks(const std::string& application) const {
    const std::lock_guard lock(mutex_);
    const auto found = lease_looks_.find(application);
    return found == lease_looks_.end() ? 0 : found->second;
  }
  /// The lease of a shard as it stands; nullopt: never taken.
  std::optional<client::Lease> LeaseOf(const std::string& application, const std::string& stream,
                                       const std::string& shard_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = leases_.find(application + '\n' + stream + '\n' + shard_id);
    if (found == leases_.end()) return std::nullopt;
    return found->second;
  }
  /// Every record of a stream: shard by shard, each in order.
  std::vector<client::StreamRecord> Records(const std::string& stream) const {
    const std::lock_guard lock(mutex_);
    std::vector<client::StreamRecord> all;
    if (const auto found = streams_.find(stream); found != streams_.end()) {
      for (const Shard& shard : found->second)
        all.insert(all.end(), shard.records.begin(), shard.records.end());
    }
    return all;
  }
  int put_calls() const {
    const std::lock_guard lock(mutex_);
    return put_calls_;
  }

  // ---- StreamClient ----

  async::Task<Result<void>> EnsureStream(async::Context /*ctx*/, std::string stream,
                                         client::StreamSettings settings) override {
    const std::lock_guard lock(mutex_);
    if (streams_.contains(stream)) co_return Ok();
    std::vector<Shard> shards(static_cast<std::size_t>(std::max(1, settings.shards)));
    const UInt128::Native width = UInt128::Max().native() / shards.size();
    for (std::size_t i = 0; i < shards.size(); ++i) {
      shards[i].description.shard_id = ShardName(i);
      shards[i].description.hash_start = UInt128::FromNative(width * i + (i == 0 ? 0 : 1));
      shards[i].description.hash_end =
          i + 1 == shards.size() ? UInt128::Max() : UInt128::FromNative(width * (i + 1));
    }
    streams_.emplace(std::move(stream), std::move(shards));
    co_return Ok();
  }

  /// As Kinesis has it, for every stream.
  async::Task<Result<Duration>> RetentionOf(async::Context /*ctx*/, std::string /*stream*/) override {
    co_return Duration(std::chrono::hours(24));
  }

  async::Task<Result<std::vector<client::ShardDescription>>> ListShards(async::Context /*ctx*/,
                                                                        std::string stream) override {
    const std::lock_guard lock(mutex_);
    if (failing_lists_ > 0) {
      --failing_lists_;
      co_return failing_list_error_;
    }
    if (list_error_.code() != ErrorCode::kUnset) co_return list_error_;
    const auto found = streams_.find(stream);
    if (found == streams_.end()) co_return Error(ErrorCode::kNotFound, "no stream " + stream);
    std::vector<client::ShardDescription> shards;
    for (const Shard& shard : found->second) shards.push_back(shard.description);
    co_return shards;
  }

  async::Task<Result<std::vector<Result<client::PutPosition>>>> Put(
      async::Context ctx, std::string stream, std::vector<client::PutEntry> entries) override {
    std::optional<async::OneShot<void>> hold = EnterPut();
    if (hold.has_value()) {
      Result<void> released = co_await hold->Wait(ctx.deadline);
      if (!released.ok()) co_return released.error();
    }
    co_return Store(stream, entries);
  }

  async::Task<Result<client::ReadBatch>> Read(async::Context ctx, client::ReadRequest request) override {
    for (;;) {
      async::OneShot<void> arrival;
      Result<client::ReadBatch> batch =
          ReadNow(request, request.wait > Duration::zero() ? &arrival : nullptr);
      if (!batch.ok() || !batch->records.empty() || batch->next.empty() || request.wait <= Duration::zero())
        co_return batch;
      request.from = client::FromCursor{batch->next};
      const MonoTime until = std::chrono::steady_clock::now() + request.wait;
      Result<void> woken = co_await arrival.Wait(std::min(ctx.deadline, until));
      if (!woken.ok() && woken.error().code() == ErrorCode::kCancelled) co_return woken.error();
      if (!woken.ok()) co_return batch;
    }
  }

  async::Task<Result<std::vector<client::Lease>>> ListLeases(async::Context /*ctx*/, std::string application,
                                                             std::string stream) override {
    const std::lock_guard lock(mutex_);
    ++lease_looks_[application];
    std::vector<client::Lease> leases;
    for (const auto& [key, lease] : leases_) {
      if (lease.application == application && lease.stream == stream) leases.push_back(lease);
    }
    co_return leases;
  }

  async::Task<Result<client::Lease>> AcquireLease(async::Context /*ctx*/, std::string application,
                                                  std::string stream, std::string shard_id, std::string owner,
                                                  Duration duration) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = streams_.find(stream); shard_id != client::kStreamSlot) {
      const bool known =
          found != streams_.end() &&
          std::any_of(found->second.begin(), found->second.end(),
                      [&shard_id](const Shard& shard) { return shard.description.shard_id == shard_id; });
      if (!known) co_return Error(ErrorCode::kNotFound, "no shard " + shard_id);
    }
    client::Lease& lease = leases_[application + '\n' + stream + '\n' + shard_id];
    const bool living = !lease.owner.empty() && lease.expires > clock_.Now();
    if (living && lease.owner != owner)
      co_return Error(ErrorCode::kConflict, "the lease is held by " + lease.owner);
    if (!living || lease.owner != owner) ++lease.counter;
    lease.application = std::move(application);
    lease.stream = std::move(stream);
    lease.shard_id = std::move(shard_id);
    lease.owner = std::move(owner);
    lease.expires = clock_.Now() + std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    co_return lease;
  }

  async::Task<Result<client::Lease>> RenewLease(async::Context /*ctx*/, client::Lease held,
                                                Duration duration) override {
    const std::lock_guard lock(mutex_);
    client::Lease* const lease = FindHeld(held);
    if (lease == nullptr) co_return Error(ErrorCode::kFenced, "the lease has changed hands");
    lease->expires = clock_.Now() + std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    co_return *lease;
  }

  async::Task<Result<void>> SaveCheckpoint(async::Context /*ctx*/, client::Lease held) override {
    const std::lock_guard lock(mutex_);
    client::Lease* const lease = FindHeld(held);
    if (lease == nullptr) co_return Error(ErrorCode::kFenced, "the lease has changed hands");
    if (failing_saves_ > 0) {
      --failing_saves_;
      co_return save_error_;
    }
    if (lease->checkpoint.has_value() &&
        (!held.checkpoint.has_value() || *held.checkpoint < *lease->checkpoint)) {
      co_return Error(ErrorCode::kInvalidArgument, "a checkpoint may not go back");
    }
    lease->checkpoint = held.checkpoint;
    lease->finished = held.finished;
    lease->state = held.state;
    co_return Ok();
  }

  async::Task<Result<void>> ReleaseLease(async::Context /*ctx*/, client::Lease held) override {
    const std::lock_guard lock(mutex_);
    client::Lease* const lease = FindHeld(held);
    if (lease == nullptr) co_return Error(ErrorCode::kFenced, "the lease has changed hands");
    lease->owner.clear();
    co_return Ok();
  }

 private:
  struct Shard {
    client::ShardDescription description;
    std::vector<client::StreamRecord> records;
  };

  static std::string ShardName(std::size_t index) {
    char id[32];
    std::snprintf(id, sizeof id, "shardId-%012zu", index);
    return id;
  }
  static SequenceNumber SequenceOf(std::size_t place) {
    SequenceNumber sequence;
    sequence.words[2] = place + 1;
    return sequence;
  }

  std::optional<async::OneShot<void>> EnterPut() {
    const std::lock_guard lock(mutex_);
    ++put_calls_;
    if (!holding_) return std::nullopt;
    held_.emplace_back();
    held_changed_.notify_all();
    return held_.back();
  }

  Result<std::vector<Result<client::PutPosition>>> Store(const std::string& stream,
                                                         const std::vector<client::PutEntry>& entries) {
    std::vector<Result<client::PutPosition>> results;
    std::vector<async::OneShot<void>> readers;
    bool lost = false;
    {
      const std::lock_guard lock(mutex_);
      if (failing_puts_ > 0) {
        --failing_puts_;
        return put_error_;
      }
      if (const auto fault = failing_streams_.find(stream); fault != failing_streams_.end())
        return fault->second;
      const auto found = streams_.find(stream);
      if (found == streams_.end()) return Error(ErrorCode::kNotFound, "no stream " + stream);
      for (const client::PutEntry& entry : entries) {
        std::optional<Error> fault = entry_fault_ ? entry_fault_(entry) : std::nullopt;
        if (fault.has_value()) {
          results.emplace_back(std::move(*fault));
          continue;
        }
        Shard& shard =
            *std::find_if(found->second.begin(), found->second.end(), [&entry](const Shard& candidate) {
              const UInt128 hash = entry.explicit_hash_key.value_or(Md5HashKey(entry.partition_key));
              return candidate.description.open && candidate.description.hash_start <= hash &&
                     hash <= candidate.description.hash_end;
            });
        const SequenceNumber sequence = SequenceOf(shard.records.size());
        shard.records.push_back({sequence, clock_.Now(), entry.partition_key, entry.data});
        results.emplace_back(client::PutPosition{shard.description.shard_id, sequence});
      }
      readers.swap(readers_);
      if (lost_answers_ > 0 && (lost_stream_.empty() || lost_stream_ == stream)) {
        --lost_answers_;
        lost = true;
      }
    }
    for (const auto& reader : readers) reader.Set(Ok());
    if (lost) return put_error_;
    return results;
  }

  Result<client::ReadBatch> ReadNow(const client::ReadRequest& request, const async::OneShot<void>* arrival) {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(request.stream);
    if (found == streams_.end()) return Error(ErrorCode::kNotFound, "no stream " + request.stream);
    const auto shard = std::find_if(
        found->second.begin(), found->second.end(),
        [&request](const Shard& candidate) { return candidate.description.shard_id == request.shard_id; });
    if (shard == found->second.end()) return Error(ErrorCode::kNotFound, "no shard " + request.shard_id);
    if (failing_reads_ > 0 && good_reads_ > 0) {
      --good_reads_;
    } else if (failing_reads_ > 0) {
      --failing_reads_;
      return read_error_;
    }
    std::size_t place = 0;
    if (std::holds_alternative<client::FromLatest>(request.from)) {
      place = shard->records.size();
    } else if (const auto* time = std::get_if<client::FromTimestamp>(&request.from)) {
      while (place < shard->records.size() && shard->records[place].arrival < time->time) ++place;
    } else if (const auto* after = std::get_if<client::AfterSequence>(&request.from)) {
      while (place < shard->records.size() && shard->records[place].sequence <= after->sequence) ++place;
    } else if (const auto* cursor = std::get_if<client::FromCursor>(&request.from)) {
      place = std::stoul(cursor->cursor);
    }
    client::ReadBatch batch;
    for (; place < shard->records.size() && batch.records.size() < request.max_records; ++place) {
      batch.records.push_back(shard->records[place]);
    }
    read_sizes_.push_back(batch.records.size());
    batch.next = std::to_string(place);
    if (place < shard->records.size()) {  // never 0 then, which means "at the tip"
      batch.behind_latest =
          std::max<Duration>(std::chrono::milliseconds(1), clock_.Now() - shard->records[place].arrival);
    }
    if (place == shard->records.size() && !shard->description.open) {
      batch.next.clear();
      for (const Shard& child : found->second) {
        if (child.description.parent_id == request.shard_id)
          batch.children.push_back(child.description.shard_id);
      }
    }
    if (batch.records.empty() && arrival != nullptr) readers_.push_back(*arrival);
    return batch;
  }

  client::Lease* FindHeld(const client::Lease& held) {
    const auto found = leases_.find(held.application + '\n' + held.stream + '\n' + held.shard_id);
    if (found == leases_.end() || found->second.counter != held.counter ||
        found->second.owner != held.owner) {
      return nullptr;
    }
    return &found->second;
  }

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable held_changed_;
  std::map<std::string, std::vector<Shard>> streams_;
  std::map<std::string, client::Lease> leases_;
  std::map<std::string, Error> failing_streams_;
  std::vector<async::OneShot<void>> held_;
  std::vector<async::OneShot<void>> readers_;
  std::function<std::optional<Error>(const client::PutEntry&)> entry_fault_;
  bool holding_ = false;
  int failing_puts_ = 0;
  int lost_answers_ = 0;
  std::string lost_stream_;
  int put_calls_ = 0;
  int failing_reads_ = 0;
  int failing_saves_ = 0;
  int failing_lists_ = 0;
  std::map<std::string, int> lease_looks_;
  int good_reads_ = 0;
  std::vector<std::size_t> read_sizes_;
  Error failing_list_error_;
  Error list_error_;
  Error read_error_;
  Error save_error_;
  Error put_error_;
};

}  // namespace honryu::testing
