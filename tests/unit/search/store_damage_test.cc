#include "honryu/codec/json.h"
#include "honryu/search/api_error.h"
#include "search/segment/segment_file.h"
#include "store_fixture.h"

#include <functional>
#include <set>

namespace honryu::search {
namespace {

using codec::Json;

/// Reads of every field, in every way.
constexpr std::string_view kEverything = R"({"size":100,"track_total_hits":true,
  "query":{"bool":{"must":[{"query_string":{"query":"*"}},{"match":{"message":"event"}},{"exists":{"field":"o"}}],
                   "filter":[{"range":{"n":{"gte":0}}},{"range":{"x":{"gte":0}}},{"wildcard":{"tag":"t*"}},
                             {"wildcard":{"long.keyword":"l*g"}}]}},
  "sort":[{"time":"desc"},{"tag":"asc"}],
  "aggs":{"t":{"terms":{"field":"tag","size":100}},"b":{"terms":{"field":"o.b"}},"x":{"stats":{"field":"x"}},
          "d":{"date_histogram":{"field":"time","fixed_interval":"1s","min_doc_count":1}},"c":{"cardinality":{"field":"message"}}}})";

/// Two segments with a section of every kind.
class StoreDamageTest : public StoreTest {
 protected:
  static std::string Source(std::uint64_t n) {
    return R"({"time":)" + std::to_string(kNow + static_cast<std::int64_t>(n)) + R"(,"n":)" +
           std::to_string(n) + R"(,"x":)" + std::to_string(n) + R"(.25,"tag":"t)" + std::to_string(n % 3) +
           R"(","message":"event )" + std::to_string(n) + R"( 東京都","o":{"b":)" +
           (n % 2 == 0 ? "true" : "false") + R"(},"long":"l)" +
           std::string(300, 'a' + static_cast<char>(n % 26)) + "g\"}";
  }
  StoreBatch Batch(std::uint64_t first, std::uint64_t last) {
    sources_.clear();
    for (auto n = first; n <= last; ++n) sources_.push_back(Source(n));
    StoreBatch batch{"s", {}, last};
    for (auto n = first; n <= last; ++n) {
      StoreDocument document{"events", n, 0, {}, sources_[n - first], kNow};
      if (n % 5 == 0)
        id_ = "id" + std::to_string(n), ids_.push_back(std::make_unique<std::string>(id_)),
        document.id = *ids_.back();
      batch.documents.push_back(document);
    }
    return batch;
  }
  void Fill() {
    ASSERT_TRUE(
        store_->PutMapping("events", R"({"properties":{"time":{"type":"date"},"tag":{"type":"keyword"}}})")
            .ok());
    ASSERT_TRUE(store_->Add(Batch(1, 40)).ok());
    ASSERT_TRUE(store_->Flush().ok());
    ASSERT_TRUE(store_->Add(Batch(41, 60)).ok());
    ASSERT_TRUE(store_->Flush().ok());
  }
  /// An answer without what changes from one to the next.
  std::string Answer(std::string_view body = kEverything) {
    const auto answer = store_->Search("events", body);
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    if (!answer.ok()) return {};
    return answer->substr(answer->find("\"hits\""));
  }
  static std::int64_t Failed(const std::string& answer) {
    return Json::Parse(answer).value().Find("_shards")->Find("failed")->IntOr(-1);
  }
  std::string Raw(std::string_view body = kEverything) { return store_->Search("events", body).value(); }
  std::string Read(const std::string& path) const {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static void Write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string SegmentOf(std::uint64_t number) const {
    return path_ + "/segments/" + std::to_string(number) + ".seg";
  }

  /// With the damage done: no answer is silently short; upkeep sets the segment aside; rebuilding gives
  /// everything back.
  void ExpectNoticedAndHealed(const std::string& whole, const std::string& what, bool before_upkeep) {
    if (before_upkeep) {
      // Before any upkeep: what was asked touches every section of the file.
      EXPECT_EQ(Failed(Raw()), 1) << what;
      std::uint64_t lost = 0;
      (void)store_->Count("events", R"({"query":{"match":{"message":"東京都"}}})", {}, &lost).value();
    }
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(store_->Maintain().ok());
    const auto lost = store_->Lost();
    ASSERT_EQ(lost.size(), 1u) << what;
    EXPECT_FALSE(lost[0].reason.empty());
    const auto missing = lost[0].last - lost[0].first + 1;
    const auto answer = Json::Parse(Raw()).value();
    EXPECT_EQ(answer.Find("_shards")->Find("failed")->IntOr(-1), 1) << what;
    EXPECT_EQ(answer.Find("_shards")->Find("failures")->array()[0].Find("index")->StringOr(""), "events");
    EXPECT_EQ(answer.Find("hits")->Find("total")->Find("value")->IntOr(-1),
              static_cast<std::int64_t>(60 - missing))
        << what;
    std::uint64_t uncounted = 0;
    EXPECT_EQ(store_->Count("events", "{}", {}, &uncounted).value(), 60 - missing);
    EXPECT_EQ(uncounted, 1u);
    EXPECT_EQ(store_->Indices()[0].lost_segments, 1u);
    SearchOptions whole_only;
    whole_only.allow_partial = false;
    const auto refused = store_->Search("events", "{}", whole_only);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(ToApiError(refused.error()).status, 503);
    EXPECT_EQ(ToApiError(refused.error()).type, "search_phase_execution_exception");
    Reopen();  // it stays so
    EXPECT_EQ(Failed(Raw()), 1) << what;
    const auto restored = store_->Restore(Batch(1, 60));
    ASSERT_TRUE(restored.ok());
    EXPECT_EQ(restored->added, missing) << what;
    EXPECT_EQ(Failed(Raw()), 1) << what;  // until all of it is back
    ASSERT_TRUE(store_->Restored(lost[0].segment).ok());
    EXPECT_EQ(Failed(Raw()), 0) << what;
    EXPECT_EQ(Files("quarantine"), 0u);
    EXPECT_EQ(Answer(), whole) << what;
    Reopen();
    EXPECT_EQ(Answer(), whole) << what;
  }

  std::vector<std::string> sources_;
  std::string id_;
  std::vector<std::unique_ptr<std::string>> ids_;
};

