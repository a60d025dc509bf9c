#include "honryu/codec/json.h"
#include "honryu/search/api_error.h"
#include "store_fixture.h"

#include <atomic>
#include <thread>

namespace honryu::search {
namespace {

using codec::Json;

TEST_F(StoreTest, EventsAreFoundAfterARefreshAndStayAfterAFlush) {
  EXPECT_EQ(Add(1, 100).added, 100u);
  EXPECT_EQ(Count(), 0u);
  EXPECT_EQ(store_->Statistics().waiting, 100u);
  ASSERT_TRUE(store_->Refresh().ok());
  EXPECT_EQ(Count(), 100u);
  EXPECT_EQ(store_->Position("s"), std::nullopt);  // not on disk yet
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(store_->Position("s"), 100u);
  EXPECT_EQ(Files("segments"), 1u);
  Reopen();
  EXPECT_EQ(Count(), 100u);
  EXPECT_EQ(Count("events", R"({"match":{"message":"alice"}})"), 50u);
  const auto answer =
      store_->Search("events", R"({"size":1,"sort":[{"time":"desc"}],"query":{"term":{"n":7}}})");
  ASSERT_TRUE(answer.ok());
  EXPECT_NE(answer->find(R"("_id":"s:7")"), std::string::npos) << *answer;
}

TEST_F(StoreTest, ACrashCostsOnlyAReplayAndAReplayNeverDuplicates) {
  Add(1, 50);
  ASSERT_TRUE(store_->Flush().ok());
  Add(51, 80);
  ASSERT_TRUE(store_->Refresh().ok());
  Reopen();
  EXPECT_EQ(Count(), 50u);
  EXPECT_EQ(store_->Position("s"), 50u);
  const auto replay = Add(31, 90);  // from before the position, and further than before
  EXPECT_EQ(replay.duplicates, 20u);
  EXPECT_EQ(replay.added, 40u);
  const auto again = Add(81, 90);
  EXPECT_EQ(again.duplicates, 10u);
  ASSERT_TRUE(store_->Flush().ok());
  Reopen();
  EXPECT_EQ(Count(), 90u);
  for (std::uint64_t n = 1; n <= 90; ++n)
    ASSERT_EQ(Count("events", R"({"term":{"n":)" + std::to_string(n) + "}}"), 1u) << n;
}

TEST_F(StoreTest, FilesThatNoCommitNamesGo) {
  Add(1, 3);
  ASSERT_TRUE(store_->Flush().ok());
  store_.reset();
  std::ofstream(path_ + "/segments/999.seg") << "written, then the crash came";
  std::ofstream(path_ + "/segments/1000.seg.tmp") << "half";
  Reopen();
  EXPECT_EQ(Files("segments"), 1u);
  EXPECT_EQ(Count(), 3u);
}

TEST_F(StoreTest, SmallSegmentsAreMergedWithinTheirShareOfWriting) {
  for (std::uint64_t round = 0; round < 16; ++round) {
    Add(round * 10 + 1, round * 10 + 10);
    ASSERT_TRUE(store_->Flush().ok());
  }
  EXPECT_EQ(Files("segments"), 16u);
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Files("segments"), 9u);
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Files("segments"), 9u);  // the next one waits for its share
  clock_.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Files("segments"), 2u);
  EXPECT_EQ(store_->Statistics().merges, 2u);
  EXPECT_EQ(Count(), 160u);
  Reopen();
  EXPECT_EQ(Count(), 160u);
  EXPECT_EQ(Count("events", R"({"match_phrase":{"message":"number 77 of bob"}})"), 1u);
}

