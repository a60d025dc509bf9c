// Random histories of one stream against a model: puts, splits, merges, new shard counts, readers of all
// iterator types from random places, retention, restarts, crashes and power cuts. HONRYU_SEED replays a run.
#include "honryu/base/random.h"
#include "honryu/kv/fault_file_system.h"
#include "honryu/log/rocksdb_engine.h"
#include "tests/support/log_engine_fixture.h"
#include "tests/unit/broker/history_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

namespace honryu::broker {
namespace {

constexpr char kStream[] = "history";

enum class Storage { kMemory, kFsync, kInterval };

async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(60)); }

class History {
 public:
  History(Storage storage, std::uint64_t seed) : storage_(storage), random_(seed) {
    engine_config_.path = dir_.path();
    engine_config_.min_free_disk = ByteSize{0};
    engine_config_.segment_bytes = ByteSize::KiB(4);
    engine_config_.tail_cache = ByteSize::KiB(random_.Chance(0.5) ? 2 : 64);
    if (storage == Storage::kInterval) engine_config_.durability = log::Durability::kInterval;
    engine_config_.sync_interval = std::chrono::hours(1);  // only what must be synced is
    config_.retention_check = std::chrono::milliseconds(3);
    if (storage == Storage::kMemory) {
      memory_ = log::MakeMemoryEngine(clock_);
      memory_meta_ = log::MakeMemoryMetaStore();
    }
    Open();
    EXPECT_TRUE(runtime_.BlockOn(broker_->CreateStream(Soon(), kStream, 2)).ok());
    AwaitActive();
  }
  ~History() { Close(); }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      Step();
    }
    if (::testing::Test::HasFailure()) return;
    AwaitActive();
    CheckIterators();
    DrainConsumers();
    CheckEverything();
  }

 private:
  /// A place that was found, and the record that it must give next.
  struct Held {
    std::string token;
    std::uint32_t shard = 0;
    std::size_t next = 0;
    IteratorType type{};
  };
  /// A reader of the whole stream: a shard after its parents, from tokens, over restarts.
  struct Consumer {
    struct Progress {
      std::string token;
      std::size_t next = 0;  ///< In the model's records of the shard.
      bool finished = false;
    };
    std::map<std::uint32_t, Progress> shards;
    Timestamp since;                                       ///< Older records are nothing to it.
    std::map<std::string, std::size_t> from;               ///< By key: the first record it must see.
    std::map<std::string, std::vector<std::string>> seen;  ///< By key: names.
  };
  using Fresh = std::vector<std::pair<std::uint32_t, HistoryRecord>>;

  void Open() {
    log::LogEngine* engine = memory_.get();
    log::MetaStore* meta = memory_meta_.get();
    if (storage_ != Storage::kMemory) {
      auto opened = log::RocksdbEngine::Open(engine_config_, clock_, runtime_, metrics_, faults_.handle());
      ASSERT_TRUE(opened.ok()) << opened.error().message();
      rocksdb_ = std::move(*opened);
      engine = rocksdb_.get();
      meta = &rocksdb_->meta();
    }
    engine_ = engine;
    broker_ = std::make_unique<Broker>(config_, *engine, *meta, clock_, runtime_, metrics_);
    const Result<void> started = broker_->Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  void Close() {
    if (broker_ == nullptr) return;
    runtime_.BlockOn(broker_->Stop(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
    broker_.reset();
    rocksdb_.reset();
  }

  void Step() {
    clock_.Advance(std::chrono::milliseconds(random_.Below(3) == 0 ? random_.Below(3000) : random_.Below(2)));
    RaiseFloor();
    const std::uint64_t dice = random_.Below(100);
    if (dice < 42) return PutSome();
    if (dice < 46) return PutFromThreads();
    if (dice < 60) return FindSomePlace();
    if (dice < 65) return CheckIterators();
    if (dice < 77) return ReadWithConsumer();
    if (dice < 80) return AddConsumer();
    if (dice < 86) return Reshard();
    if (dice < 89) return ReshardUnderLoad();
    if (dice < 91) return AwaitActive();
    if (dice < 94) return PassTime();
    if (dice < 95) return ChangeRetention();
    if (dice < 98) return Restart();
    CheckEverything();
  }

  // ---- writing

  std::string NextData(const std::string& key) {
    std::string data = key + "#" + std::to_string(++counters_[key]) + " ";
    for (std::uint64_t n = random_.Below(40); n > 0; --n) {
      char noise[17];
      std::snprintf(noise, sizeof noise, "%016llx", static_cast<unsigned long long>(random_.Next()));
      data += noise;
    }
    return data;
  }
  std::vector<std::pair<std::string, std::string>> Batch(const char* prefix) {
    std::vector<std::pair<std::string, std::string>> batch;
    for (std::uint64_t n = 1 + random_.Below(8); n > 0; --n) {
      const std::string key =
          (random_.Chance(0.3) ? "h" : "k") + std::string(prefix) + std::to_string(random_.Below(8));
      batch.emplace_back(key, NextData(key));
    }
    return batch;
  }
  /// Puts the batch; what was acknowledged, or nothing.
  std::optional<Fresh> Put(const std::vector<std::pair<std::string, std::string>>& batch) {
    std::vector<PutRecordEntry> entries;
    for (const auto& [key, data] : batch) entries.push_back({key, data, HistoryModel::ExplicitHash(key)});
    const auto put = runtime_.BlockOn(broker_->Put(Soon(), kStream, entries));
    if (!put.ok()) return std::nullopt;
    Fresh fresh;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      EXPECT_TRUE((*put)[i].ok());
      if (!(*put)[i].ok()) return std::nullopt;
      const PutPlace& place = *(*put)[i];
      fresh.push_back({place.shard, {batch[i].first, batch[i].second, place.sequence, place.arrival}});
    }
    return fresh;
  }
  void PutSome() {
    std::optional<Fresh> fresh = Put(Batch(""));
    ASSERT_TRUE(fresh.has_value()) << "a put was refused";
    model_.Add(std::move(*fresh));
  }
  /// Writers of their own keys that put, from threads, until they are stopped or have nothing left.
  class Writers {
   public:
    Writers(History& history, std::uint64_t puts) : history_(history) {
      for (const char* prefix : {"a", "b", "c"}) {
        std::vector<std::vector<std::pair<std::string, std::string>>>& mine = batches_.emplace_back();
        for (std::uint64_t n = 0; n < puts; ++n) mine.push_back(history.Batch(prefix));
      }
      puts_.resize(batches_.size());
      for (std::size_t i = 0; i < batches_.size(); ++i) {
        threads_.emplace_back([this, i] {
          for (const auto& batch : batches_[i]) {
            if (stop_) return;
            puts_[i].push_back(history_.Put(batch));
          }
        });
      }
    }
    ~Writers() { (void)Join(true); }
    Writers(const Writers&) = delete;
    Writers& operator=(const Writers&) = delete;
    /// Waits for them; all that they put.
    Fresh Join(bool stop) {
      stop_ = stop;
      for (std::thread& thread : threads_) thread.join();
      threads_.clear();
      Fresh all;
      for (auto& puts : puts_) {
        for (std::optional<Fresh>& put : puts) {
          EXPECT_TRUE(put.has_value()) << "a put was refused";
          if (put) all.insert(all.end(), put->begin(), put->end());
        }
      }
      return all;
    }

   private:
    History& history_;
    std::vector<std::vector<std::vector<std::pair<std::string, std::string>>>> batches_;  // by thread
    std::vector<std::vector<std::optional<Fresh>>> puts_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
  };
  void PutFromThreads() {
    Writers writers(*this, 1);
    model_.Add(writers.Join(false));
  }

  // ---- shards

  std::vector<Shard> ShardsNow() const { return broker_->Describe(kStream)->shards; }

  void AwaitActive() {
    const Result<void> active = runtime_.BlockOn(broker_->WaitActive(Soon(), kStream));
    ASSERT_TRUE(active.ok()) << active.error().message();
    const Stream stream = broker_->Describe(kStream).value();
    model_.Learn(stream);
    if (wanted_starts_.empty()) return;
    std::vector<UInt128> starts;
    for (const Shard& shard : stream.shards) {
      if (!shard.ending) starts.push_back(shard.hash_start);
    }
    std::sort(starts.begin(), starts.end());
    EXPECT_EQ(starts, wanted_starts_) << "the shards are not as asked for";
    wanted_starts_.clear();
  }
  /// Begins a change of shards; it may go on while the next steps are made.
  void Reshard() {
    AwaitActive();
    std::vector<Shard> open;
    for (const Shard& shard : ShardsNow()) {
      if (!shard.ending) open.push_back(shard);
    }
    std::sort(open.begin(), open.end(),
              [](const Shard& a, const Shard& b) { return a.hash_start < b.hash_start; });
    std::vector<UInt128> starts;
    for (const Shard& shard : open) starts.push_back(shard.hash_start);
    const std::size_t i = random_.Below(open.size());
    Result<void> begun = Ok();
    if (open.size() > 6 || random_.Below(5) == 0) {
      const int count = 1 + static_cast<int>(random_.Below(5));
      begun = runtime_.BlockOn(broker_->SetShardCount(Soon(), kStream, count));
      starts.clear();
      const UInt128::Native width = ~static_cast<UInt128::Native>(0) / static_cast<unsigned>(count) +
                                    ((count & (count - 1)) == 0 ? 1 : 0);
      for (int n = 0; n < count; ++n) starts.push_back(UInt128::FromNative(width * static_cast<unsigned>(n)));
    } else if (i + 1 < open.size() && random_.Chance(0.45)) {
      begun = runtime_.BlockOn(broker_->MergeShards(Soon(), kStream, open[i].index, open[i + 1].index));
      starts.erase(starts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    } else {
      const UInt128::Native width = open[i].hash_end.native() - open[i].hash_start.native();
      const UInt128 at =
          UInt128::FromNative(open[i].hash_start.native() + 1 + (width - 1) / 64 * (1 + random_.Below(63)));
      begun = runtime_.BlockOn(broker_->SplitShard(Soon(), kStream, open[i].index, at));
      starts.insert(starts.begin() + static_cast<std::ptrdiff_t>(i) + 1, at);
    }
    ASSERT_TRUE(begun.ok()) << begun.error().message();
    wanted_starts_ = starts;
  }

  /// The same while others put; each shard is read to its end as soon as it is closed: nothing may come
  /// later.
  void ReshardUnderLoad() {
    AwaitActive();
    std::map<std::uint32_t, ShardPlace> tips;
    for (const Shard& shard : ShardsNow()) {
      if (shard.ending) continue;
      tips[shard.index] =
          runtime_
              .BlockOn(broker_->FindPlace(
                  Soon(), Broker::IteratorRequest{kStream, shard.index, IteratorType::kLatest, {}, {}}))
              .value();
    }
    Writers writers(*this, 60);
    Reshard();
    std::map<std::uint32_t, std::size_t> ends;  // of each shard that was closed: records found in it
    for (bool active = false; !active;) {
      const StreamSnapshot now = broker_->Snapshot(kStream).value();
      active = now->status == StreamStatus::kActive;
      for (const Shard& shard : now->shards) {
        if (!shard.ending || !tips.contains(shard.index) || ends.contains(shard.index)) continue;
        std::size_t& count = ends[shard.index];
        for (std::optional<ShardPlace> place = tips[shard.index]; place;) {
          const Result<ReadResult> read =
              runtime_.BlockOn(broker_->Read(Soon(), *place, 10000, 10 << 20, {}));
          ASSERT_TRUE(read.ok()) << read.error().message();
          count += read->records.size();
          place = read->next;
        }
      }
    }
    std::map<std::uint32_t, std::size_t> put;
    Fresh all = writers.Join(true);
    for (const auto& [shard, record] : all) ++put[shard];
    model_.Add(std::move(all));
    for (const auto& [shard, count] : ends)
      EXPECT_EQ(count, put[shard]) << ShardIdText(shard) << " got records after its end was read";
    AwaitActive();
  }

  // ---- retention and time

  Timestamp Horizon() const { return clock_.Now() - std::chrono::hours(retention_hours_); }
  void RaiseFloor() { model_.floor = std::max(model_.floor, Horizon()); }
  /// Hours go by: old records leave, closed shards too.
  void PassTime() {
    AwaitActive();
    DrainConsumers();
    const auto ms = static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(retention_hours_) *
                                                            3600'000 * (random_.Chance(0.3) ? 2 : 1) / 2));
    clock_.Advance(std::chrono::milliseconds(ms));
    RaiseFloor();
    // The retention loop does the same from time to time; here it is certain to have been done.
    const std::uint64_t incarnation = broker_->Describe(kStream)->incarnation;
    const auto report = engine_->EnforceRetention(incarnation, Horizon(), std::nullopt);
    ASSERT_TRUE(report.ok()) << report.error().message();
    const MonoTime until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const auto overdue = [this] {
      for (const Shard& shard : ShardsNow()) {
        if (shard.ending && DecodeSequence(*shard.ending)->record_time_s < ToMs(Horizon()) / 1000)
          return true;
      }
      return false;
    };
    while (overdue() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_FALSE(overdue()) << "a closed shard outlives its records";
    for (const Shard& shard : ShardsNow()) {
      FindPlace(IteratorType::kTrimHorizon, shard.index);
      if (random_.Chance(0.3)) FindPlace(IteratorType::kAtTimestamp, shard.index);
    }
    CheckIterators();
  }
  void ChangeRetention() {
    AwaitActive();
    DrainConsumers();
    RaiseFloor();
    retention_hours_ = 24 + static_cast<int>(random_.Below(48));
    ASSERT_TRUE(runtime_.BlockOn(broker_->SetRetention(Soon(), kStream, retention_hours_)).ok());
    RaiseFloor();
  }
  bool Retired(std::uint32_t shard) const {
    const Stream stream = broker_->Describe(kStream).value();
    return std::none_of(stream.shards.begin(), stream.shards.end(),
                        [&](const Shard& s) { return s.index == shard; });
  }
  using Seen = std::map<std::string, std::vector<std::string>>;
  static std::string Name(const std::string& data) { return data.substr(0, data.find(' ')); }
  /// Passes over records that may have been dropped, up to the one with `until`, which was read.
  void Skip(std::uint32_t shard, const std::optional<SequenceNumber>& until, std::size_t* next, Seen* seen) {
    const std::vector<HistoryRecord>& all = model_.records[shard];
    for (; *next < all.size() && all[*next].sequence != until && all[*next].arrival < model_.floor; ++*next) {
      if (seen != nullptr) (*seen)[all[*next].key].push_back(Name(all[*next].data));
    }
  }

  // ---- reading

  /// One read of random size from `place`, compared with the model; nullopt: the end of the shard.
  std::optional<ShardPlace> ReadOnce(const ShardPlace& place, std::size_t* next, std::size_t* got,
                                     std::vector<std::uint32_t>* children, Seen* seen = nullptr) {
    const std::uint32_t max_records =
        random_.Chance(0.5) ? 10000 : 1 + static_cast<std::uint32_t>(random_.Below(9));
    const std::uint64_t max_bytes = random_.Chance(0.5) ? 10 << 20 : 1 + random_.Below(3000);
    const Result<ReadResult> read =
        runtime_.BlockOn(broker_->Read(Soon(), place, max_records, max_bytes, Duration::zero()));
    *got = 0;
    if (!read.ok()) {
      // A closed shard leaves with the last of its records; who was still in it goes on with the children.
      EXPECT_TRUE(read.error().code() == ErrorCode::kNotFound && Retired(place.shard))
          << read.error().message();
      Skip(place.shard, std::nullopt, next, seen);
      EXPECT_EQ(*next, model_.records[place.shard].size()) << "a shard leaves before its records";
      *children = model_.ChildrenOf(place.shard);
      return std::nullopt;
    }
    const std::vector<HistoryRecord>& all = model_.records[place.shard];
    const Shard& shard = model_.shards.at(place.shard);
    for (const ReadRecord& record : read->records) {
      if (*got == 0) Skip(place.shard, record.sequence, next, seen);
      EXPECT_LT(*next, all.size()) << "a record that nobody put: " << record.data.view();
      if (*next >= all.size()) return std::nullopt;
      const HistoryRecord& want = all[(*next)++];
      EXPECT_EQ(record.sequence.ToDecimal(), want.sequence.ToDecimal());
      EXPECT_EQ(record.partition_key, want.key);
      EXPECT_EQ(record.data.view(), want.data);
      EXPECT_EQ(record.arrival, want.arrival);
      const UInt128 hash = HistoryModel::HashOf(want.key);
      EXPECT_TRUE(shard.hash_start <= hash && hash <= shard.hash_end) << "a record of another shard's range";
      if (seen != nullptr) (*seen)[want.key].push_back(Name(want.data));
      ++*got;
    }
    children->clear();
    for (const Shard& child : read->children) children->push_back(child.index);
    const bool caught_up = !read->next || read->behind_latest == Duration::zero();
    if (caught_up) {
      Skip(place.shard, std::nullopt, next, seen);
      EXPECT_EQ(*next, all.size()) << "the end, or 0 ms behind it, and records are left";
    }
    if (!read->next) {
      EXPECT_FALSE(children->empty()) << "the end of a shard names its children";
    } else {
      EXPECT_TRUE(children->empty());
      if (*next == all.size()) EXPECT_TRUE(caught_up);
    }
    return read->next;
  }
  /// Reads from `held` to the end.
  void CheckIterator(const Held& held) {
    SCOPED_TRACE(ShardIdText(held.shard) + ", iterator type " + std::to_string(static_cast<int>(held.type)));
    const Result<ShardPlace> found = broker_->DecodeIterator(held.token);
    if (!found.ok()) {
      EXPECT_EQ(found.error().code(), ErrorCode::kExpired);
      return;
    }
    std::optional<ShardPlace> place = *found;
    std::size_t next = held.next, got = 0;
    std::vector<std::uint32_t> children;
    const bool closed = model_.shards.at(held.shard).ending.has_value();
    for (int empty = 0; place && !::testing::Test::HasFailure();) {
      place = ReadOnce(*place, &next, &got, &children);
      empty = got == 0 ? empty + 1 : 0;
      if (got == 0 && !closed) break;
      ASSERT_LT(empty, 3) << "a closed shard does not end";
    }
    if (!place && !::testing::Test::HasFailure())
      EXPECT_EQ(children, model_.ChildrenOf(held.shard)) << "ChildShards";
    EXPECT_EQ(next, model_.records[held.shard].size()) << "records are missing";
  }
  void CheckIterators() {
    AwaitActive();
    for (const Held& held : std::exchange(held_, {})) {
      CheckIterator(held);
      if (::testing::Test::HasFailure()) return;
    }
  }

  void FindSomePlace() {
    const std::vector<Shard> shards = ShardsNow();
    const auto type = static_cast<IteratorType>(random_.Below(5));
    FindPlace(type, shards[random_.Below(shards.size())].index);
  }
  void FindPlace(IteratorType type, std::uint32_t shard) {
    const std::vector<HistoryRecord>& all = model_.records[shard];
    const std::size_t horizon = model_.FirstAt(shard, Horizon());
    Broker::IteratorRequest request{kStream, shard, type, std::nullopt, std::nullopt};
    std::size_t next = horizon;
    switch (type) {
      case IteratorType::kLatest:
        next = all.size();
        break;
      case IteratorType::kTrimHorizon:
        break;
      case IteratorType::kAtTimestamp: {
        const auto any = static_cast<std::int64_t>(random_.Below(200'000'000));
        Timestamp time = clock_.Now() - std::chrono::milliseconds(any);
        if (!all.empty() && random_.Chance(0.8))
          time = all[random_.Below(all.size())].arrival + std::chrono::milliseconds(random_.Below(3)) -
                 std::chrono::milliseconds(1);
        request.time = std::min(time, clock_.Now());
        next = std::max(horizon, model_.FirstAt(shard, *request.time));
        break;
      }
      case IteratorType::kAtSequenceNumber:
      case IteratorType::kAfterSequenceNumber: {
        const bool after = type == IteratorType::kAfterSequenceNumber;
        if (all.empty() || random_.Chance(0.1)) {  // the number that ListShards gives
          const Stream stream = broker_->Describe(kStream).value();
          for (const Shard& s : stream.shards) {
            if (s.index == shard) request.sequence = s.starting;
          }
          if (!request.sequence) return;
          break;
        }
        const std::size_t at = random_.Below(all.size());
        request.sequence = all[at].sequence;
        next = std::max(horizon, after ? at + 1 : at);
        break;
      }
    }
    const Result<ShardPlace> place = runtime_.BlockOn(broker_->FindPlace(Soon(), request));
    if (!place.ok() && place.error().code() == ErrorCode::kNotFound && Retired(shard)) return;
    ASSERT_TRUE(place.ok()) << place.error().message();
    held_.push_back({broker_->EncodeIterator(*place), shard, next, type});
  }

  // ---- consumers of the whole stream

  void AddConsumer() {
    AwaitActive();
    if (consumers_.size() >= 3) consumers_.erase(consumers_.begin());
    Consumer consumer;
    const bool latest = random_.Chance(0.5);
    consumer.since = Horizon();
    const Stream stream = broker_->Describe(kStream).value();
    for (const auto& [shard, all] : model_.records) {
      // Shards that have left held nothing that must still be there, whatever the retention is now.
      const auto is = [index = shard](const Shard& s) { return s.index == index; };
      if (latest || std::any_of(stream.shards.begin(), stream.shards.end(), is)) continue;
      for (const HistoryRecord& record : all) {
        EXPECT_LT(record.arrival, model_.floor) << "a shard leaves before its records";
        if (record.arrival >= consumer.since) consumer.seen[record.key].push_back(Name(record.data));
      }
    }
    for (const Shard& shard : stream.shards) {
      if (latest ? shard.ending.has_value() : HasParentIn(shard, stream)) continue;
      Begin(consumer, shard.index, latest ? IteratorType::kLatest : IteratorType::kTrimHorizon);
    }
    for (const auto& [key, times] : model_.arrivals) {
      const auto first =
          std::partition_point(times.begin(), times.end(), [&](Timestamp t) { return t < Horizon(); });
      consumer.from[key] = latest ? times.size() : static_cast<std::size_t>(first - times.begin());
    }
    consumers_.push_back(std::move(consumer));
  }
  static bool HasParentIn(const Shard& shard, const Stream& stream) {
    return std::any_of(stream.shards.begin(), stream.shards.end(), [&](const Shard& s) {
      return shard.parent == s.index || shard.adjacent_parent == s.index;
    });
  }
  void Begin(Consumer& consumer, std::uint32_t shard, IteratorType type) {
    Consumer::Progress& progress = consumer.shards[shard];
    const Result<ShardPlace> place = runtime_.BlockOn(broker_->FindPlace(
        Soon(), Broker::IteratorRequest{kStream, shard, type, std::nullopt, std::nullopt}));
    if (type != IteratorType::kLatest) {
      // What expired since the consumer began is nothing that it could read.
      const std::vector<HistoryRecord>& all = model_.records[shard];
      for (progress.next = 0; progress.next < all.size(); ++progress.next) {
        const HistoryRecord& record = all[progress.next];
        if (record.arrival >= Horizon()) break;
        if (record.arrival >= consumer.since) consumer.seen[record.key].push_back(Name(record.data));
      }
    } else {
      progress.next = model_.records[shard].size();
    }
    if (place.ok()) {
      progress.token = broker_->EncodeIterator(*place);
    } else {
      EXPECT_TRUE(place.error().code() == ErrorCode::kNotFound && Retired(shard)) << place.error().message();
      EXPECT_EQ(progress.next, model_.records[shard].size()) << "a shard leaves before its records";
      Finish(consumer, shard, model_.ChildrenOf(shard));
    }
  }
  void Finish(Consumer& consumer, std::uint32_t shard, const std::vector<std::uint32_t>& children) {
    consumer.shards.at(shard).finished = true;
    for (const std::uint32_t child : children) {
      const Shard& born = model_.shards.at(child);
      const auto pending = [&](const std::optional<std::uint32_t>& parent) {
        if (!parent) return false;
        const auto known = consumer.shards.find(*parent);
        return known == consumer.shards.end() ? !Retired(*parent) : !known->second.finished;
      };
      if (consumer.shards.contains(child) || pending(born.parent) || pending(born.adjacent_parent)) continue;
      Begin(consumer, child, IteratorType::kTrimHorizon);
    }
  }
  /// A token that has expired is replaced as KCL does: after the last record that was read.
  std::optional<ShardPlace> PlaceOf(std::uint32_t shard, const Consumer::Progress& progress) {
    Result<ShardPlace> place = broker_->DecodeIterator(progress.token);
    if (!place.ok()) {
      EXPECT_EQ(place.error().code(), ErrorCode::kExpired);
      Broker::IteratorRequest request{kStream, shard, IteratorType::kTrimHorizon, std::nullopt, std::nullopt};
      if (progress.next > 0) {
        request.type = IteratorType::kAfterSequenceNumber;
        request.sequence = model_.records[shard][progress.next - 1].sequence;
      }
      place = runtime_.BlockOn(broker_->FindPlace(Soon(), request));
      EXPECT_TRUE(place.ok()) << place.error().message();
      if (!place.ok()) return std::nullopt;
    }
    return *place;
  }
  /// True when the read gave something or ended the shard.
  bool Advance(Consumer& consumer, std::uint32_t shard) {
    Consumer::Progress& progress = consumer.shards.at(shard);
    const std::optional<ShardPlace> place = PlaceOf(shard, progress);
    if (!place) return false;
    std::size_t got = 0;
    std::vector<std::uint32_t> children;
    const std::optional<ShardPlace> next = ReadOnce(*place, &progress.next, &got, &children, &consumer.seen);
    if (next) {
      progress.token = broker_->EncodeIterator(*next);
      return got > 0;
    }
    Finish(consumer, shard, children);
    return true;
  }
  void ReadWithConsumer() {
    AwaitActive();
    if (consumers_.empty()) return AddConsumer();
    Consumer& consumer = consumers_[random_.Below(consumers_.size())];
    std::vector<std::uint32_t> living;
    for (const auto& [shard, progress] : consumer.shards) {
      if (!progress.finished) living.push_back(shard);
    }
    ASSERT_FALSE(living.empty()) << "a stream never ends";
    Advance(consumer, living[random_.Below(living.size())]);
  }
  void DrainConsumers() {
    for (Consumer& consumer : consumers_) {
      for (bool progress = true; progress && !::testing::Test::HasFailure();) {
        progress = false;
        std::vector<std::uint32_t> living;
        for (const auto& [shard, state] : consumer.shards) {
          if (!state.finished) living.push_back(shard);
        }
        for (const std::uint32_t shard : living) progress = Advance(consumer, shard) || progress;
      }
      for (const auto& [key, all] : model_.by_key) {
        const auto from = static_cast<std::ptrdiff_t>(consumer.from[key]);
        std::vector<std::string> want;
        std::transform(all.begin() + from, all.end(), std::back_inserter(want), Name);
        EXPECT_EQ(consumer.seen[key], want) << "key " << key;
      }
    }
  }
  /// Every shard from its oldest record on, and a new reader of the whole stream.
  void CheckEverything() {
    AwaitActive();
    const Stream stream = broker_->Describe(kStream).value();
    for (const Shard& shard : stream.shards) FindPlace(IteratorType::kTrimHorizon, shard.index);
    CheckIterators();
    AddConsumer();
    DrainConsumers();
  }

  // ---- restarts

  void Restart() {
    const std::uint64_t kind = random_.Below(3);
    if (storage_ == Storage::kMemory || kind == 0) {
      Close();
      Open();
      return AwaitActive();
    }
    const bool power_cut = kind == 1;
    // In the midst of it: a put whose fate nobody is told, and perhaps a change of shards.
    if (random_.Chance(0.5)) Reshard();
    faults_.FailSyncs(true);
    std::vector<std::pair<std::string, std::string>> unknown;
    if (storage_ == Storage::kFsync) {
      unknown = Batch("");
      std::optional<Fresh> fresh = Put(unknown);
      // Only a commit that was under way when syncs began to fail may still have been acknowledged.
      if (fresh) {
        model_.Add(std::move(*fresh));
        unknown.clear();
      }
    }
    faults_.FailWritesWithNoSpace(true);
    Close();
    if (power_cut) faults_.DropUnsynced();
    faults_.FailSyncs(false);
    faults_.FailWritesWithNoSpace(false);
    Open();
    if (::testing::Test::HasFailure()) return;
    AwaitActive();
    Settle(unknown, power_cut && storage_ == Storage::kInterval);
  }
  /// What the storage kept of a put without an answer: all or nothing, behind everything else. `lossy`: the
  /// newest acknowledged records may be gone too, which that durability allows.
  void Settle(const std::vector<std::pair<std::string, std::string>>& unknown, bool lossy) {
    std::map<std::string, bool> found;
    for (const auto& [key, data] : unknown) found[data] = false;
    Fresh kept;
    for (const Shard& shard : ShardsNow()) {
      std::vector<HistoryRecord>& all = model_.records[shard.index];
      std::size_t at = 0;
      std::optional<ShardPlace> place =
          runtime_
              .BlockOn(broker_->FindPlace(
                  Soon(), Broker::IteratorRequest{kStream, shard.index, IteratorType::kTrimHorizon, {}, {}}))
              .value();
      bool first = true;
      while (place) {
        const Result<ReadResult> read = runtime_.BlockOn(broker_->Read(Soon(), *place, 10000, 10 << 20, {}));
        ASSERT_TRUE(read.ok()) << read.error().message();
        for (const ReadRecord& record : read->records) {
          if (std::exchange(first, false)) {
            while (at < all.size() && all[at].sequence < record.sequence && all[at].arrival < model_.floor)
              ++at;
          }
          if (at < all.size()) {
            ASSERT_EQ(record.data.view(), all[at++].data) << "lost or reordered by a crash";
            continue;
          }
          const std::string data(record.data.view());
          ASSERT_TRUE(found.contains(data)) << "a record that nobody put: " << data;
          EXPECT_FALSE(found[data]) << "twice: " << data;
          found[data] = true;
          kept.push_back(
              {shard.index, {std::string(record.partition_key), data, record.sequence, record.arrival}});
        }
        place = read->next;
        if (read->records.empty()) break;
      }
      while (at < all.size() && all[at].arrival < model_.floor) ++at;
      if (lossy) {
        all.resize(at);
      } else {
        EXPECT_EQ(at, all.size()) << ShardIdText(shard.index) << ": acknowledged records are lost";
      }
    }
    EXPECT_TRUE(kept.empty() || kept.size() == unknown.size()) << "half of a put was kept";
    model_.Add(std::move(kept));
    if (!lossy) return;
    // Readers may have seen what is lost now; the model's keys begin anew with what is left.
    consumers_.clear();
    held_.clear();
    model_.by_key.clear();
    model_.arrivals.clear();
    for (const auto& [shard, all] : model_.records) {
      for (const HistoryRecord& record : all) order_.emplace_back(record.sequence, &record);
    }
    std::sort(order_.begin(), order_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [sequence, record] : order_) {
      model_.by_key[record->key].push_back(record->data);
      model_.arrivals[record->key].push_back(record->arrival);
    }
    order_.clear();
  }

  const Storage storage_;
  Random random_;
  log::TempDir dir_;
  kv::FaultFileSystem faults_;
  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  log::RocksdbEngineConfig engine_config_;
  BrokerConfig config_;
  std::unique_ptr<log::LogEngine> memory_;
  std::unique_ptr<log::MetaStore> memory_meta_;
  std::unique_ptr<log::RocksdbEngine> rocksdb_;
  log::LogEngine* engine_ = nullptr;
  std::unique_ptr<Broker> broker_;

  HistoryModel model_;
  int retention_hours_ = 24;
  std::vector<UInt128> wanted_starts_;  // what the newest change asked for; empty: nothing to check
  std::map<std::string, std::uint64_t> counters_;
  std::vector<Held> held_;
  std::vector<Consumer> consumers_;
  std::vector<std::pair<SequenceNumber, const HistoryRecord*>> order_;
};

class HistoryTest : public ::testing::TestWithParam<Storage> {};

TEST_P(HistoryTest, EveryReaderSeesWhatTheModelSays) {
  const char* given = std::getenv("HONRYU_SEED");
  std::random_device device;
  const int runs = given != nullptr ? 1 : GetParam() == Storage::kMemory ? 6 : 2;
  for (int run = 0; run < runs && !HasFailure(); ++run) {
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : device();
    std::printf("HONRYU_SEED=%llu\n", static_cast<unsigned long long>(seed));
    SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
    History history(GetParam(), seed);
    history.Run(250);
  }
}

INSTANTIATE_TEST_SUITE_P(Storages, HistoryTest,
                         ::testing::Values(Storage::kMemory, Storage::kFsync, Storage::kInterval),
                         [](const auto& info) {
                           return info.param == Storage::kMemory  ? "Memory"
                                  : info.param == Storage::kFsync ? "Fsync"
                                                                  : "Interval";
                         });

}  // namespace
}  // namespace honryu::broker
