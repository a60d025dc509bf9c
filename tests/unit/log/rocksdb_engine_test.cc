// What only an engine with a disk can do wrong.
#include "tests/unit/log/rocksdb_fixture.h"

#include <atomic>
#include <fstream>
#include <map>
#include <thread>

namespace honryu::log {
namespace {

TEST_F(RocksdbEngineTest, AFullDiskRefusesPutsKeepsReadsAndResumesByItself) {
  config_.tail_cache = ByteSize{0};
  kv::FaultFileSystem faults;
  Open(faults.handle());
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  ASSERT_TRUE(driver().Append({Part(1, {"before"})}).ok());
  faults.FailWritesWithNoSpace(true);
  const auto refused = driver().Append({Part(1, {"lost or whole", "both"})});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(refused.error().retryable());
  EXPECT_FALSE(engine_->Writable().ok());
  EXPECT_EQ(driver().Append({Part(1, {"refused at once"})}).error().code(), ErrorCode::kUnavailable);
  // Reads go on, from the files too, while the guard tries to recover.
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  EXPECT_EQ(driver().ReadAll(1).at(0), "before");
  faults.FailWritesWithNoSpace(false);
  ASSERT_TRUE(Eventually([&] { return engine_->Writable().ok(); }));
  const auto after = driver().Append({Part(1, {"after"})});
  ASSERT_TRUE(after.ok()) << after.error().message();
  std::vector<std::string> all = driver().ReadAll(1);
  EXPECT_EQ(all.front(), "before");
  EXPECT_EQ(all.back(), "after");
  EXPECT_TRUE(all.size() == 2 || all.size() == 4) << "a torn request: " << all.size();
  Open(faults.handle());
  EXPECT_EQ(driver().ReadAll(1), all);
}

TEST_F(RocksdbEngineTest, AFailedFsyncIsNotAnAcknowledgement) {
  kv::FaultFileSystem faults;
  Open(faults.handle());
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  ASSERT_TRUE(driver().Append({Part(1, {"a"})}).ok());
  faults.FailSyncs(true);
  EXPECT_EQ(driver().Append({Part(1, {"b"})}).error().code(), ErrorCode::kUnavailable);
  faults.FailSyncs(false);
  ASSERT_TRUE(Eventually([&] { return engine_->Writable().ok(); }));
  const Offset after = (*driver().Append({Part(1, {"c"})}))[0].first;
  const std::vector<std::string> all = driver().ReadAll(1);
  EXPECT_EQ(all.size(), after);  // offsets 1..after, each issued once
}

TEST_F(RocksdbEngineTest, TooLittleFreeDiskRefusesBeforeAnythingBreaks) {
  config_.min_free_disk = ByteSize{~0ULL >> 1};
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  const auto refused = driver().Append({Part(1, {"a"})});
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("disk full"), std::string::npos);
}

TEST_F(RocksdbEngineTest, ACorruptBlockIsReportedWithItsPositionAndNeverServed) {
  config_.tail_cache = ByteSize{0};
  Open();
  ASSERT_TRUE(engine_->CreatePartition(3, 4).ok());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(driver().Append({Part(3, {Noise(20000)})}).ok());
  engine_.reset();
  EXPECT_TRUE(VerifyLog(dir_.path(), nullptr)->faults.empty());
  std::filesystem::path largest;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    if (entry.path().extension() == ".sst" &&
        (largest.empty() || entry.file_size() > std::filesystem::file_size(largest)))
      largest = entry.path();
  }
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100000);
    file.write("CORRUPTION", 10);
  }
  const Result<VerifyReport> report = VerifyLog(dir_.path(), nullptr);
  ASSERT_TRUE(report.ok()) << report.error().message();
  ASSERT_FALSE(report->faults.empty());
  EXPECT_NE(report->faults[0].find("partition 3"), std::string::npos) << report->faults[0];
  Open();
  bool reported = false;
  for (Offset from = 0; from < 41;) {
    const auto read = driver().Read(3, from, ReadLimits{1, 1});
    if (!read.ok()) {
      EXPECT_EQ(read.error().code(), ErrorCode::kCorrupt);
      EXPECT_NE(read.error().message().find("group 4, segment"), std::string::npos) << read.error().message();
      reported = true;
      ++from;
      continue;
    }
    ASSERT_EQ(read->records.size(), 1u);
    EXPECT_EQ(read->records[0].data.view().find("CORRUPTION"), std::string::npos);
    from = std::max(from + 1, read->next);
  }
  EXPECT_TRUE(reported);
}