TEST_F(StoreTest, MaintainRefreshesFlushesByAgeAndDropsWholeDays) {
  Add(1, 5, "events", "s", kNow);
  Add(6, 9, "events", "s", kNow - 3 * kDayMs);
  EXPECT_EQ(store_->Maintain().value(), config_.refresh_interval);
  EXPECT_EQ(Count(), 9u);
  EXPECT_EQ(Files("segments"), 0u);
  clock_.Advance(config_.flush_age);
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Files("segments"), 2u);  // a file a day
  clock_.Advance(std::chrono::hours(24 * 4));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count(), 9u);
  clock_.Advance(std::chrono::hours(24));  // the day of 6 to 9 lies wholly beyond seven days now
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count(), 5u);
  EXPECT_EQ(Files("segments"), 1u);
  Reopen();
  EXPECT_EQ(Count(), 5u);
}

TEST_F(StoreTest, IndicesMayHaveTheirOwnRetention) {
  store_->SetRetention("short", std::chrono::hours(48));
  store_->SetRetention("always", Duration{0});
  Add(1, 4, "short", "a");
  Add(1, 4, "always", "b");
  Add(1, 4, "events", "c");
  ASSERT_TRUE(store_->Flush().ok());
  clock_.Advance(std::chrono::hours(24 * 4));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("short"), 0u);
  EXPECT_EQ(Count("events"), 4u);
  clock_.Advance(std::chrono::hours(24 * 10));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("events"), 0u);
  EXPECT_EQ(Count("always"), 4u);
  store_->SetRetention("always", std::nullopt);
  clock_.Advance(std::chrono::minutes(2));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("always"), 0u);
}

TEST_F(StoreTest, MergingWritesNoMoreThanItsShareOfTheDisk) {
  config_.merge_bytes_per_second = 20'000;
  Reopen();
  constexpr std::uint64_t kEach = 60;
  std::uint64_t next = 1, worst = 0, before = 0;
  const auto begin = clock_.Mono();
  for (int second = 0; second < 400; ++second) {
    if (second < 160) {
      Add(next, next + kEach - 1);
      next += kEach;
      ASSERT_TRUE(store_->Flush().ok());
    }
    ASSERT_TRUE(store_->Maintain().ok());
    const auto statistics = store_->Statistics();
    worst = std::max(worst, statistics.merged_bytes - before);
    before = statistics.merged_bytes;
    clock_.Advance(std::chrono::seconds(1));
    // The share since the beginning, and the one merge that is ahead of it: the next one waits for it.
    const auto seconds = static_cast<std::uint64_t>((clock_.Mono() - begin) / std::chrono::seconds(1));
    ASSERT_LE(statistics.merged_bytes, seconds * config_.merge_bytes_per_second + worst) << second;
  }
  // It was the share that held it back: there was more to be merged than that in the meantime.
  EXPECT_GT(worst, config_.merge_bytes_per_second * 2);
  EXPECT_GE(store_->Statistics().merges, 160 / 8u);
  EXPECT_LT(Files("segments"), 24u);
  EXPECT_EQ(Count(), 160 * kEach);
}

TEST_F(StoreTest, AnIndexMadeByEventsHasItsRetentionFromTheFirstOneOn) {
  store_->SetNewIndex([](std::string_view index) {
    return NewIndex{
        R"({"properties":{"n":{"type":"keyword"}}})",
        index.starts_with("short") ? std::optional<Duration>(std::chrono::hours(48)) : std::nullopt};
  });
  // Of four days ago: beyond two days they count as today's, or the first upkeep would drop them.
  Add(1, 4, "short-a", "a", kNow - 4 * kDayMs);
  Add(1, 4, "long", "b", kNow - 4 * kDayMs);
  Add(1, 4, "short-b", "c");
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("short-*"), 8u);
  clock_.Advance(std::chrono::hours(24 * 3));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("short-*"), 0u);
  EXPECT_EQ(Count("long"), 4u);
  // One that is made anew begins anew.
  ASSERT_TRUE(store_->DropIndex("short-b").ok());
  store_->SetNewIndex(nullptr);
  Add(5, 8, "short-b", "c", kNow + 3 * kDayMs);
  ASSERT_TRUE(store_->Flush().ok());
  clock_.Advance(std::chrono::hours(24 * 3));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count("short-b"), 4u);
}

