// Storage that fails, lies or has been damaged.
#include "tests/unit/log/rocksdb_fixture.h"

#include <algorithm>
#include <fstream>
#include <vector>

namespace honryu::log {
namespace {

class RocksdbDamageTest : public RocksdbEngineTest {
 protected:
  /// The files of a suffix, largest first.
  std::vector<std::filesystem::path> Files(const std::string& suffix) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(config_.path)) {
      if (entry.path().extension() == suffix) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return std::filesystem::file_size(a) > std::filesystem::file_size(b);
    });
    return found;
  }
  static void Overwrite(const std::filesystem::path& path, std::uint64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write("CORRUPTION", 10);
  }
  /// Goes on with a copy of the folder as it is now: what kill -9 leaves.
  void Crash() {
    std::filesystem::copy(
        config_.path, crashed_.path(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
    engine_.reset();
    config_.path = crashed_.path();
  }
  Result<Offset> FindByTime(Timestamp time) {
    return runtime_.BlockOn(
        engine_->FindByTime(async::Context::WithTimeout(std::chrono::seconds(20)), 1, time));
  }

  TempDir crashed_;
};

TEST_F(RocksdbDamageTest, APowerCutLeavesEveryAcknowledgedRecord) {
  kv::FaultFileSystem faults;
  Open(faults.handle());
  std::vector<std::string> acknowledged;
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) {
      acknowledged.push_back(std::to_string(round) + " " + std::to_string(i) + Noise(10000));
      ASSERT_TRUE(driver().Append({Part(1, {acknowledged.back()})}).ok());
    }
    ASSERT_TRUE(engine_->meta().Commit({{"round", std::to_string(round), std::nullopt}}).ok());
    faults.FailSyncs(true);
    EXPECT_FALSE(driver().Append({Part(1, {"not acknowledged"})}).ok());
    faults.FailWritesWithNoSpace(true);
    engine_.reset();
    faults.DropUnsynced();
    faults.FailSyncs(false);
    faults.FailWritesWithNoSpace(false);
    Open(faults.handle());
    EXPECT_EQ(driver().ReadAll(1), acknowledged);
    EXPECT_EQ(engine_->meta().Get("round")->value, std::to_string(round));
  }
}

TEST_F(RocksdbDamageTest, ATimeInAGapOfOffsetsIsFound) {
  config_.durability = Durability::kNone;  // each unclean start leaves a gap
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(driver().Append({Part(1, {"a"})}).ok());
    clock_.Advance(std::chrono::minutes(1));
  }
  Crash();
  Open();
  clock_.Advance(std::chrono::hours(1));
  const Offset after_gap = (*driver().Append({Part(1, {"b"})}))[0].first;
  EXPECT_GT(after_gap, 1000U);
  const Result<Offset> found = FindByTime(clock_.Now() - std::chrono::minutes(30));
  ASSERT_TRUE(found.ok()) << found.error().message();
  const auto read = driver().Read(1, *found);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->records.at(0).offset, after_gap);
}

TEST_F(RocksdbDamageTest, ADamagedWriteAheadLogIsReportedKeptAndItsOffsetsAreNotGivenAgain) {
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  Offset last = 0;
  for (int i = 0; i < 10; ++i) last = (*driver().Append({Part(1, {Noise(1000)})}))[0].last;
  Crash();
  const std::filesystem::path wal = Files(".log").at(0);
  Overwrite(wal, std::filesystem::file_size(wal) / 2);
  const double before = metrics_.MakeCounter("honryu_log_corrupt_total", "").Value();
  Open();
  EXPECT_EQ(metrics_.MakeCounter("honryu_log_corrupt_total", "").Value(), before + 1);
  const std::size_t left = driver().ReadAll(1).size();
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 10U);
  EXPECT_GT((*driver().Append({Part(1, {"new"})}))[0].first, last);
  bool kept = false;
  for (const auto& entry : std::filesystem::directory_iterator(config_.path))
    kept = kept || entry.path().filename().string().starts_with("damaged-wal-");
  EXPECT_TRUE(kept);
  // Only once: the next start finds nothing wrong.
  Open();
  EXPECT_EQ(metrics_.MakeCounter("honryu_log_corrupt_total", "").Value(), before + 1);
  EXPECT_EQ(driver().ReadAll(1).size(), left + 1);
}