TEST_F(StoreDamageTest, AFlippedByteInAnySectionIsNoticedByTheFirstSearchThatReadsIt) {
  Fill();
  const auto whole = Answer();
  const auto path = SegmentOf(1);
  const auto bytes = Read(path);
  const auto file = SegmentFile::Open(bytes, true).value();
  std::set<SectionKind> kinds;
  for (const auto& [key, section] : file.sections) {
    if (section.empty()) continue;
    const auto& [field, kind] = key;
    kinds.insert(kind);
    store_.reset();
    auto damaged = bytes;
    damaged[static_cast<std::size_t>(section.data() - bytes.data()) + section.size() / 2] ^= 0x04;
    const auto folder = path_ + ".copy";
    std::filesystem::remove_all(folder);
    std::filesystem::copy(path_, folder, std::filesystem::copy_options::recursive);
    Write(path, damaged);
    Reopen();
    const auto name = field == kNoField ? "sources" : file.fields[field].name;
    // What only the store itself reads is compared by the upkeep.
    const bool own = name.starts_with('_') && name != "_time";
    ExpectNoticedAndHealed(whole, name + " kind " + std::to_string(static_cast<int>(kind)), !own);
    store_.reset();
    std::filesystem::remove_all(path_);
    std::filesystem::rename(folder, path_);
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(kinds.size(), 12u);  // all there are
  Reopen();
}

TEST_F(StoreDamageTest, FilesThatAreGarbledGoneOrCutAreSetAsideWhenTheStoreOpens) {
  Fill();
  const auto whole = Answer();
  const auto path = SegmentOf(1);
  const auto bytes = Read(path);
  const std::vector<std::pair<std::string, std::function<void()>>> damages = {
      {"gone", [&] { std::filesystem::remove(path); }},
      {"empty", [&] { Write(path, ""); }},
      {"cut in the middle", [&] { std::filesystem::resize_file(path, bytes.size() / 2); }},
      {"cut by a byte", [&] { std::filesystem::resize_file(path, bytes.size() - 1); }},
      {"longer", [&] { Write(path, bytes + "x"); }},
      {"zeros", [&] { Write(path, std::string(bytes.size(), '\0')); }},
      {"directory",
       [&] {
         auto damaged = bytes;
         damaged[bytes.size() - 60] ^= 1;
         Write(path, damaged);
       }},
      {"least version of a reader",
       [&] {
         auto damaged = bytes;
         damaged[bytes.size() - 12] ^= 0x40;
         Write(path, damaged);
       }},
      {"directory's offset",
       [&] {
         auto damaged = bytes;
         damaged[bytes.size() - 30] ^= 0x40;
         Write(path, damaged);
       }},
      {"another segment's bytes", [&] { Write(path, Read(SegmentOf(2))); }}};
  for (const auto& [name, damage] : damages) {
    store_.reset();
    const auto folder = path_ + ".copy";
    std::filesystem::remove_all(folder);
    std::filesystem::copy(path_, folder, std::filesystem::copy_options::recursive);
    damage();
    Reopen();
    ExpectNoticedAndHealed(whole, name, true);
    store_.reset();
    std::filesystem::remove_all(path_);
    std::filesystem::rename(folder, path_);
    if (HasFatalFailure()) return;
  }
  Reopen();
}

TEST_F(StoreDamageTest, DamageDoneWhileTheStoreIsOpenIsFoundByCheckingAgain) {
  Fill();
  const auto whole = Answer();
  const auto path = SegmentOf(1);
  auto damaged = Read(path);
  damaged[200] ^= 1;
  Write(path, damaged);  // the same file that is mapped
  clock_.Advance(std::chrono::minutes(1));
  ExpectNoticedAndHealed(whole, "flipped", false);
}

TEST_F(StoreDamageTest, AFileTakenAwayOrCutWhileTheStoreIsOpenIsSetAside) {
  for (const bool cut : {false, true}) {
    store_.reset();
    std::filesystem::remove_all(path_);
    Reopen();
    Fill();
    const auto whole = Answer();
    if (cut)
      std::filesystem::resize_file(SegmentOf(1), 64);
    else
      std::filesystem::remove(SegmentOf(1));
    clock_.Advance(std::chrono::minutes(1));
    ExpectNoticedAndHealed(whole, cut ? "cut" : "gone", false);
    if (HasFatalFailure()) return;
  }
}

TEST_F(StoreDamageTest, ACatalogueDamagedInItsMiddleIsToldAndTheRestComesBackByAReplay) {
  EXPECT_EQ(store_->CatalogueDamage(), "");
  Fill();
  const auto whole = Answer();
  ASSERT_TRUE(store_->PutNote("later", "x").ok());
  store_.reset();
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/catalogue"))
    if (entry.path().extension() == ".log" && entry.file_size() > 0) log = entry.path();
  ASSERT_FALSE(log.empty());
  auto bytes = Read(log);
  // In the commit of the second segment.
  const auto place = bytes.rfind("\"shards\"");
  ASSERT_NE(place, std::string::npos);
  bytes[place] ^= 1;
  Write(log, bytes);
  Reopen();
  EXPECT_NE(store_->CatalogueDamage().find("catalogue"), std::string::npos) << store_->CatalogueDamage();
  EXPECT_EQ(store_->Position("s"), 40u);
  EXPECT_EQ(Count(), 40u);
  ASSERT_TRUE(store_->Add(Batch(41, 60)).ok());
  ASSERT_TRUE(store_->Refresh().ok());
  EXPECT_EQ(Answer(), whole);
  Reopen();
  EXPECT_EQ(store_->CatalogueDamage(), "");
}

TEST_F(StoreDamageTest, MergingNeverGivesDamageANewChecksum) {
  Fill();
  for (std::uint64_t n = 61; n <= 66; ++n) {
    ASSERT_TRUE(store_->Add(Batch(n, n)).ok());
    ASSERT_TRUE(store_->Flush().ok());
  }
  auto damaged = Read(SegmentOf(5));
  damaged[150] ^= 1;
  Write(SegmentOf(5), damaged);  // mapped, and checked long ago
  for (int i = 0; i < 12; ++i) {
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(store_->Maintain().ok());
  }
  ASSERT_EQ(store_->Lost().size(), 1u);
  EXPECT_EQ(store_->Lost()[0].segment, 5u);
  EXPECT_EQ(Count(), 65u);
}

TEST_F(StoreDamageTest, RestoringLooksForRepetitionsOfAnyAge) {
  const std::string one = R"({"event_id":"a","n":1})", again = R"({"event_id":"a","n":2})",
                    other = R"({"event_id":"b","n":3})";
  const auto document = [](std::uint64_t sequence, const std::string& source) {
    StoreDocument made{"events", sequence, 0, {}, source, kNow};
    made.id_field = "event_id";
    made.kind = WriteKind::kCreate;
    return made;
  };
  ASSERT_TRUE(store_->Add({"s", {document(1, one)}, 1}).ok());
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_TRUE(store_->Add({"s", {document(2, again), document(3, other)}, 3}).ok());
  ASSERT_TRUE(store_->Flush().ok());
  EXPECT_EQ(Count(), 2u);
  store_.reset();
  std::filesystem::remove(SegmentOf(2));
  Reopen();
  clock_.Advance(std::chrono::hours(5));  // far behind the window
  EXPECT_EQ(Count(), 1u);
  const auto restored = store_->Restore({"s", {document(1, one), document(2, again), document(3, other)}, 3});
  ASSERT_TRUE(restored.ok());
  EXPECT_EQ(Count(), 2u);
  EXPECT_EQ(Count("events", R"({"term":{"n":2}})"), 0u);
  const auto twice = store_->Restore({"s", {document(1, one), document(3, other)}, 3});
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(twice->duplicates, 2u);
  EXPECT_EQ(Count(), 2u);
}

TEST_F(StoreDamageTest, RetentionAndDroppingForgetLostSegmentsWithTheirFiles) {
  Fill();
  ASSERT_TRUE(store_->Add({"t", {{"other", 1, 0, {}, R"({"n":1})", kNow}}, 1}).ok());
  ASSERT_TRUE(store_->Flush().ok());
  store_.reset();
  for (const auto number : {1, 3}) {
    auto damaged = Read(SegmentOf(static_cast<std::uint64_t>(number)));
    damaged[damaged.size() - 60] ^= 1;
    Write(SegmentOf(static_cast<std::uint64_t>(number)), damaged);
  }
  Reopen();
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_EQ(Files("quarantine"), 2u);
  EXPECT_EQ(Failed(Raw("{}")), 1);
  ASSERT_TRUE(store_->DropIndex("other").ok());
  EXPECT_EQ(Files("quarantine"), 1u);
  EXPECT_EQ(store_->Lost().size(), 1u);
  clock_.Advance(std::chrono::hours(24 * 9));
  ASSERT_TRUE(store_->Maintain().ok());
  EXPECT_TRUE(store_->Lost().empty());
  EXPECT_EQ(Files("quarantine"), 0u);
  EXPECT_EQ(Failed(Raw("{}")), 0);
}

}  // namespace
}  // namespace honryu::search