TEST_F(StoreTest, EventsOfLongAgoAreKeptAsLongAsTodays) {
  Add(1, 4, "events", "s", kNow - 4000 * kDayMs);
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count(), 4u);
  clock_.Advance(std::chrono::hours(24 * 9));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Count(), 0u);
}

TEST_F(StoreTest, ACorruptSegmentIsSetAsideReportedAndRebuiltFromTheLog) {
  Add(1, 20);
  ASSERT_TRUE(store_->Flush().ok());
  Add(21, 30);
  ASSERT_TRUE(store_->Flush().ok());
  store_.reset();
  {
    std::fstream file(AnySegment(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300);
    file.put('\x7f');
  }
  Reopen();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store_->Maintain().ok());
  const auto lost = store_->Lost();
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].shard, "s");
  EXPECT_EQ(store_->Statistics().quarantined, 1u);
  EXPECT_EQ(Files("quarantine"), 1u);
  EXPECT_EQ(Count(), 30 - (lost[0].last - lost[0].first + 1));
  Reopen();  // it stays aside
  ASSERT_EQ(store_->Lost().size(), 1u);

  StoreBatch batch{"s", {}, 0};
  std::vector<std::string> sources;
  for (std::uint64_t n = 1; n <= 30; ++n) sources.push_back(R"({"n":)" + std::to_string(n) + "}");
  for (std::uint64_t n = 1; n <= 30; ++n)
    batch.documents.push_back({"events", n, 0, {}, sources[n - 1], kNow});
  const auto restored = store_->Restore(batch);
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(restored->added, lost[0].last - lost[0].first + 1);
  ASSERT_TRUE(store_->Restored(lost[0].segment).ok());
  EXPECT_TRUE(store_->Lost().empty());
  EXPECT_EQ(Files("quarantine"), 0u);
  Reopen();
  EXPECT_EQ(Count(), 30u);
}

TEST_F(StoreTest, AMissingOrTruncatedSegmentIsSetAsideWhenTheStoreOpens) {
  Add(1, 20);
  ASSERT_TRUE(store_->Flush().ok());
  store_.reset();
  std::filesystem::resize_file(AnySegment(), 100);
  Reopen();
  EXPECT_EQ(store_->Lost().size(), 1u);
  EXPECT_EQ(Count(), 0u);
}

TEST_F(StoreTest, ErasureReachesSegmentsAndMemoryAndProvesIt) {
  Add(1, 20);
  ASSERT_TRUE(store_->Flush().ok());
  Add(21, 40);
  Add(1, 4, "other", "t");
  const auto receipt = store_->Erase("events", R"({"query":{"match":{"message":"alice"}}})");
  ASSERT_TRUE(receipt.ok()) << receipt.error().ToString();
  EXPECT_EQ(receipt->documents, 20u);
  EXPECT_EQ(receipt->segments_rewritten, 2u);
  EXPECT_EQ(receipt->left, 0u);
  EXPECT_EQ(Count(), 20u);
  EXPECT_EQ(Count("other"), 4u);
  ASSERT_TRUE(store_->Erase("other", R"({"query":{"match_all":{}}})").ok());
  EXPECT_EQ(AllSegmentBytes().find("lice"), std::string::npos);
  EXPECT_EQ(receipt->quarantined_segments, 0u);
  EXPECT_FALSE(receipt->id.empty());
  Reopen();
  EXPECT_EQ(Count(), 20u);
  EXPECT_EQ(Add(1, 40).added, 0u);  // a replay does not bring them back
}

TEST_F(StoreTest, RefusesMoreThanItsMemoryHolds) {
  config_.max_memory_bytes = 10'000;
  Reopen();
  Add(1, 300);
  const std::string source = R"({"n":1})";
  const auto refused = store_->Add({"s", {{"events", 301, 0, {}, source, kNow}}, 301});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(ToApiError(refused.error()).status, 429);
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_TRUE(store_->Add({"s", {{"events", 301, 0, {}, source, kNow}}, 301}).ok());
}

