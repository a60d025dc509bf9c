#include "honryu/log/encryption.h"

#include "src/log/format.h"
#include "tests/support/log_engine_fixture.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace honryu::log {
namespace {

std::shared_ptr<const KeyRing> Ring(std::vector<EncryptionKey> keys) {
  Result<std::shared_ptr<const KeyRing>> ring = KeyRing::Make(std::move(keys));
  EXPECT_TRUE(ring.ok()) << ring.error().message();
  return *ring;
}
const EncryptionKey kFirst{"alias/first", std::string(32, 'a')};
const EncryptionKey kSecond{"alias/second", std::string(32, 'b')};

TEST(KeyRing, RefusesKeysThatAreNoKeys) {
  EXPECT_FALSE(KeyRing::Make({{"", std::string(32, 'a')}}).ok());
  EXPECT_FALSE(KeyRing::Make({{"short", std::string(31, 'a')}}).ok());
  EXPECT_FALSE(KeyRing::Make({kFirst, {"alias/first", std::string(32, 'c')}}).ok());
  EXPECT_FALSE(KeyRing::Make({kFirst, {"alias/other", kFirst.secret}}).ok());
  EXPECT_EQ(Ring({kFirst, kSecond})->ids(), (std::vector<std::string>{"alias/first", "alias/second"}));
  EXPECT_EQ(Ring({kFirst})->MakeSealer("alias/second"), nullptr);
}

TEST(KeyRing, OpensWhatWasSealedAndNothingElse) {
  const auto ring = Ring({kFirst, kSecond});
  const auto sealer = ring->MakeSealer("alias/first");
  const std::string sealed = sealer->Seal("header", "the body");
  EXPECT_EQ(sealed.size(), 8 + Sealer::Overhead());
  EXPECT_EQ(sealed.find("body"), std::string::npos);
  EXPECT_EQ(ring->Open("header", sealed).value(), "the body");
  // Under another name, beside others: the secret counts.
  EXPECT_EQ(Ring({kSecond, {"renamed", kFirst.secret}})->Open("header", sealed).value(), "the body");
  EXPECT_EQ(Ring({kSecond})->Open("header", sealed).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(ring->Open("Header", sealed).error().code(), ErrorCode::kCorrupt);
  for (std::size_t byte = 8; byte < sealed.size(); ++byte) {  // behind the secret's fingerprint
    std::string bad = sealed;
    bad[byte] = static_cast<char>(bad[byte] ^ 1);
    ASSERT_EQ(ring->Open("header", bad).error().code(), ErrorCode::kCorrupt) << byte;
  }
  for (std::size_t size = 0; size < Sealer::Overhead(); ++size)
    ASSERT_EQ(ring->Open("header", sealed.substr(0, size)).error().code(), ErrorCode::kCorrupt);
}

TEST(Sealer, NeverUsesANonceTwice) {
  const auto ring = Ring({kFirst});
  std::set<std::string> prefixes;  // fingerprint, salt, counter
  for (int writer = 0; writer < 4; ++writer) {
    const auto sealer = ring->MakeSealer("alias/first");
    for (int i = 0; i < 4; ++i) prefixes.insert(sealer->Seal("", "same").substr(0, 32));
  }
  EXPECT_EQ(prefixes.size(), 16u);
}

TEST(LogFormat, SealedUnitsNeedAReaderThatKnowsOfThem) {
  BatchHeader header;
  header.unit_count = header.record_count = 1;
  EXPECT_EQ(EncodeBatchHeader(header).substr(0, 2), std::string("\1\1"));
  header.sealed = true;
  EXPECT_EQ(EncodeBatchHeader(header).substr(0, 2), std::string("\2\2"));
  EXPECT_TRUE(DecodeBatchHeader(EncodeBatchHeader(header))->sealed);
}

class EncryptedLog : public ::testing::Test {
 protected:
  void Open(std::shared_ptr<const KeyRing> keys) {
    engine_.reset();
    RocksdbEngineConfig config;
    config.path = dir_.path();
    config.min_free_disk = ByteSize{0};
    config.keys = std::move(keys);
    auto opened = RocksdbEngine::Open(config, clock_, runtime_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    engine_ = std::move(*opened);
  }
  EngineDriver driver() { return EngineDriver{runtime_, *engine_}; }
  static AppendPart Sealed(PartitionId partition, const std::string& record,
                           const std::shared_ptr<Sealer>& sealer) {
    RecordBuilder builder(codec::Compression::kLz4, sealer);
    builder.AddRecord(record);
    AppendPart part;
    part.partition = partition;
    part.records = builder.Finish();
    return part;
  }
  bool OnDisk(const std::string& text) const {
    for (const auto& file : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (!file.is_regular_file()) continue;
      std::ifstream in(file.path(), std::ios::binary);
      const std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      if (all.find(text) != std::string::npos) return true;
    }
    return false;
  }

  TempDir dir_;
  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  std::unique_ptr<RocksdbEngine> engine_;
};

TEST_F(EncryptedLog, IsReadWithItsKeysOnlyAndLeavesNoPlainTextOnDisk) {
  const auto both = Ring({kFirst, kSecond});
  Open(both);
  ASSERT_TRUE(engine_->CreatePartition(1, 7).ok());
  ASSERT_TRUE(driver().Append({Part(1, {"in the open"})}).ok());
  ASSERT_TRUE(driver().Append({Sealed(1, "a first secret", both->MakeSealer("alias/first"))}).ok());
  ASSERT_TRUE(driver().Append({Sealed(1, "a second secret", both->MakeSealer("alias/second"))}).ok());
  const std::vector<std::string> all = {"in the open", "a first secret", "a second secret"};
  EXPECT_EQ(driver().ReadAll(1), all);  // from memory
  const auto read = driver().Read(1, 0);
  EXPECT_FALSE(read->records[0].sealed);
  EXPECT_TRUE(read->records[2].sealed);
  ASSERT_TRUE(engine_->Close().ok());
  Open(both);
  EXPECT_EQ(driver().ReadAll(1), all);  // from disk
  ASSERT_TRUE(engine_->Close().ok());
  EXPECT_TRUE(OnDisk("in the open"));
  EXPECT_FALSE(OnDisk("first secret"));
  EXPECT_FALSE(OnDisk("second secret"));

  const Result<VerifyReport> report = VerifyLog(dir_.path(), nullptr);  // needs no keys
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->faults.empty());
  EXPECT_EQ(report->records, 3u);
  EXPECT_EQ(report->sealed_records, 2u);

  // With one of two keys: what stands before is read, then the missing key is named; nothing is "corrupt".
  Open(Ring({kFirst}));
  const auto partly = driver().Read(1, 0);
  ASSERT_TRUE(partly.ok());
  EXPECT_EQ(partly->records.size(), 2u);
  EXPECT_EQ(driver().Read(1, partly->next).error().code(), ErrorCode::kUnavailable);
  ASSERT_TRUE(engine_->Close().ok());
  Open(nullptr);
  EXPECT_EQ(driver().Read(1, 0)->records.size(), 1u);
  EXPECT_EQ(driver().Read(1, driver().Read(1, 0)->next).error().code(), ErrorCode::kUnavailable);
  ASSERT_TRUE(engine_->Close().ok());
  Open(both);  // the keys are back, and nothing was lost
  EXPECT_EQ(driver().ReadAll(1), all);
  ASSERT_TRUE(engine_->Close().ok());
}

}  // namespace
}  // namespace honryu::log
