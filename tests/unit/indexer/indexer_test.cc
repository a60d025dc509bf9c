#include "honryu/processors/indexer/indexer.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/kpl.h"
#include "honryu/search/logged_document.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace honryu::processors::indexer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kStart = 1'795'219'200'000;

class IndexerTest : public ::testing::Test {
 protected:
  IndexerTest() {
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    config_.refresh_interval = milliseconds(2);
    char name[] = "/tmp/honryu-indexer-XXXXXX";
    path_ = store_config_.path = ::mkdtemp(name);
    store_config_.refresh_interval = milliseconds(2);
    store_config_.flush_age = seconds(0);
    runtime_.BlockOn(client_.EnsureStream({}, "events", {})).value();
    OpenStore();
  }
  ~IndexerTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void OpenStore() {
    store_.reset();
    auto store = search::Store::Open(store_config_, clock_);
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    store_ = std::move(*store);
  }
  std::vector<client::PutPosition> Put(const std::string& stream, const std::string& key,
                                       const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({key, Bytes(data), std::nullopt});
    const auto put = runtime_.BlockOn(client_.Put({}, stream, std::move(entries)));
    EXPECT_TRUE(put.ok() && put->at(0).ok());
    return {put->at(0).value()};
  }
  std::vector<client::PutPosition> PutEvent(int n) {
    return Put(
        "events", std::to_string(n),
        R"({"event_id":"e)" + std::to_string(n) + R"(","message":"number )" + std::to_string(n) + "\"}");
  }
  std::unique_ptr<Indexer> Start() {
    EXPECT_TRUE(config_.Validate().ok());
    auto made = std::make_unique<Indexer>(config_, *store_, client_, runtime_, runtime_.executor(0), clock_,
                                          registry_);
    made->Start();
    return made;
  }
  void Stop(Indexer& indexer) {
    runtime_.BlockOn(indexer.Stop(std::chrono::steady_clock::now() + seconds(20)));
  }
  std::uint64_t Count(const std::string& index, const std::string& query = R"({"match_all":{}})") {
    const auto count = store_->Count(index, R"({"query":)" + query + "}", {true});
    return count.ok() ? *count : 0;
  }
  template <class F>
  static bool Await(F condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool HasCheckpoint(const std::string& stream) {
    const auto leases = runtime_.BlockOn(client_.ListLeases({}, "indexer-main", stream));
    for (const client::Lease& lease : leases.value())
      if (lease.checkpoint.has_value()) return true;
    return false;
  }

  ManualClock clock_{TimestampFromMs(kStart)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  IndexerConfig config_;
  search::StoreConfig store_config_;
  std::string path_;
  std::unique_ptr<search::Store> store_;
};

TEST_F(IndexerTest, EventsBecomeDocumentsUnderTheirIdsOnceEach) {
  auto indexer = Start();
  for (int n = 0; n < 20; ++n) PutEvent(n);
  PutEvent(3);
  Put("events", "k", "no JSON");
  const auto last = Put("events", "k", R"({"event_id":"last","message":"東京都"})");
  EXPECT_TRUE(
      runtime_.BlockOn(indexer->AwaitVisible(async::Context::WithTimeout(seconds(20)), "events", last, true))
          .ok());
  EXPECT_TRUE(Await([&] { return Count("events") == 21; }));
  EXPECT_EQ(Count("events", R"({"ids":{"values":["e3"]}})"), 1U);
  EXPECT_EQ(Count("events", R"({"match":{"message":"京都"}})"), 1U);
  EXPECT_TRUE(indexer->Ready().ok());
  Stop(*indexer);
  EXPECT_NE(registry_.Render().find("honryu_indexer_rejected_total{reason=\"refused\"} 1"),
            std::string::npos);
}

TEST_F(IndexerTest, RecordsAreOpenedAndWhatDoesNotOpenIsSetAside) {
  config_.id_field = "";  // ids by place: parts of one record must not be taken for each other
  const auto event = [](int n) { return "{\"n\":" + std::to_string(n) + "}"; };
  const auto gzip = [](std::string_view plain) {
    return codec::Compress(codec::Compression::kGzip, plain).value();
  };
  const std::string broken = gzip(event(99)).substr(0, 24);
  codec::KplAggregateWriter aggregate(~std::size_t{0});
  for (const std::string& data : {event(0), broken, gzip(event(1) + "\n" + event(2))})
    aggregate.Add({"k", std::nullopt, data});
  auto first = Start();
  Put("events", "k", aggregate.Finish());
  Put("events", "k", broken);
  Put("events", "k", "[" + event(3) + "," + event(4) + "]");
  Put("events", "k", event(5));
  EXPECT_TRUE(Await([&] { return Count("events") == 6; }));
  EXPECT_TRUE(first->Ready().ok());
  EXPECT_EQ(client_.Records("indexer-main-dead-letters").size(), 2U);
  for (int n = 0; n < 6; ++n)
    EXPECT_EQ(Count("events", R"({"term":{"n":)" + std::to_string(n) + "}}"), 1U) << n;
  Stop(*first);
  first.reset();
  // Read again from the log they are opened again, into the same documents.
  store_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/segments"))
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
  OpenStore();
  EXPECT_LT(Count("events"), 6U);
  auto second = Start();
  EXPECT_TRUE(Await([&] { return Count("events") == 6 && store_->Lost().empty(); }));
  Stop(*second);
}

TEST_F(IndexerTest, DocumentsNameTheirIndexAndAreReplacedAndDeleted) {
  auto indexer = Start();
  EXPECT_TRUE(Await([&] { return runtime_.BlockOn(client_.ListShards({}, "documents")).ok(); }));
  const auto write = [&](search::WriteKind kind, const std::string& id, const std::string& source) {
    search::LoggedDocument document;
    document.index = "logs";
    document.id = id;
    document.kind = kind;
    document.source = source;
    const auto at = Put("documents", id, search::EncodeLoggedDocument(document));
    EXPECT_TRUE(
        runtime_
            .BlockOn(indexer->AwaitVisible(async::Context::WithTimeout(seconds(20)), "documents", at, false))
            .ok());
  };
  write(search::WriteKind::kIndex, "a", R"({"v":1})");
  write(search::WriteKind::kIndex, "b", R"({"v":1})");
  EXPECT_EQ(Count("logs", R"({"term":{"v":1}})"), 2U);
  write(search::WriteKind::kIndex, "a", R"({"v":2})");
  EXPECT_EQ(Count("logs", R"({"term":{"v":1}})"), 1U);
  EXPECT_EQ(Count("logs", R"({"term":{"v":2}})"), 1U);
  write(search::WriteKind::kDelete, "b", "");
  EXPECT_EQ(Count("logs"), 1U);
  const auto bad = Put("documents", "x", R"({"_index":"logs"})");
  EXPECT_TRUE(
      runtime_
          .BlockOn(indexer->AwaitVisible(async::Context::WithTimeout(seconds(20)), "documents", bad, true))
          .ok());
  EXPECT_EQ(Count("logs"), 1U);
  Stop(*indexer);
  EXPECT_NE(registry_.Render().find("honryu_indexer_rejected_total{reason=\"malformed\"} 1"),
            std::string::npos);
}

TEST_F(IndexerTest, ACrashCostsAReplayFromTheCheckpointAndNothingTwice) {
  auto first = Start();
  for (int n = 0; n < 50; ++n) PutEvent(n);
  EXPECT_TRUE(Await([&] { return Count("events") == 50 && HasCheckpoint("events"); }));
  runtime_.BlockOn(first->Abandon());
  first.reset();  // its calls of the store have ended
  for (int n = 50; n < 60; ++n) PutEvent(n);
  OpenStore();
  EXPECT_LE(Count("events"), 50U);
  auto second = Start();
  EXPECT_TRUE(Await([&] { return Count("events") == 60; }));
  Stop(*second);
  EXPECT_EQ(Count("events"), 60U);
}

TEST_F(IndexerTest, AStoreThatWasDeletedIsFilledFromTheBeginning) {
  auto first = Start();
  for (int n = 0; n < 10; ++n) PutEvent(n);
  EXPECT_TRUE(Await([&] { return Count("events") == 10; }));
  Stop(*first);
  first.reset();
  EXPECT_TRUE(HasCheckpoint("events"));
  store_.reset();
  std::filesystem::remove_all(path_);
  OpenStore();
  auto second = Start();
  EXPECT_TRUE(Await([&] { return Count("events") == 10; }));
  Stop(*second);
}

TEST_F(IndexerTest, AStoreThatIsFilledAnewKnowsWhatWasErased) {
  auto first = Start();
  for (int n = 0; n < 10; ++n) PutEvent(n);
  EXPECT_TRUE(Await([&] { return Count("events") == 10; }));
  const auto erased = store_->Erase("events", R"({"query":{"match":{"message":"3"}}})");
  ASSERT_TRUE(erased.ok());
  EXPECT_EQ(erased->documents, 1U);
  Put("erasures", "any", erased->record);
  Put("erasures", "any", "no erasure");
  PutEvent(10);
  EXPECT_TRUE(Await([&] { return Count("events") == 10; }));
  Stop(*first);
  first.reset();
  store_.reset();
  std::filesystem::remove_all(path_);
  OpenStore();
  auto second = Start();
  // As long as it is being filled the erased one is not there for a moment.
  std::uint64_t seen = 0;
  EXPECT_TRUE(Await([&] {
    seen += Count("events", R"({"ids":{"values":["e3"]}})");
    return Count("events") == 10;
  }));
  EXPECT_EQ(seen, 0U);
  EXPECT_EQ(Count("events", R"({"ids":{"values":["e10"]}})"), 1U);
  Stop(*second);
}

TEST_F(IndexerTest, ErasuresReachEveryCopyOfTheStore) {
  auto indexer = Start();
  for (int n = 0; n < 10; ++n) PutEvent(n);
  EXPECT_TRUE(Await([&] { return Count("events") == 10; }));
  // As another copy has it that had read as far as this one.
  std::string positions;
  const auto of_here = store_->Erase("events", R"({"query":{"ids":{"values":["none"]}}})").value();
  for (const auto& shard : of_here.shards)
    positions += (positions.empty() ? "\"" : ",\"") + shard + "\":\"1000000\"";
  Put("erasures", "any",
      R"({"id":"of-another","at":0,"indices":["events"],"body":"{\"query\":{\"ids\":{\"values\":[\"e1\"]}}}","positions":{)" +
          positions + "}}");
  EXPECT_TRUE(Await([&] { return Count("events") == 9; }));
  EXPECT_EQ(Count("events", R"({"ids":{"values":["e1"]}})"), 0U);
  Stop(*indexer);
}

TEST_F(IndexerTest, ACorruptSegmentIsRebuiltFromTheLog) {
  auto first = Start();
  for (int n = 0; n < 30; ++n) PutEvent(n);
  EXPECT_TRUE(Await([&] { return Count("events") == 30; }));
  Stop(*first);
  first.reset();
  store_.reset();
  bool broken = false;
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/segments")) {
    std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) / 2);
    broken = true;
  }
  ASSERT_TRUE(broken);
  OpenStore();
  EXPECT_LT(Count("events"), 30U);
  EXPECT_FALSE(store_->Lost().empty());
  // What is erased while a segment that holds it waits to be rebuilt does not come back with it.
  const auto erased = store_->Erase("events", R"({"query":{"ids":{"values":["e7"]}}})");
  ASSERT_TRUE(erased.ok());
  EXPECT_GT(erased->quarantined_segments, 0U);
  auto second = Start();
  EXPECT_TRUE(Await([&] { return Count("events") == 29 && store_->Lost().empty(); }));
  EXPECT_EQ(Count("events", R"({"ids":{"values":["e7"]}})"), 0U);
  Stop(*second);
}

