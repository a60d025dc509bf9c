// What every LogEngine must do, run against each of them.
#include "tests/support/log_engine_fixture.h"

#include <map>
#include <thread>

namespace honryu::log {
namespace {

class EngineContract : public ::testing::TestWithParam<const char*> {
 protected:
  EngineContract() { Open(); }
  void Open() {
    if (std::string(GetParam()) == "memory") {
      if (engine_ == nullptr) engine_ = MakeMemoryEngine(clock_);
    } else {
      engine_.reset();
      RocksdbEngineConfig config;
      config.path = dir_.path();
      config.segment_bytes = ByteSize::KiB(64);
      config.tail_cache = ByteSize::KiB(32);  // small, so that both ways of reading are taken
      config.min_free_disk = ByteSize{0};
      auto opened = RocksdbEngine::Open(config, clock_, runtime_, metrics_);
      ASSERT_TRUE(opened.ok()) << opened.error().message();
      engine_ = std::move(*opened);
    }
  }
  EngineDriver driver() { return EngineDriver{runtime_, *engine_}; }

  TempDir dir_;
  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  std::unique_ptr<LogEngine> engine_;
};

TEST_P(EngineContract, GivesRisingOffsetsAndReadsBackWhatWasAppended) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  ASSERT_TRUE(engine_->CreatePartition(2, 7).ok());
  EXPECT_TRUE(engine_->CreatePartitions({1, 2}, 7).ok());  // there already
  EXPECT_EQ(engine_->CreatePartitions({3, 1}, 8).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(engine_->Bounds(3).error().code(), ErrorCode::kNotFound);  // none of them was made
  const auto first = driver().Append({Part(1, {"a", "b"}), Part(2, {"x"}), Part(1, {"c"})});
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ((*first)[0].last - (*first)[0].first, 1u);
  EXPECT_EQ((*first)[2].first, (*first)[0].last + 1);
  EXPECT_GE((*first)[0].first, 1u);  // 0 is the broker's "start of shard"
  EXPECT_EQ(driver().ReadAll(1), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(driver().ReadAll(2), (std::vector<std::string>{"x"}));
  const auto from_b = driver().Read(1, (*first)[0].last);
  ASSERT_EQ(from_b->records.size(), 2u);
  EXPECT_EQ(from_b->records[0].data.view(), "b");
  EXPECT_EQ(from_b->records[0].offset, (*first)[0].last);
}

TEST_P(EngineContract, RefusesUnknownPartitionsAndOldWritersAsAWhole) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  EXPECT_EQ(driver().Append({Part(1, {"a"}), Part(9, {"b"})}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(driver().Read(9, 0).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(driver().ReadAll(1).empty());
  const WriterEpoch epoch = engine_->AcquireWriter(1).value();
  EXPECT_EQ(driver().Append({Part(1, {"a"}, epoch - 1)}).error().code(), ErrorCode::kFenced);
  EXPECT_TRUE(driver().Append({Part(1, {"a"}, epoch)}).ok());
  EXPECT_EQ(driver().ReadAll(1).size(), 1u);
}

TEST_P(EngineContract, HonoursReadLimitsButReturnsAtLeastOneRecord) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  ASSERT_TRUE(driver().Append({Part(1, {std::string(1000, 'a'), std::string(1000, 'b'), "c"})}).ok());
  ReadLimits limits;
  limits.max_bytes = 10;
  EXPECT_EQ(driver().Read(1, 0, limits)->records.size(), 1u);
  limits.max_bytes = 100000;
  limits.max_records = 2;
  const auto two = driver().Read(1, 0, limits);
  EXPECT_EQ(two->records.size(), 2u);
  EXPECT_EQ(driver().Read(1, two->next)->records.at(0).data.view(), "c");
}

TEST_P(EngineContract, FindsPlacesByTime) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  std::map<std::int64_t, Offset> firsts;
  const std::int64_t begin = ToMs(clock_.Now());
  for (int i = 0; i < 50; ++i) {
    firsts[begin + i * 1000] = (*driver().Append({Part(1, {"r", "s", std::string(3000, 't')})}))[0].first;
    clock_.Advance(std::chrono::seconds(1));
  }
  const PartitionBounds bounds = engine_->Bounds(1).value();
  EXPECT_EQ(driver().FindByTime(1, TimestampFromMs(0)).value(), bounds.first);
  EXPECT_EQ(driver().FindByTime(1, clock_.Now() + std::chrono::hours(1)).value(), bounds.next);
  for (const auto& [time, offset] : firsts) {
    EXPECT_EQ(driver().FindByTime(1, TimestampFromMs(time)).value(), offset);
    EXPECT_EQ(driver().FindByTime(1, TimestampFromMs(time - 999)).value(), offset);
  }
}

TEST_P(EngineContract, TimeNeverFallsAlongAPartition) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  const Timestamp first = (*driver().Append({Part(1, {"a"})}))[0].time;
  clock_.Set(first - std::chrono::hours(1));
  EXPECT_GE((*driver().Append({Part(1, {"b"})}))[0].time, first);
}

TEST_P(EngineContract, WakesAWaitingReader) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  EXPECT_EQ(runtime_.BlockOn(WaitTask(engine_.get(), 1, 1, std::chrono::milliseconds(10))).error().code(),
            ErrorCode::kDeadlineExceeded);
  std::thread writer([&] { EXPECT_TRUE(driver().Append({Part(1, {"a"})}).ok()); });
  EXPECT_TRUE(runtime_.BlockOn(WaitTask(engine_.get(), 1, 1, std::chrono::seconds(30))).ok());
  writer.join();
  EXPECT_TRUE(runtime_.BlockOn(WaitTask(engine_.get(), 1, 1, std::chrono::seconds(30))).ok());
}

TEST_P(EngineContract, NobodyWaitsForAPartitionThatHasEnded) {
  ASSERT_TRUE(engine_->CreatePartitions({1, 2}, 7).ok());
  ASSERT_TRUE(driver().Append({Part(1, {"a"})}).ok());
  std::thread ender([&] { engine_->EndWaits({1, 99}); });
  EXPECT_TRUE(runtime_.BlockOn(WaitTask(engine_.get(), 1, 2, std::chrono::seconds(30))).ok());
  ender.join();
  EXPECT_TRUE(runtime_.BlockOn(WaitTask(engine_.get(), 1, 2, std::chrono::seconds(30))).ok());
  EXPECT_EQ(driver().ReadAll(1), (std::vector<std::string>{"a"}));
  EXPECT_EQ(runtime_.BlockOn(WaitTask(engine_.get(), 2, 1, std::chrono::milliseconds(10))).error().code(),
            ErrorCode::kDeadlineExceeded);
}

TEST_P(EngineContract, DropsAGroupWithAllItsPartitions) {
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  ASSERT_TRUE(engine_->CreatePartition(2, 8).ok());
  ASSERT_TRUE(driver().Append({Part(1, {"a"}), Part(2, {"b"})}).ok());
  ASSERT_TRUE(engine_->DropGroup(7).ok());
  EXPECT_EQ(engine_->DropGroup(7).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(driver().Read(1, 0).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(driver().ReadAll(2).size(), 1u);
  EXPECT_EQ(engine_->ListPartitions().size(), 1u);
}

// Random appends, reads, reopenings; a plain vector per partition is the model.
TEST_P(EngineContract, AgreesWithAModelOverRandomOperations) {
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  std::map<PartitionId, std::vector<std::string>> model;
  for (PartitionId p = 1; p <= 3; ++p) {
    ASSERT_TRUE(engine_->CreatePartition(p, 1 + p % 2).ok());
    model[p];
  }
  for (int step = 0; step < 300; ++step) {
    const std::uint64_t what = random.Below(20);
    if (what < 12) {
      std::vector<AppendPart> parts;
      for (PartitionId p = 1; p <= 3; ++p) {
        if (!random.Chance(0.6)) continue;
        std::vector<std::string> records;
        for (std::uint64_t i = 0, n = 1 + random.Below(8); i < n; ++i) {
          std::string record = std::to_string(step) + "/" + std::to_string(i) + ":";
          record.resize(record.size() + random.Below(2000),
                        random.Chance(0.5) ? 'z' : static_cast<char>(random.Next()));
          records.push_back(record);
          model[p].push_back(record);
        }
        parts.push_back(Part(p, records));
      }
      const auto appended = driver().Append(std::move(parts));
      ASSERT_TRUE(appended.ok()) << appended.error().message();
      clock_.Advance(std::chrono::milliseconds(random.Below(100)));
    } else if (what < 19) {
      const PartitionId p = 1 + random.Below(3);
      const PartitionBounds bounds = engine_->Bounds(p).value();
      ASSERT_EQ(bounds.next - bounds.first, model[p].size());
      if (model[p].empty()) continue;
      const std::size_t at = random.Below(model[p].size());
      const auto read = driver().Read(p, bounds.first + at);
      ASSERT_TRUE(read.ok()) << read.error().message();
      ASSERT_FALSE(read->records.empty());
      for (std::size_t i = 0; i < read->records.size(); ++i) {
        ASSERT_EQ(read->records[i].data.view(), model[p][at + i])
            << "partition " << p << " record " << at + i;
        ASSERT_EQ(read->records[i].offset, bounds.first + at + i);
      }
    } else {
      Open();
    }
  }
  for (PartitionId p = 1; p <= 3; ++p) EXPECT_EQ(driver().ReadAll(p), model[p]);
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineContract, ::testing::Values("memory", "rocksdb"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace honryu::log
