#include "honryu/base/random.h"
#include "honryu/sql/lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

// Random small inputs; every result computed again from the definition, in the plainest way, and compared.
namespace honryu::sql {
namespace {

struct Event {
  std::int64_t time = 0;
  std::string key;
  std::int64_t value = 0;
};
using Events = std::vector<Event>;
/// "time key fields…" of each row; order does not matter.
using Lines = std::multiset<std::string>;

constexpr std::int64_t kArrival = 1'000'000;  // behind all event times
constexpr std::int64_t kDisorder = 20;        // ms that rows may be out of order
constexpr std::string_view kPrelude =
    "CREATE STREAM e (k VARCHAR, v BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '0.02' SECOND);"
    "CREATE STREAM f (k VARCHAR, v BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '0.02' SECOND);";

std::uint64_t Seed() {
  if (const char* given = std::getenv("HONRYU_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

// Times wander up; each may lie up to kDisorder behind the newest, so that no row is late.
Events RandomEvents(Random& random, std::size_t most) {
  Events events;
  std::int64_t newest = static_cast<std::int64_t>(random.Below(1000)) - 300;  // before 1970 too
  for (std::size_t left = random.Below(most + 1); left > 0; --left) {
    newest += static_cast<std::int64_t>(random.Below(random.Chance(0.1) ? 120 : 12));
    Event event;
    event.time = newest - static_cast<std::int64_t>(random.Below(kDisorder + 1));
    event.key = std::string(1, static_cast<char>('a' + random.Below(3)));
    event.value = static_cast<std::int64_t>(random.Below(5));
    events.push_back(event);
  }
  return events;
}

std::string Line(std::int64_t time, const std::string& key, const std::vector<std::int64_t>& fields) {
  std::string line = std::to_string(time) + " " + key;
  for (const std::int64_t field : fields) line += " " + std::to_string(field);
  return line;
}

std::string JsonOf(const Event& event) {
  return "{\"k\":\"" + event.key + "\",\"v\":" + std::to_string(event.value) +
         ",\"ts\":" + std::to_string(event.time) + "}";
}

// An engine and its lanes; records wait for a round, which comes now and then, and between rounds the engine
// is replaced by its snapshot.
class Lanes {
 public:
  Lanes(const std::string& query, std::size_t lanes, const EngineOptions& options, Engine::Sink sink,
        Random& random)
      : query_(query), options_(options), sink_(std::move(sink)), random_(random), waiting_(lanes) {
    Make();
  }

  void Push(const char* stream, const Event& event) {
    // A shard of its own for every lane, so that a round takes what lies far back in one of them.
    const std::size_t lane = random_.Below(lanes_.size());
    waiting_[lane].emplace_back(*engine_->FindSource(stream), JsonOf(event));
    if (!random_.Chance(0.3)) return;
    Round();
    if (!random_.Chance(0.2)) return;
    const std::string snapshot = engine_->Snapshot();
    Make();
    EXPECT_TRUE(engine_->Restore(snapshot).ok());
  }

  EngineCounters Finish() {
    Round();
    engine_->Finish();
    EXPECT_TRUE(engine_->Status().ok());
    return engine_->counters();
  }

 private:
  void Make() {
    lanes_.clear();
    auto made = Engine::Create(kPrelude, query_, options_, sink_);
    EXPECT_TRUE(made.ok()) << made.error().message();
    engine_ = std::move(*made);
    for (std::size_t i = 0; i < waiting_.size(); ++i) lanes_.push_back(engine_->MakeLane().value());
    for (const char* stream : {"e", "f"})
      for (std::size_t i = 0; i < waiting_.size(); ++i)
        engine_->AddShard(*engine_->FindSource(stream), std::to_string(i));
  }
  void Round() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = *lanes_[i];
      lane.Begin();
      std::map<std::size_t, std::size_t> shards;
      for (const auto& [source, json] : waiting_[i]) {
        if (!shards.contains(source)) shards[source] = lane.AddShard(source, std::to_string(i));
        SourceRecord record;
        record.data = json;
        record.arrival_ms = kArrival;
        lane.Push(source, shards[source], record);
      }
      lane.End();
      waiting_[i].clear();
    }
    engine_->MergeLanes(lanes_);
  }

  std::string query_;
  EngineOptions options_;
  Engine::Sink sink_;
  Random& random_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::vector<std::pair<std::size_t, std::string>>> waiting_;  ///< Source and record, by lane.
};

// Runs a query over `events` of stream e (and `others` of f, taken in turn), replacing the engine by its
// snapshot now and then; with `lanes` above 0, in so many. The first column is the key, the others are
// whole numbers; NULL is -999.
Lines RunQuery(const std::string& query, const Events& events, const Events& others, Random& random,
               std::size_t lanes, std::size_t max_state_bytes = 0,
               std::vector<std::string>* sequence = nullptr) {
  Lines lines;
  std::unique_ptr<Engine> engine;
  EngineOptions options;
  options.max_skew_ms = 1'000'000'000;
  MemorySpill spill(std::size_t{1} << 30);
  options.max_state_bytes = max_state_bytes;
  options.spill = &spill;
  const auto sink = [&](const OutputRow& output) {
    std::vector<std::int64_t> fields;
    for (std::size_t i = 1; i < output.columns.size(); ++i)
      fields.push_back(output.row.values[i].is_null() ? -999 : output.row.values[i].as_int());
    std::string line = Line(output.row.time, output.row.values[0].text(), fields);
    if (sequence != nullptr) sequence->push_back(line);
    lines.insert(std::move(line));
  };
  if (lanes > 0) {
    Lanes engines(query, lanes, options, sink, random);
    for (std::size_t i = 0; i < std::max(events.size(), others.size()); ++i) {
      if (i < events.size()) engines.Push("e", events[i]);
      if (i < others.size()) engines.Push("f", others[i]);
    }
    const EngineCounters counters = engines.Finish();
    EXPECT_EQ(counters.late_rows, 0u);
    EXPECT_EQ(counters.error_rows, 0u);
    return lines;
  }
  const auto start = [&] {
    auto made = Engine::Create(kPrelude, query, options, sink);
    EXPECT_TRUE(made.ok()) << made.error().message();
    engine = std::move(*made);
  };
  start();
  for (std::size_t i = 0; i < std::max(events.size(), others.size()); ++i) {
    for (const auto* stream : {&events, &others}) {
      if (i >= stream->size()) continue;
      const Event& event = (*stream)[i];
      const std::size_t source = *engine->FindSource(stream == &events ? "e" : "f");
      const std::string json = JsonOf(event);
      SourceRecord record;
      record.data = json;
      record.arrival_ms = kArrival;
      engine->Push(source, engine->AddShard(source, "0"), record);
    }
    if (random.Chance(0.05)) {
      const std::string snapshot = engine->Snapshot();
      start();
      const auto restored = engine->Restore(snapshot);
      EXPECT_TRUE(restored.ok());
    }
  }
  engine->Finish();
  EXPECT_TRUE(engine->Status().ok());
  EXPECT_EQ(spill.size(), 0u);  // nothing is left behind
  EXPECT_EQ(engine->counters().late_rows, 0u);
  EXPECT_EQ(engine->counters().error_rows, 0u);
  return lines;
}

// COUNT(*), SUM(v), MIN(v), COUNT(DISTINCT v), and the time of the first and last by definition.
std::vector<std::int64_t> Aggregates(const Events& rows) {
  std::int64_t sum = 0, least = rows[0].value;
  std::set<std::int64_t> different;
  for (const Event& row : rows) {
    sum += row.value;
    least = std::min(least, row.value);
    different.insert(row.value);
  }
  return {static_cast<std::int64_t>(rows.size()), sum, least, static_cast<std::int64_t>(different.size())};
}
constexpr const char* kAggregates = "COUNT(*), SUM(v), MIN(v), COUNT(DISTINCT v)";

// Every window [start, end) that could matter is tried against every row.
Lines ByWindows(const Events& events, const std::vector<std::pair<std::int64_t, std::int64_t>>& windows) {
  Lines lines;
  for (const auto& [start, end] : windows) {
    for (const char* key : {"a", "b", "c"}) {
      Events inside;
      for (const Event& event : events)
        if (event.key == key && event.time >= start && event.time < end) inside.push_back(event);
      if (!inside.empty()) lines.insert(Line(end, key, Aggregates(inside)));
    }
  }
  return lines;
}

// Behind those of the same time.
Events ByTime(const Events& events) {
  Events rows;
  for (const Event& event : events) {
    auto at = rows.end();
    while (at != rows.begin() && (at - 1)->time > event.time) --at;
    rows.insert(at, event);
  }
  return rows;
}

std::map<std::string, Events> ByKey(const Events& events) {
  std::map<std::string, Events> keys;
  for (const Event& event : ByTime(events)) keys[event.key].push_back(event);
  return keys;
}

class Property : public ::testing::Test {
 protected:
  using Reference = std::function<Lines(const Events&, const Events&)>;

  void Check(const std::string& query, const Reference& reference, bool two = false,
             std::size_t most_lanes = 4, int rounds = 60, std::size_t most_events = 60) {
    const std::uint64_t seed = Seed();
    SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
    std::cout << "seed " << seed << "\n";
    Random random(seed);
    for (int round = 0; round < rounds; ++round) {
      const Events events = RandomEvents(random, most_events);
      const Events others = two ? RandomEvents(random, most_events) : Events();
      const Lines expected = reference(events, others);
      ASSERT_EQ(RunQuery(query, events, others, random, 0), expected) << "round " << round << " of " << query;
      const std::size_t bytes = 1 + random.Below(random.Chance(0.5) ? 2000 : 20'000);
      ASSERT_EQ(RunQuery(query, events, others, random, 0, bytes), expected)
          << "round " << round << " of " << query << " with " << bytes << " bytes of memory";
      const std::size_t lanes = 1 + random.Below(most_lanes);
      ASSERT_EQ(RunQuery(query, events, others, random, lanes, random.Chance(0.5) ? bytes : 0), expected)
          << "round " << round << " of " << query << " in " << lanes << " lanes";
    }
  }
};

Lines ByTumbling(const Events& events, std::int64_t size) {
  std::vector<std::pair<std::int64_t, std::int64_t>> windows;
  for (std::int64_t start = -1000 / size * size - size; start < 10'000; start += size)
    windows.emplace_back(start, start + size);
  return ByWindows(events, windows);
}

TEST_F(Property, TumblingWindowsByStep) {
  Check("SELECT k, " + std::string(kAggregates) + " FROM e GROUP BY k, STEP(ts BY INTERVAL '0.05' SECOND)",
        [](const Events& events, const Events&) { return ByTumbling(events, 50); });
}

TEST_F(Property, TumblingWindowsByFloor) {
  Check("SELECT k, " + std::string(kAggregates) + " FROM e GROUP BY k, FLOOR(ts TO SECOND)",
        [](const Events& events, const Events&) { return ByTumbling(events, 1000); });
}

TEST_F(Property, TumblingWindowsByTumble) {
  for (const std::string query :
       {" FROM TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '0.07' SECOND)) GROUP BY k, window_start, "
        "window_end",
        " FROM TUMBLE(e, ts, INTERVAL '0.07' SECOND) GROUP BY k, window_start",
        " FROM e GROUP BY k, TUMBLE(ts, INTERVAL '0.07' SECOND)",
        " FROM e GROUP BY k, DATE_BIN(INTERVAL '0.07' SECOND, ts)",
        " FROM e WINDOW TUMBLING (SIZE 70 MILLISECONDS) GROUP BY k"}) {
    Check(
        "SELECT k, " + std::string(kAggregates) + query,
        [](const Events& events, const Events&) { return ByTumbling(events, 70); }, false, 4, 15);
  }
}

TEST_F(Property, HoppingWindows) {
  Check("SELECT k, " + std::string(kAggregates) +
            " FROM HOP(e, ts, INTERVAL '0.03' SECOND, INTERVAL '0.07' SECOND) GROUP BY k, window_start, "
            "window_end",
        [](const Events& events, const Events&) {
          std::vector<std::pair<std::int64_t, std::int64_t>> windows;
          for (std::int64_t n = -30; n < 300; ++n) windows.emplace_back(n * 30, n * 30 + 70);
          return ByWindows(events, windows);
        });
}

TEST_F(Property, CumulatingWindows) {
  Check("SELECT k, " + std::string(kAggregates) +
            " FROM CUMULATE(e, ts, INTERVAL '0.02' SECOND, INTERVAL '0.1' SECOND) GROUP BY k, window_start, "
            "window_end",
        [](const Events& events, const Events&) {
          std::vector<std::pair<std::int64_t, std::int64_t>> windows;
          for (std::int64_t n = -10; n < 100; ++n)
            for (std::int64_t step = 1; step <= 5; ++step) windows.emplace_back(n * 100, n * 100 + step * 20);
          return ByWindows(events, windows);
        });
}

TEST_F(Property, Sessions) {
  Check("SELECT k, " + std::string(kAggregates) +
            ", UNIX_TIMESTAMP(window_start) FROM SESSION(e, ts, INTERVAL '0.04' SECOND)"
            " GROUP BY k, window_start, window_end",
        [](const Events& events, const Events&) {
          Lines lines;
          for (const auto& [key, rows] : ByKey(events)) {
            for (std::size_t first = 0; first < rows.size();) {
              std::size_t end = first + 1;
              while (end < rows.size() && rows[end].time - rows[end - 1].time < 40) ++end;
              const Events session(rows.begin() + static_cast<std::ptrdiff_t>(first),
                                   rows.begin() + static_cast<std::ptrdiff_t>(end));
              auto fields = Aggregates(session);
              fields.push_back(rows[first].time);
              lines.insert(Line(session.back().time + 40, key, fields));
              first = end;
            }
          }
          return lines;
        });
}

TEST_F(Property, StaggerWindows) {
  Check(
      "SELECT k, " + std::string(kAggregates) +
          " FROM e WINDOWED BY STAGGER (PARTITION BY k RANGE INTERVAL '0.06' SECOND)",
      [](const Events& events, const Events&) {
        Lines lines;
        std::map<std::string, std::vector<Events>>
            open;  // each begins with its first row, in order of arrival
        for (const Event& event : events) {
          auto& windows = open[event.key];
          std::vector<Events*> fits;
          for (Events& window : windows)
            if (event.time >= window[0].time && event.time < window[0].time + 60) fits.push_back(&window);
          // Of several, the one that began first.
          std::sort(fits.begin(), fits.end(),
                    [](const Events* a, const Events* b) { return (*a)[0].time < (*b)[0].time; });
          if (fits.empty()) {
            windows.push_back({event});
          } else {
            fits[0]->push_back(event);
          }
        }
        for (const auto& [key, windows] : open)
          for (const Events& window : windows)
            lines.insert(Line(window[0].time + 60, key, Aggregates(window)));
        return lines;
      },
      false, 1);  // the order of arrival counts
}

TEST_F(Property, SlidingRanges) {
  Check(
      "SELECT k, COUNT(*) OVER w, SUM(v) OVER w, MIN(v) OVER w, COUNT(DISTINCT v) OVER w FROM e"
      " WINDOW w AS (PARTITION BY k RANGE INTERVAL '0.05' SECOND PRECEDING)",
      [](const Events& events, const Events&) {
        Lines lines;
        for (const Event& event : events) {
          Events frame;
          for (const Event& other : events)
            if (other.key == event.key && other.time <= event.time && other.time > event.time - 50)
              frame.push_back(other);
          lines.insert(Line(event.time, event.key, Aggregates(frame)));
        }
        return lines;
      });
}

TEST_F(Property, SlidingRows) {
  Check(
      "SELECT k, COUNT(*) OVER w, SUM(v) OVER w, MIN(v) OVER w, COUNT(DISTINCT v) OVER w FROM e"
      " WINDOW w AS (PARTITION BY k ROWS 3 PRECEDING)",
      [](const Events& events, const Events&) {
        Lines lines;
        for (const auto& [key, rows] : ByKey(events)) {
          for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::size_t first = i < 3 ? 0 : i - 3;
            const Events frame(rows.begin() + static_cast<std::ptrdiff_t>(first),
                               rows.begin() + static_cast<std::ptrdiff_t>(i) + 1);
            lines.insert(Line(rows[i].time, key, Aggregates(frame)));
          }
        }
        return lines;
      },
      false, 1);  // the order of rows of equal time counts
}

constexpr const char* kSliding =
    "SELECT k, COUNT(*) OVER w, SUM(v) OVER w, MIN(v) OVER w, COUNT(DISTINCT v) OVER w FROM e WINDOW w AS ";

TEST_F(Property, SlidingRangesWithTheRowThatIsExactlyAsOld) {
  Check("SET 'sliding.inclusive' = 'true'; " + std::string(kSliding) +
            "(PARTITION BY k RANGE INTERVAL '0.05' SECOND PRECEDING)",
        [](const Events& events, const Events&) {
          Lines lines;
          for (const Event& event : events) {
            Events frame;
            for (const Event& other : events)
              if (other.key == event.key && other.time <= event.time && other.time >= event.time - 50)
                frame.push_back(other);
            lines.insert(Line(event.time, event.key, Aggregates(frame)));
          }
          return lines;
        });
}

// Frames of some 900 rows: of several segments, which go to the spill one by one.
TEST_F(Property, LongSlidingRanges) {
  Check(
      std::string(kSliding) + "(RANGE INTERVAL '10' SECOND PRECEDING)",
      [](const Events& events, const Events&) {
        Lines lines;
        for (const Event& event : events) {
          Events frame;
          for (const Event& other : events)
            if (other.time <= event.time && other.time > event.time - 10'000) frame.push_back(other);
          lines.insert(Line(event.time, event.key, Aggregates(frame)));
        }
        return lines;
      },
      false, 2, 3, 2500);
}

TEST_F(Property, LongSlidingRowsAndAllSoFar) {
  for (const std::size_t before : {std::size_t{700}, std::size_t{100'000}}) {
    Check(
        std::string(kSliding) + (before == 700 ? "(ROWS 700 PRECEDING)" : "(PARTITION BY 1)"),
        [&](const Events& events, const Events&) {
          Lines lines;
          const Events rows = ByTime(events);
          for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::size_t first = i - std::min(i, before);
            // Without a beginning, rows of equal time see each other.
            std::size_t end = i + 1;
            while (before != 700 && end < rows.size() && rows[end].time == rows[i].time) ++end;
            const Events frame(rows.begin() + static_cast<std::ptrdiff_t>(first),
                               rows.begin() + static_cast<std::ptrdiff_t>(end));
            lines.insert(Line(rows[i].time, rows[i].key, Aggregates(frame)));
          }
          return lines;
        },
        false, 1, 3, 1500);
  }
}

// Rows in order within buckets of time: the sequence itself is compared.
TEST_F(Property, SortedBuckets) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    Events events = RandomEvents(random, 200);
    std::vector<std::string> expected;
    Events rows = ByTime(events);
    const auto bucket = [](const Event& event) { return (event.time + 10'000) / 100; };
    std::sort(rows.begin(), rows.end(), [&](const Event& a, const Event& b) {
      return std::tuple(bucket(a), -a.value, a.key, a.time) < std::tuple(bucket(b), -b.value, b.key, b.time);
    });
    for (const Event& row : rows) expected.push_back(Line(row.time, row.key, {row.value}));
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{3000}}) {
      std::vector<std::string> found;
      RunQuery("SELECT k, v FROM e ORDER BY STEP(ROWTIME BY INTERVAL '0.1' SECOND), v DESC, k, ROWTIME",
               events, {}, random, 0, bytes, &found);
      ASSERT_EQ(found, expected) << "round " << round << " with " << bytes << " bytes of memory";
    }
  }
}

TEST_F(Property, OuterJoinsOfStreams) {
  for (const std::string kind : {"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"}) {
    Check(
        "SELECT COALESCE(e.k, f.k), e.v, f.v FROM e " + kind +
            " f ON e.k = f.k AND f.ts BETWEEN e.ts - INTERVAL '0.03' SECOND AND e.ts + INTERVAL '0.05' "
            "SECOND",
        [&](const Events& left, const Events& right) {
          Lines lines;
          std::vector<bool> matched(right.size(), false);
          for (const Event& a : left) {
            bool any = false;
            for (std::size_t i = 0; i < right.size(); ++i) {
              const Event& b = right[i];
              if (a.key != b.key || b.time < a.time - 30 || b.time > a.time + 50) continue;
              any = matched[i] = true;
              lines.insert(Line(std::max(a.time, b.time), a.key, {a.value, b.value}));
            }
            if (!any && (kind == "LEFT JOIN" || kind == "FULL JOIN"))
              lines.insert(Line(a.time + 50, a.key, {a.value, -999}));
          }
          for (std::size_t i = 0; i < right.size(); ++i)
            if (!matched[i] && (kind == "RIGHT JOIN" || kind == "FULL JOIN"))
              lines.insert(Line(right[i].time + 30, right[i].key, {-999, right[i].value}));
          return lines;
        },
        true);
  }
}

}  // namespace
}  // namespace honryu::sql
