#include "tests/support/power_cut.h"

#include "honryu/codec/json.h"
#include "search/segment/segment.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <random>

namespace honryu::search {
namespace {

using codec::Json;
using testing::DiskRecorder;
using testing::PowerCut;

/// An event as the log keeps it.
struct Logged {
  std::string shard, index, id, id_field, source;
  std::uint64_t sequence = 0;
  WriteKind kind = WriteKind::kAppend;
};

/// What the store is used for from its first day on: a list of steps, the log that they read, and what must
/// be found after each.
class PowerCutTest : public ::testing::TestWithParam<PowerCut> {
 protected:
  using Found = std::map<std::string, std::string>;  // "index/_id" → source
  struct Step {
    std::string name;
    std::function<void(Store&)> run;
    std::size_t logged = 0;  ///< Events that the log holds when it begins.
    bool removes = false;    ///< A crash in the middle may or may not have removed things.
    Found found;             ///< Afterwards.
    Timestamp at;
  };

  PowerCutTest() {
    char name[] = "/tmp/honryu-cut-XXXXXX";
    root_ = ::mkdtemp(name);
    config_.merge_bytes_per_second = 1ULL << 40;
  }
  ~PowerCutTest() override { std::filesystem::remove_all(root_); }

  // ---- making the steps

  void Do(std::string name, std::function<void(Store&)> run, bool removes = false) {
    steps_.push_back({std::move(name), std::move(run), log_.size(), removes, model_, now_});
  }
  /// An event in the log; `user` is found by queries.
  void Event(const std::string& shard, const std::string& index, const std::string& id, WriteKind kind,
             const std::string& user, bool named = true) {
    Logged one{shard, index, named ? id : "", named ? "" : "event_id", "", ++sequences_[shard], kind};
    one.source = R"({"time":)" + std::to_string(ToMs(now_)) + R"(,"event_id":")" + id + R"(","user":")" +
                 user + R"(","n":)" + std::to_string(log_.size()) + R"(,"message":"修正 of )" + user +
                 " number " + std::to_string(log_.size() * 7919) + "\"}";
    const auto key = index + "/" + (id.empty() ? shard + ":" + std::to_string(one.sequence) : id);
    if (kind == WriteKind::kDelete)
      model_.erase(key);
    else if (kind != WriteKind::kCreate || !model_.contains(key))
      model_[key] = one.source;
    log_.push_back(std::move(one));
  }
  /// A step that adds what was logged since the last one.
  void AddStep(std::size_t from) {
    const auto to = log_.size();
    Do("add " + std::to_string(from) + " to " + std::to_string(to),
       [this, from, to](Store& store) { Feed(store, from, to, false); });
    steps_.back().logged = from;
  }
  void FlushStep() {
    Do("flush", [](Store& store) { ASSERT_TRUE(store.Flush().ok()); });
  }
  void MaintainStep(int times, bool removes = false) {
    Do(
        "maintain",
        [this, times](Store& store) {
          for (int i = 0; i < times; ++i) {
            clock_.Advance(std::chrono::seconds(1));
            ASSERT_TRUE(store.Maintain().ok());
          }
        },
        removes);
  }