TEST_F(IndexerTest, ARebuiltSegmentBringsBackNoDocumentThatWasReplacedOrDeletedSince) {
  runtime_.BlockOn(client_.EnsureStream({}, "documents", {})).value();
  const auto write = [&](search::WriteKind kind, const std::string& id, const std::string& source) {
    search::LoggedDocument document;
    document.index = "logs";
    document.id = id;
    document.kind = kind;
    document.source = source;
    return Put("documents", id, search::EncodeLoggedDocument(document));
  };
  auto first = Start();
  std::vector<client::PutPosition> last;
  for (const char* id : {"a", "b", "c"}) last = write(search::WriteKind::kIndex, id, R"({"v":1})");
  EXPECT_TRUE(Await([&] { return Count("logs") == 3; }));
  Stop(*first);
  first.reset();
  store_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/segments"))
    std::filesystem::resize_file(entry.path(), 10);
  OpenStore();
  write(search::WriteKind::kIndex, "a", R"({"v":2})");
  write(search::WriteKind::kDelete, "b", "");
  auto second = Start();
  EXPECT_TRUE(Await([&] { return store_->Lost().empty() && Count("logs") == 2; }));
  EXPECT_EQ(Count("logs", R"({"term":{"v":2}})"), 1U);
  EXPECT_EQ(Count("logs", R"({"ids":{"values":["b"]}})"), 0U);
  EXPECT_EQ(Count("logs", R"({"ids":{"values":["c"]}})"), 1U);
  Stop(*second);
}

TEST_F(IndexerTest, WaitsOnlyAsLongAsItIsTold) {
  auto indexer = Start();
  auto at = PutEvent(1);
  at[0].sequence.words[2] += 1000;  // a record that will never come
  const auto waited = runtime_.BlockOn(
      indexer->AwaitVisible(async::Context::WithTimeout(milliseconds(5)), "events", at, false));
  ASSERT_FALSE(waited.ok());
  EXPECT_EQ(waited.error().code(), ErrorCode::kDeadlineExceeded);
  Stop(*indexer);
}

TEST(IndexerConfig, NamesItsFaults) {
  IndexerConfig config;
  EXPECT_TRUE(config.Validate().ok());
  config.streams = {"a", "a:b"};
  EXPECT_EQ(config.Validate().error().message(), "indexer: streams: a stands twice");
  config.streams = {"documents"};
  EXPECT_EQ(config.Validate().error().message(), "indexer: streams: documents is the document_stream");
  config.streams = {"a:"};
  EXPECT_FALSE(config.Validate().ok());
  config.streams = {};
  config.document_stream = "";
  EXPECT_FALSE(config.Validate().ok());
}

}  // namespace
}  // namespace honryu::processors::indexer