TEST_F(RocksdbDamageTest, AWriteCutShortByACrashIsNoDamage) {
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(driver().Append({Part(1, {Noise(1000)})}).ok());
  Crash();
  const std::filesystem::path wal = Files(".log").at(0);
  std::filesystem::resize_file(wal, std::filesystem::file_size(wal) - 300);
  const double before = metrics_.MakeCounter("honryu_log_corrupt_total", "").Value();
  Open();
  EXPECT_EQ(metrics_.MakeCounter("honryu_log_corrupt_total", "").Value(), before);
  EXPECT_EQ(driver().ReadAll(1).size(), 9U);
}

TEST_F(RocksdbDamageTest, ADamagedEndOfOnePartitionStopsNothingElse) {
  config_.tail_cache = ByteSize{0};
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  ASSERT_TRUE(engine_->CreatePartition(2, 2).ok());
  Offset last = 0;
  for (int i = 0; i < 3; ++i) last = (*driver().Append({Part(1, {Noise(100000)})}))[0].last;
  ASSERT_TRUE(driver().Append({Part(2, {"whole"})}).ok());
  engine_.reset();
  // The end of the file's data: the last block holds the last batch.
  const std::filesystem::path file = Files(".sst").at(0);
  Overwrite(file, std::filesystem::file_size(file) - 20000);
  Open();
  EXPECT_EQ(driver().ReadAll(2), (std::vector<std::string>{"whole"}));
  const auto appended = driver().Append({Part(1, {"on"})});
  ASSERT_TRUE(appended.ok()) << appended.error().message();
  EXPECT_GT((*appended)[0].first, last);
  EXPECT_EQ(driver().Read(1, (*appended)[0].first)->records.at(0).data.view(), "on");
}

TEST_F(RocksdbDamageTest, AFailedMetaCommitIsUndoneAndStartsRecoveryByItself) {
  kv::FaultFileSystem faults;
  Open(faults.handle());
  ASSERT_TRUE(engine_->meta().Commit({{"stream", "ACTIVE", 0}}).ok());
  // The write reaches the write-ahead log, its fsync fails: on disk it may well be.
  faults.FailSyncs(true);
  EXPECT_EQ(engine_->meta().Commit({{"stream", "DELETING", std::nullopt}}).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(engine_->meta().Get("stream")->value, "ACTIVE");
  EXPECT_FALSE(engine_->Writable().ok());
  faults.FailSyncs(false);
  ASSERT_TRUE(Eventually([&] { return engine_->Writable().ok(); }));
  ASSERT_TRUE(engine_->meta().Commit({{"other", "1", 0}}).ok());
  Open(faults.handle());
  EXPECT_EQ(engine_->meta().Get("stream")->value, "ACTIVE");
}

TEST_F(RocksdbDamageTest, AReopeningThatFailsMidwayTakesNothingFromReaders) {
  config_.tail_cache = ByteSize{0};
  kv::FaultFileSystem faults;
  Open(faults.handle());
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  std::vector<std::string> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(Noise(1000));
    ASSERT_TRUE(driver().Append({Part(1, {all.back()})}).ok());
  }
  Open(faults.handle());  // brings the index of segments into a file
  const std::vector<std::filesystem::path> tables = Files(".sst");
  const auto index = std::find_if(tables.begin(), tables.end(), [](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find("nameindex") != std::string::npos;  // its properties: column family name
  });
  ASSERT_NE(index, tables.end());
  const std::filesystem::path whole = *index, copy = crashed_.path() + "/index";
  std::filesystem::copy_file(whole, copy);
  faults.FailSyncs(true);
  EXPECT_FALSE(driver().Append({Part(1, {"not acknowledged"})}).ok());
  Overwrite(whole, 4);  // it opens, but its rows cannot be read
  faults.FailSyncs(false);
  int refused = 0, served = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < until) {
    const Result<ReadOutcome> read = driver().Read(1, 1);
    ++(read.ok() ? served : refused);
    if (!read.ok()) continue;
    ASSERT_FALSE(read->records.empty()) << "readers go on behind " << read->next;
    ASSERT_EQ(read->records.at(0).data.view(), all[0]);
  }
  EXPECT_GT(served, 0);
  EXPECT_GT(refused, 0) << "it was not reopened";
  EXPECT_FALSE(engine_->Writable().ok());
  std::filesystem::copy_file(copy, whole, std::filesystem::copy_options::overwrite_existing);
  ASSERT_TRUE(Eventually([&] { return engine_->Writable().ok(); }));
  std::vector<std::string> read = driver().ReadAll(1);
  read.resize(std::min(read.size(), all.size()));  // the last may be there or not
  EXPECT_EQ(read, all);
}