  void MakeSteps() {
    Do("mapping", [](Store& store) {
      ASSERT_TRUE(store.PutMapping("events", R"({"properties":{"user":{"type":"keyword"}}})").ok());
      ASSERT_TRUE(store.PutNote("template/a", "{}").ok());
    });
    for (int round = 0; round < 9; ++round) {
      const auto from = log_.size();
      for (int i = 0; i < 6; ++i) {
        const auto id = std::to_string(round * 6 + i);
        Event("a", "events", "id" + id, WriteKind::kIndex, i == 3 ? "Mallory" : "Alice");
        Event("b", "events", "ev" + id, WriteKind::kCreate, "Bob", false);
        if (round > 0) {
          const auto earlier = std::to_string((round - 1) * 6 + i);
          if (i == 0) Event("a", "events", "id" + earlier, WriteKind::kIndex, "Carol");
          if (i == 1) Event("a", "events", "id" + earlier, WriteKind::kDelete, "Carol");
          if (i == 2) Event("b", "events", "ev" + earlier, WriteKind::kCreate, "Dora", false);
        }
        Event("b", "others", "", WriteKind::kAppend, "Erin");
      }
      AddStep(from);
      if (round == 4) MaintainStep(2);  // a refresh alone
      FlushStep();
    }
    MaintainStep(3);  // merges
    // A segment that becomes corrupt and is rebuilt from the log.
    auto from = log_.size();
    for (int i = 0; i < 5; ++i) Event("c", "fragile", "", WriteKind::kAppend, "Heidi");
    AddStep(from);
    FlushStep();
    Do("damage", [this](Store& store) { DamageAndHeal(store); }, true);
    // What is in memory, on disk and merged at the moment of an erasure.
    from = log_.size();
    for (int i = 0; i < 8; ++i)
      Event("a", "events", "late" + std::to_string(i), WriteKind::kIndex, i % 2 == 0 ? "Mallory" : "Alice");
    AddStep(from);
    std::erase_if(model_, [](const auto& one) { return one.second.find("Mallory") != std::string::npos; });
    Do(
        "erase",
        [](Store& store) {
          const auto receipt = store.Erase("events", R"({"query":{"term":{"user":"Mallory"}}})");
          ASSERT_TRUE(receipt.ok()) << receipt.error().ToString();
          EXPECT_EQ(receipt->left, 0u);
        },
        true);
    erased_from_ = steps_.size();
    from = log_.size();
    for (int i = 0; i < 6; ++i) Event("a", "events", "", WriteKind::kAppend, "Frank");
    AddStep(from);
    // An index that is dropped with all it holds.
    std::erase_if(model_, [](const auto& one) { return one.first.starts_with("others/"); });
    Do(
        "drop",
        [](Store& store) {
          const auto dropped = store.DropIndex("others");
          ASSERT_TRUE(dropped.ok() || dropped.error().code() == ErrorCode::kNotFound);
        },
        true);
    Do("note", [](Store& store) {
      ASSERT_TRUE(store.PutNote("alias/x", "events").ok());
      ASSERT_TRUE(store.RemoveNote("template/a").ok());
    });
    FlushStep();
    // Eight days later.
    now_ += std::chrono::hours(24 * 8);
    model_.clear();
    from = log_.size();
    for (int i = 0; i < 5; ++i) Event("b", "events", "", WriteKind::kAppend, "Grace");
    Do(
        "retention",
        [this](Store& store) {
          clock_.Advance(std::chrono::hours(1));
          ASSERT_TRUE(store.Maintain().ok());
        },
        true);
    steps_.back().logged = from;
    steps_.back().found.clear();
    AddStep(from);
    FlushStep();
  }

  // ---- running them