TEST_F(StoreTest, RefusesWhatIsNoDocumentAndKeepsTheRest) {
  const auto result = store_->Add({"s",
                                   {{"events", 1, 0, {}, "[1]", kNow},
                                    {"events", 2, 0, {}, R"({"a":1)", kNow},
                                    {"Events", 3, 0, {}, "{}", kNow},
                                    {"events", 4, 0, "mine", R"({"a":1})", kNow},
                                    {"events", 4, 1, {}, R"({"a":2})", kNow}},
                                   4});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->added, 2u);
  ASSERT_EQ(result->refused.size(), 3u);
  EXPECT_EQ(result->refused[1].document, 1u);
  ASSERT_TRUE(store_->Refresh().ok());
  EXPECT_EQ(Count("events", R"({"ids":{"values":["mine","s:4:1"]}})"), 2u);
}

TEST_F(StoreTest, IndicesPatternsMappingsAndDropping) {
  ASSERT_TRUE(store_->PutMapping("logs-a", R"({"properties":{"code":{"type":"keyword"}}})").ok());
  Add(1, 2, "logs-a", "a");
  Add(1, 3, "logs-b", "b");
  Add(1, 4, "metrics", "m");
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(Count("logs-*"), 5u);
  EXPECT_EQ(Count("_all"), 9u);
  EXPECT_EQ(Count("*,-logs-b"), 6u);
  EXPECT_EQ(Count("logs-a,metrics"), 6u);
  const auto missing = store_->Search("nothing", "");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(ToApiError(missing.error()).type, "index_not_found_exception");
  EXPECT_EQ(ToApiError(missing.error()).status, 404);
  EXPECT_TRUE(store_->Search("nothing", "", {true, nullptr}).ok());
  EXPECT_TRUE(store_->Search("nothing-*", "").ok());
  const auto changed = store_->PutMapping("logs-a", R"({"properties":{"code":{"type":"long"}}})");
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(ToApiError(changed.error()).type, "illegal_argument_exception");
  EXPECT_FALSE(store_->PutMapping("Bad Name", "{}").ok());
  Reopen();
  EXPECT_NE(store_->GetMapping("logs-a")->find(R"("code":{"type":"keyword"})"), std::string::npos);
  EXPECT_NE(store_->GetMapping("logs-b")->find(R"("n":{"type":"long"})"), std::string::npos);
  ASSERT_TRUE(store_->DropIndex("logs-b").ok());
  EXPECT_EQ(store_->IndexNames("*").value(), (std::vector<std::string>{"logs-a", "metrics"}));
  Reopen();
  EXPECT_EQ(Count("*"), 6u);
  EXPECT_FALSE(store_->GetMapping("logs-b").ok());
}

TEST_F(StoreTest, SearchesGoOnWhileEventsComeAndSegmentsMerge) {
  constexpr std::uint64_t kEvents = 3000;
  std::atomic<bool> done{false};
  std::thread adder([&] {
    for (std::uint64_t n = 1; n <= kEvents; n += 10) Add(n, n + 9);
    done = true;
  });
  std::thread maintainer([&] {
    while (!done) {
      EXPECT_TRUE(store_->Flush().ok());
      clock_.Advance(std::chrono::seconds(1));
      EXPECT_TRUE(store_->Maintain().ok());
    }
  });
  std::uint64_t seen = 0;
  while (!done) {
    const auto now = Count();
    EXPECT_GE(now, seen);  // nothing vanishes while segments change hands
    EXPECT_EQ(now % 10, 0u);
    seen = now;
  }
  adder.join();
  maintainer.join();
  ASSERT_TRUE(store_->Flush().ok());
  Reopen();
  EXPECT_EQ(Count(), kEvents);
  EXPECT_EQ(Count("events", R"({"match":{"message":"bob"}})"), kEvents / 2);
}

}  // namespace
}  // namespace honryu::search