TEST_F(RocksdbDamageTest, AStopWhileTheDiskIsFullEndsInOrder) {
  kv::FaultFileSystem faults;
  for (const bool by_meta : {true, false}) {
    Open(faults.handle());
    ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
    ASSERT_TRUE(driver().Append({Part(1, {"kept"})}).ok());
    faults.FailWritesWithNoSpace(true);
    if (by_meta) {
      EXPECT_FALSE(engine_->meta().Commit({{"a", "b", std::nullopt}}).ok());
    } else {
      EXPECT_FALSE(driver().Append({Part(1, {"lost"})}).ok());
    }
    EXPECT_FALSE(engine_->Close().ok());
    faults.FailWritesWithNoSpace(false);
  }
  Open(faults.handle());
  EXPECT_EQ(driver().ReadAll(1), (std::vector<std::string>{"kept", "kept"}));
}

TEST_F(RocksdbDamageTest, AFailedClaimOfAPartitionDoesNotLockItsWriterOut) {
  kv::FaultFileSystem faults;
  Open(faults.handle());
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  const WriterEpoch epoch = engine_->AcquireWriter(1).value();
  faults.FailSyncs(true);
  EXPECT_FALSE(engine_->AcquireWriter(1).ok());
  faults.FailSyncs(false);
  ASSERT_TRUE(Eventually([&] { return engine_->Writable().ok(); }));
  EXPECT_TRUE(driver().Append({Part(1, {"a"}, epoch)}).ok());
}

TEST_F(RocksdbDamageTest, RetentionDeletesALoneFileAndItsNumberIsNotUsedAgain) {
  config_.segment_age = std::chrono::seconds(1);
  Open();
  ASSERT_TRUE(engine_->CreatePartition(1, 1).ok());
  const Offset last = (*driver().Append({Part(1, {Noise(100000)})}))[0].last;
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(Eventually([&] { return DiskBytes() > 100'000; })) << DiskBytes();
  const auto dropped = engine_->EnforceRetention(1, clock_.Now(), std::nullopt);
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(dropped->segments_dropped, 1U);
  EXPECT_TRUE(Eventually([&] {
    return engine_->EnforceRetention(1, clock_.Now(), std::nullopt).ok() && DiskBytes() < 50'000;
  })) << DiskBytes();
  Open();
  EXPECT_EQ((*driver().Append({Part(1, {"next"})}))[0].first, last + 1);
  Open();
  EXPECT_EQ(driver().ReadAll(1), (std::vector<std::string>{"next"}));
  engine_.reset();
  EXPECT_TRUE(VerifyLog(dir_.path(), nullptr)->faults.empty());
}

}  // namespace
}  // namespace honryu::log