  /// Adds events [from, to) of the log; `behind`: only those behind the store's positions, as after a crash.
  void Feed(Store& store, std::size_t from, std::size_t to, bool behind) {
    for (const auto* shard : {"a", "b", "c"}) {
      const auto position = behind ? store.Position(shard) : std::nullopt;
      StoreBatch batch{shard, {}, 0};
      for (auto i = from; i < to; ++i) {
        const auto& one = log_[i];
        if (one.shard != shard) continue;
        batch.through = one.sequence;
        if (position && one.sequence <= *position) continue;
        batch.documents.push_back(
            {one.index, one.sequence, 0, one.id, one.source, 0, one.id_field, one.kind});
      }
      if (batch.documents.empty()) continue;
      const auto added = store.Add(batch);
      ASSERT_TRUE(added.ok()) << added.error().ToString();
      EXPECT_TRUE(added->refused.empty());
    }
  }
  /// Flips a bit of the segment written last, which holds the index "fragile" alone, and does what the
  /// indexer does.
  void DamageAndHeal(Store& store) {
    if (store.Lost().empty()) {
      std::uint64_t last = 0;
      for (const auto& entry : std::filesystem::directory_iterator(config_.path + "/segments"))
        last = std::max<std::uint64_t>(last, std::strtoull(entry.path().stem().c_str(), nullptr, 10));
      const auto path = config_.path + "/segments/" + std::to_string(last) + ".seg";
      const int file = ::open(path.c_str(), O_RDWR);
      ASSERT_GE(file, 0);
      char byte = 0;
      ASSERT_EQ(::pread(file, &byte, 1, 40), 1);
      byte = static_cast<char>(byte ^ 4);
      ASSERT_EQ(::pwrite(file, &byte, 1, 40), 1);
      ::close(file);
    }
    for (int i = 0; i < 40 && store.Lost().empty(); ++i) {
      clock_.Advance(std::chrono::minutes(1));
      ASSERT_TRUE(store.Maintain().ok());
    }
    for (const auto& lost : store.Lost()) {
      ASSERT_EQ(lost.index, "fragile");
      StoreBatch batch{lost.shard, {}, 0};
      for (const auto& one : log_)
        if (one.shard == lost.shard && one.sequence >= lost.first && one.sequence <= lost.last)
          batch.documents.push_back(
              {one.index, one.sequence, 0, one.id, one.source, 0, one.id_field, one.kind});
      ASSERT_TRUE(store.Restore(batch).ok());
      ASSERT_TRUE(store.Restored(lost.segment).ok());
    }
    ASSERT_EQ(store.Count("fragile", R"({"query":{"match_all":{}}})").value(), 5u);
  }
  /// How many files hold what is to be erased.
  std::size_t FilesWithMallory() const {
    std::size_t files = 0;
    for (const auto* folder : {"/segments", "/quarantine"}) {
      std::error_code none;
      for (const auto& entry : std::filesystem::directory_iterator(config_.path + folder, none)) {
        std::ifstream file(entry.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << file.rdbuf();
        const auto segment = Segment::Open(Bytes(bytes.str()), Checking::kNow);
        const auto* users = segment.ok() ? (*segment)->Find("user") : nullptr;
        if (users == nullptr || !users->keywords) continue;
        bool found = false;
        for (std::uint32_t i = 0; i < users->keywords->terms.size(); ++i)
          found = found || users->keywords->terms.Term(i) == "Mallory";
        files += found ? 1 : 0;
      }
    }
    return files;
  }
  static Found Everything(const Store& store) {
    Found found;
    const auto answer = store.Search("*", R"({"size":10000,"track_total_hits":true})");
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    if (!answer.ok()) return found;
    const auto json = Json::Parse(*answer).value();
    EXPECT_EQ(json.Find("_shards")->Find("failed")->IntOr(-1), 0);
    for (const auto& hit : json.Find("hits")->Find("hits")->array())
      found[std::string(hit.Find("_index")->StringOr("")) + "/" +
            std::string(hit.Find("_id")->StringOr(""))] =
          std::to_string(hit.Find("_source")->Find("n")->IntOr(-1));
    EXPECT_EQ(json.Find("hits")->Find("total")->Find("value")->IntOr(-1),
              static_cast<std::int64_t>(found.size()));  // no document twice
    return found;
  }
  static Found Numbers(const Found& sources) {
    Found numbers;
    for (const auto& [id, source] : sources)
      numbers[id] = std::to_string(Json::Parse(source).value().Find("n")->IntOr(-1));
    return numbers;
  }
  void ExpectExact(const Store& store, const Found& expected, const std::string& when) {
    EXPECT_EQ(Everything(store), Numbers(expected)) << when;
    for (const auto* user : {"Alice", "Bob", "Carol", "Dora", "Erin", "Heidi", "Mallory"}) {
      const auto mentions =
          static_cast<std::uint64_t>(std::count_if(expected.begin(), expected.end(), [user](const auto& one) {
            return one.second.find(user) != std::string::npos;
          }));
      const std::string body =
          std::string(R"({"query":{"match_phrase":{"message":"修正 of )") + user + "\"}}}";
      EXPECT_EQ(store.Count("*", body).value(), mentions) << when << ", " << user;
    }
  }

  std::string root_;
  StoreConfig config_;
  ManualClock clock_{TimestampFromMs(kNow)};
  Timestamp now_ = TimestampFromMs(kNow);
  std::vector<Step> steps_;
  std::vector<Logged> log_;
  std::map<std::string, std::uint64_t> sequences_;
  Found model_;
  std::size_t erased_from_ = 0;
};

std::string NameOf(const ::testing::TestParamInfo<PowerCut>& kind) {
  switch (kind.param) {
    case PowerCut::kLosesAll:
      return "LosesAll";
    case PowerCut::kLosesContent:
      return "LosesContent";
    case PowerCut::kKeepsOrder:
      return "KeepsOrder";
    case PowerCut::kRandom:
      return "Random";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(Kinds, PowerCutTest,
                         ::testing::Values(PowerCut::kLosesAll, PowerCut::kLosesContent,
                                           PowerCut::kKeepsOrder, PowerCut::kRandom),
                         NameOf);

TEST_P(PowerCutTest, NothingThatWasPromisedIsLostAndAReplayFromThePositionsIsExact) {
  MakeSteps();
  const char* const given = std::getenv("HONRYU_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  const auto before = root_ + "/before";
  std::filesystem::create_directory(before);
  DiskRecorder disk(before);
  std::vector<std::size_t> ends;  // of each step, in operations
  std::vector<std::map<std::string, std::uint64_t>> promised;
  {
    config_.path = before + "/data/search";
    clock_.Set(steps_.front().at);
    auto opened = Store::Open(config_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    for (const auto& step : steps_) {
      if (clock_.Now() < step.at) clock_.Set(step.at);
      if (step.name == "erase") EXPECT_GT(FilesWithMallory(), 0u);
      step.run(**opened);
      if (HasFatalFailure()) return;
      ends.push_back(disk.size());
      auto& positions = promised.emplace_back();
      for (const auto* shard : {"a", "b", "c"})
        if (const auto position = (*opened)->Position(shard)) positions[shard] = *position;
    }
    ASSERT_TRUE((*opened)->Refresh().ok());
    ExpectExact(**opened, steps_.back().found, "without a cut");
    ASSERT_GT((*opened)->Statistics().merges, 0u);
    ASSERT_GT((*opened)->Statistics().dropped_segments, 0u);
    disk.Stop();
  }
  ASSERT_GT(ends.back(), 200u);
  config_.path = root_ + "/after/data/search";
  for (std::size_t cut = 0; cut <= ends.back(); ++cut) {
    const auto step =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), cut) - ends.begin());
    const auto how = GetParam();
    const auto when = "power cut before operation " + std::to_string(cut) + " (" + disk.Describe(cut) +
                      ") in step " + std::to_string(step) +
                      (step < steps_.size() ? " (" + steps_[step].name + ")" : "");
    disk.Rebuild(cut, how, seed + cut * 8 + static_cast<std::uint64_t>(how), root_ + "/after");
    clock_.Set(step < steps_.size() ? steps_[step].at : now_ + std::chrono::hours(2));
    if (step >= erased_from_) EXPECT_EQ(FilesWithMallory(), 0u) << when << ", before it is opened";
    auto opened = Store::Open(config_, clock_);
    ASSERT_TRUE(opened.ok()) << when << ": " << opened.error().ToString();
    auto& store = **opened;
    // Nothing is corrupt or missing that was named; what was durable still is.
    if (step >= steps_.size() || steps_[step].name != "damage")
      EXPECT_TRUE(store.Lost().empty())
          << when << ": " << (store.Lost().empty() ? "" : store.Lost()[0].reason);
    std::size_t aside = 0;
    for (const auto& entry : std::filesystem::directory_iterator(config_.path + "/quarantine"))
      aside += entry.is_regular_file() ? 1 : 0;
    EXPECT_LE(aside, store.Lost().size()) << when << ": a file that nobody will remove";
    if (step > 0) {
      for (const auto& [shard, position] : promised[step - 1])
        EXPECT_GE(store.Position(shard).value_or(0), position) << when;
      const auto notes = store.Notes();
      const bool noted = step >= steps_.size() || steps_[step].name != "note";
      if (noted) {
        const bool late = step >= steps_.size() - 4;
        EXPECT_EQ(notes.contains("template/a"), !late) << when;
        EXPECT_EQ(notes.contains("alias/x"), late) << when;
      }
      const auto mapping = store.GetMapping("events");
      ASSERT_TRUE(mapping.ok()) << when;
      EXPECT_NE(mapping->find(R"("user":{"type":"keyword")"), std::string::npos) << when;
    }
    const auto logged = step < steps_.size() ? steps_[step].logged : log_.size();
    Feed(store, 0, logged, true);
    ASSERT_TRUE(store.Refresh().ok()) << when;
    if (step > 0 && (step >= steps_.size() || !steps_[step].removes))
      ExpectExact(store, steps_[step - 1].found, when);
    if (step >= erased_from_) {
      ASSERT_TRUE(store.Flush().ok()) << when;
      EXPECT_EQ(FilesWithMallory(), 0u) << when;
    }
    // The interrupted step is done again, and now and then all that came later.
    const auto last = cut % 16 == 0 ? steps_.size() : std::min(step + 1, steps_.size());
    for (auto again = step; again < last; ++again) {
      if (clock_.Now() < steps_[again].at) clock_.Set(steps_[again].at);
      if (steps_[again].name.starts_with("add"))
        Feed(store, steps_[again].logged, again + 1 < steps_.size() ? steps_[again + 1].logged : log_.size(),
             true);
      else
        steps_[again].run(store);
      if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(store.Refresh().ok()) << when;
    if (last > step)
      ExpectExact(store, steps_[last - 1].found, when + ", gone on until " + std::to_string(last));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace honryu::search