TEST_F(RocksdbEngineTest, RetentionByTimeAndBytesDropsWholeFilesAndNothingIsEverRenumbered) {
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  ASSERT_TRUE(engine_->CreatePartition(2, 1).ok());
  ASSERT_TRUE(driver().Append({Part(2, {"idle since"})}).ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(driver().Append({Part(1, {Noise(50000)})}).ok());
    clock_.Advance(std::chrono::minutes(1));
  }
  // The flushes run in the background: wait until most of the data lies in files.
  ASSERT_TRUE(Eventually([&] { return DiskBytes() > 4'000'000; })) << DiskBytes();
  const PartitionBounds before = engine_->Bounds(1).value();
  const auto by_time = engine_->EnforceRetention(1, clock_.Now() - std::chrono::minutes(50), std::nullopt);
  ASSERT_TRUE(by_time.ok()) << by_time.error().message();
  EXPECT_GT(by_time->segments_dropped, 3u);
  EXPECT_TRUE(Eventually([&] { return DiskBytes() < 3'400'000; })) << DiskBytes();
  const PartitionBounds after = engine_->Bounds(1).value();
  EXPECT_GT(after.first, before.first + 30);
  EXPECT_LE(after.first, before.first + 51);
  EXPECT_EQ(after.next, before.next);
  const auto by_bytes = engine_->EnforceRetention(1, Timestamp(), 1'000'000);
  EXPECT_GT(by_bytes->segments_dropped, 3u);
  EXPECT_LE(engine_->Usage(1)->stored_bytes, 1'300'000u);
  EXPECT_EQ(driver().Read(1, 0)->records.at(0).offset, engine_->Bounds(1)->first);
  // Partition 2 lost its only record to retention: its numbers go on all the same, also after a restart.
  const Offset idle_next = engine_->Bounds(2)->next;
  EXPECT_EQ(engine_->Bounds(2)->first, idle_next);
  Open();
  EXPECT_EQ(engine_->Bounds(2)->next, idle_next);
  EXPECT_EQ((*driver().Append({Part(2, {"again"})}))[0].first, idle_next);
}

TEST_F(RocksdbEngineTest, RetentionAndTheMovingOfFilesDoNotMeet) {
  config_.segment_bytes = ByteSize::KiB(1);
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  std::atomic<bool> done{false};
  std::thread retention([&] {
    while (!done) {
      const auto report = engine_->EnforceRetention(1, clock_.Now() + std::chrono::hours(1), std::nullopt);
      EXPECT_TRUE(report.ok()) << report.error().message();
      if (!report.ok()) break;
    }
  });
  for (int i = 0; i < 150 && !HasFailure(); ++i) {
    const auto appended = driver().Append({Part(1, {Noise(2000)})});  // a segment, a file each
    EXPECT_TRUE(appended.ok()) << i << ": " << appended.error().message();
  }
  done = true;
  retention.join();
}

TEST_F(RocksdbEngineTest, AppendingNeverRewrites) {
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  ASSERT_TRUE(engine_->CreatePartition(2, 1).ok());
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(driver().Append({Part(1, {Noise(20000)}), Part(2, {Noise(20000)})}).ok());
  ASSERT_TRUE(Eventually([&] { return DiskBytes() > 7'000'000; })) << DiskBytes();
  const auto metric = [&](const char* name) { return metrics_.MakeGauge(name, "").Value(); };
  ASSERT_TRUE(Eventually([&] { return metric("honryu_log_rocksdb_flush_bytes") > 7'000'000; }));
  EXPECT_LT(metric("honryu_log_rocksdb_compaction_bytes"), 200'000) << "segments are being rewritten";
}

TEST_F(RocksdbEngineTest, WeakerDurabilityNeverIssuesAnOffsetTwice) {
  config_.durability = Durability::kNone;
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  const Offset first = (*driver().Append({Part(1, {"a"})}))[0].first;
  const TempDir copy;
  std::filesystem::copy(
      dir_.path(), copy.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(driver().Append({Part(1, {"lost with the power"})}).ok());
  // The copy is what a power cut may leave: a new run on it must not give the lost record's number to another
  // one.
  engine_.reset();
  config_.path = copy.path();
  Open();
  EXPECT_GT((*driver().Append({Part(1, {"b"})}))[0].first, first + 1);
}

TEST_F(RocksdbEngineTest, ManyWritersShareCommitsAndEachKeepsItsOrder) {
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  std::vector<std::thread> writers;
  for (int w = 0; w < 8; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 50; ++i)
        ASSERT_TRUE(driver().Append({Part(1, {std::to_string(w) + " " + std::to_string(i)})}).ok());
    });
  }
  for (std::thread& writer : writers) writer.join();
  std::map<int, int> last;
  const std::vector<std::string> all = driver().ReadAll(1);
  EXPECT_EQ(all.size(), 400u);
  for (const std::string& record : all) {
    const int w = std::stoi(record), i = std::stoi(record.substr(record.find(' ')));
    EXPECT_EQ(i, last.contains(w) ? last[w] + 1 : 0);
    last[w] = i;
  }
}

TEST_F(RocksdbEngineTest, MetaStoreComparesAndSetsAndSurvivesAReopening) {
  Open();
  MetaStore& meta = engine_->meta();
  ASSERT_TRUE(meta.Commit({{"a/1", "one", 0}, {"a/2", "two", 0}}).ok());
  const std::uint64_t version = meta.Get("a/1")->version;
  EXPECT_EQ(meta.Commit({{"a/1", "x", version + 1}, {"a/3", "three", 0}}).error().code(),
            ErrorCode::kConflict);
  EXPECT_EQ(meta.Get("a/3").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(meta.Commit({{"a/1", "uno", version}, {"a/2", std::nullopt, std::nullopt}}).ok());
  Open();
  EXPECT_EQ(engine_->meta().List("a/")->size(), 1u);
  EXPECT_EQ(engine_->meta().Get("a/1")->value, "uno");
  EXPECT_GT(engine_->meta().Get("a/1")->version, version);
}

}  // namespace
}  // namespace honryu::log
