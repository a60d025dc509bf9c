#include "honryu/processors/sql/application.h"

#include "honryu/async/runtime.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/codec/kpl.h"
#include "honryu/sql/state_spill.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <thread>

namespace honryu::processors::sql_app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kBase = 1442018700000;  // 2015-09-12T00:45:00Z

class ApplicationTest : public ::testing::Test {
 protected:
  ApplicationTest() {
    std::ifstream file(HONRYU_KPI_APP);
    deployment_.name = "kpi";
    deployment_.sql.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    config_.emit_interval = milliseconds(5);
    config_.checkpoint_interval = milliseconds(5);
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    client::StreamSettings settings;
    settings.shards = 3;
    runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  }
  std::unique_ptr<Application> Start() {
    EXPECT_TRUE(config_.Validate().ok());
    auto application = std::make_unique<Application>(deployment_, config_, client_, runtime_,
                                                     runtime_.executor(0), clock_, registry_);
    application->Start();
    return application;
  }
  void Stop(Application& application) {
    runtime_.BlockOn(application.Stop(std::chrono::steady_clock::now() + seconds(10)));
  }
  void Put(int from, int to) {
    std::vector<client::PutEntry> entries;
    for (int i = from; i < to; ++i) {
      const std::string time = FormatTimestamp(TimestampFromMs(kBase + i * 1000));
      const std::string user = "u" + std::to_string(i % 7);
      entries.push_back(
          {user, Bytes(R"({"event_time":")" + time + R"(","event_type":"edit","user_id":")" + user + "\"}"),
           std::nullopt});
    }
    const auto results = runtime_.BlockOn(client_.Put({}, "events", std::move(entries)));
    for (const auto& result : results.value()) EXPECT_TRUE(result.ok());
  }
  /// By id; the same row must have the same value wherever it comes again.
  std::map<std::string, double> FinalRows() const {
    std::map<std::string, double> rows;
    for (const client::StreamRecord& record : client_.Records("kpi")) {
      const codec::Json row = codec::Json::Parse(record.data.view()).value();
      if (!row.Find("final")->BoolOr(false)) continue;
      const auto [place, fresh] = rows.emplace(row.Find("id")->StringOr(""), row.Find("value")->DoubleOr(-1));
      if (!fresh) EXPECT_EQ(place->second, row.Find("value")->DoubleOr(-1)) << place->first;
    }
    return rows;
  }
  bool Await(const std::function<bool()>& condition) {
    const MonoTime until = std::chrono::steady_clock::now() + seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  /// Lets the clock run, in steps that are small beside the idle timeout, until all windows are closed.
  bool AwaitAll() {
    return Await([&] {
      clock_.Advance(milliseconds(100));
      std::this_thread::sleep_for(milliseconds(1));
      return FinalRows().contains("1d/2015-09-12T00:00:00.000Z/dau/");
    });
  }
  void ExpectTenMinutes() {
    const auto rows = FinalRows();
    for (int minute = 45; minute < 55; ++minute) {
      const std::string window = "1m/2015-09-12T00:" + std::to_string(minute) + ":00.000Z/";
      ASSERT_TRUE(rows.contains(window + "events/")) << window;
      EXPECT_EQ(rows.at(window + "events/"), 60) << window;
      EXPECT_EQ(rows.at(window + "users/event_type=edit"), 7) << window;
    }
    EXPECT_EQ(rows.at("5m/2015-09-12T00:50:00.000Z/events/"), 300);
    EXPECT_EQ(rows.at("5m/2015-09-12T00:50:00.000Z/users/"), 7);
    EXPECT_EQ(rows.at("1h/2015-09-12T00:00:00.000Z/events/"), 600);
    EXPECT_EQ(rows.at("1h/2015-09-12T00:00:00.000Z/error_rate/"), 0);
    EXPECT_EQ(rows.at("1d/2015-09-12T00:00:00.000Z/dau/"), 7);
    EXPECT_TRUE(client_.Records("late-events").empty());
    EXPECT_TRUE(client_.Records("kpi-errors").empty());
  }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  SqlConfig config_;
  sqlapp::Deployment deployment_;
};

TEST_F(ApplicationTest, CountsAReplayAndClosesItsLastWindowsWhenIdle) {
  auto application = Start();
  Put(0, 300);
  Put(300, 600);
  EXPECT_TRUE(AwaitAll());
  EXPECT_TRUE(application->Ready().ok());
  EXPECT_EQ(application->status().rows_in, 600u);
  Stop(*application);
  ExpectTenMinutes();
  EXPECT_TRUE(client_.LeaseOf("sql.kpi", "sql-state", "stream")->owner.empty());
  for (const char* shard : {"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"})
    EXPECT_TRUE(client_.LeaseOf("sql.kpi", "events", shard)->owner.empty());
}

TEST_F(ApplicationTest, AfterAKillInMidWindowAnotherGoesOnAndTheResultIsTheSame) {
  config_.idle_timeout = seconds(30);
  auto killed = Start();
  Put(0, 250);
  EXPECT_TRUE(Await([&] { return !FinalRows().empty(); }));
  runtime_.BlockOn(killed->Abandon());
  Put(250, 600);
  auto heir = Start();
  clock_.Advance(seconds(11));  // the leases of the killed one run out
  EXPECT_TRUE(Await([&] { return FinalRows().contains("1m/2015-09-12T00:52:00.000Z/events/"); }));
  EXPECT_TRUE(AwaitAll());
  Stop(*heir);
  ExpectTenMinutes();
}

TEST_F(ApplicationTest, OfTwoThatRunOneStandsByAndTakesOver) {
  config_.idle_timeout = seconds(30);
  auto first = Start();
  EXPECT_TRUE(Await([&] { return first->status().owner; }));
  auto second = Start();
  Put(0, 400);
  EXPECT_TRUE(Await([&] { return FinalRows().contains("1m/2015-09-12T00:45:00.000Z/events/"); }));
  EXPECT_FALSE(second->status().owner);
  EXPECT_TRUE(second->Ready().ok());
  Stop(*first);  // gracefully: at once
  EXPECT_TRUE(Await([&] { return second->status().owner; }));
  Put(400, 600);
  EXPECT_TRUE(AwaitAll());
  Stop(*second);
  ExpectTenMinutes();
}

TEST_F(ApplicationTest, ResultsThatCannotBeStoredAreStoredLater) {
  auto application = Start();
  Put(0, 600);
  client_.FailPuts(5, Error(ErrorCode::kUnavailable, "disk full"));
  client_.FailSaves(2, Error(ErrorCode::kUnavailable, "disk full"));
  EXPECT_TRUE(AwaitAll());
  Stop(*application);
  ExpectTenMinutes();
}

TEST_F(ApplicationTest, AShardSplitInMidWindowLosesAndDoublesNothing) {
  auto application = Start();
  Put(0, 300);
  client_.Split("events", "shardId-000000000001");
  Put(300, 600);
  // The clock stands still until the children are read, or all shards known would be idle before.
  EXPECT_TRUE(Await([&] {
    return client_.LeaseOf("sql.kpi", "events", "shardId-000000000003").has_value() &&
           client_.LeaseOf("sql.kpi", "events", "shardId-000000000004").has_value();
  }));
  EXPECT_TRUE(AwaitAll());
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    return client_.LeaseOf("sql.kpi", "events", "shardId-000000000001")->finished;
  }));
  Stop(*application);
  ExpectTenMinutes();
}

TEST_F(ApplicationTest, AStreamMadeAnewIsReadFromItsBeginning) {
  config_.lease_duration = milliseconds(60);  // the loss of the leases is seen at the next renewal
  auto application = Start();
  Put(0, 300);
  EXPECT_TRUE(Await([&] {
    const auto lease = client_.LeaseOf("sql.kpi", "events", "shardId-000000000000");
    return lease.has_value() && lease->checkpoint.has_value() &&
           FinalRows().contains("1m/2015-09-12T00:46:00.000Z/events/");
  }));
  client_.DeleteStream("events");
  client::StreamSettings settings;
  settings.shards = 3;
  runtime_.BlockOn(client_.EnsureStream({}, "events", settings)).value();
  Put(300, 600);
  EXPECT_TRUE(Await([&] { return FinalRows().contains("1m/2015-09-12T00:52:00.000Z/events/"); }));
  EXPECT_EQ(FinalRows().at("1m/2015-09-12T00:50:00.000Z/events/"), 60);
  Stop(*application);
}

TEST_F(ApplicationTest, ALargeStateGoesThroughTheStateStream) {
  // 3000 groups a second apart, all open: far more than stands in a lease.
  deployment_.sql =
      "INSERT INTO counts SELECT \"user_id\", COUNT(*) AS n FROM events GROUP BY \"user_id\", FLOOR(ROWTIME "
      "TO HOUR);";
  const auto put = [this](int from, int to) {
    std::vector<client::PutEntry> entries;
    for (int i = from; i < to; ++i) {
      const std::string user =
          "user-" + std::to_string(i * 7919 % 100003) + "-" + std::to_string(i * 104729 % 99991);
      entries.push_back(
          {user, Bytes(R"({"event_time":)" + std::to_string(kBase + i) + R"(,"user_id":")" + user + "\"}"),
           std::nullopt});
    }
    runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  };
  config_.idle_timeout = seconds(30);
  auto killed = Start();
  put(0, 9000);
  EXPECT_TRUE(
      Await([&] { return killed->status().rows_in == 9000 && client_.Records("sql-state").size() > 1; }));
  runtime_.BlockOn(killed->Abandon());
  auto heir = Start();
  clock_.Advance(seconds(11));
  put(0, 9000);
  EXPECT_TRUE(Await([&] { return heir->status().owner && heir->status().rows_in == 18000; }));
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));  // small beside the patience with shards that give no answer
    std::this_thread::sleep_for(milliseconds(1));
    return client_.Records("counts").size() >= 9000;
  }));
  Stop(*heir);
  std::map<std::string, int> rows;
  for (const client::StreamRecord& record : client_.Records("counts")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    EXPECT_EQ(row.Find("N")->IntOr(0), 2);
    ++rows[std::string(row.Find("user_id")->StringOr(""))];
  }
  EXPECT_EQ(rows.size(), 9000u);
  EXPECT_EQ(registry_.Render().find("honryu_sql_rebuilt_total{application=\"kpi\"} 1"), std::string::npos);
}

TEST_F(ApplicationTest, StateBeyondItsBoundGoesToTheSpillAndTheRowsAreTheSame) {
  deployment_.sql =
      "INSERT INTO counts SELECT \"user_id\", COUNT(*) AS n FROM events GROUP BY \"user_id\", FLOOR(ROWTIME "
      "TO HOUR);";
  config_.max_state = ByteSize{64 << 10};
  std::size_t most = 0;
  const SpillFactory make = [&most](const std::string& name) -> Result<std::unique_ptr<sql::StateSpill>> {
    struct Watched final : sql::StateSpill {
      explicit Watched(std::size_t& m) : most(m) {}
      Result<void> Put(std::span<const Entry> entries) override {
        Result<void> put = memory.Put(entries);
        most = std::max(most, memory.Bytes());
        return put;
      }
      Result<std::optional<std::string>> Get(std::string_view key) override { return memory.Get(key); }
      Result<void> Erase(std::span<const std::string> keys) override { return memory.Erase(keys); }
      Result<void> EraseRange(std::string_view from, std::string_view to) override {
        return memory.EraseRange(from, to);
      }
      Result<void> Scan(std::string_view from, std::string_view to, const Visitor& visit) override {
        return memory.Scan(from, to, visit);
      }
      std::size_t Bytes() const override { return memory.Bytes(); }
      sql::MemorySpill memory{64 << 20};
      std::size_t& most;
    };
    EXPECT_TRUE(name.starts_with("kpi-"));
    return std::unique_ptr<sql::StateSpill>(std::make_unique<Watched>(most));
  };
  Application application(deployment_, config_, client_, runtime_, runtime_.executor(0), clock_, registry_,
                          make);
  application.Start();
  std::vector<client::PutEntry> entries;
  for (int i = 0; i < 6000; ++i) {
    const std::string user = "user-" + std::to_string(i % 3000);
    entries.push_back(
        {user, Bytes(R"({"event_time":)" + std::to_string(kBase + i) + R"(,"user_id":")" + user + "\"}"),
         std::nullopt});
  }
  runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    std::this_thread::sleep_for(milliseconds(1));
    return client_.Records("counts").size() >= 3000;
  }));
  Stop(application);
  std::map<std::string, std::int64_t> rows;
  for (const client::StreamRecord& record : client_.Records("counts")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    rows[std::string(row.Find("user_id")->StringOr(""))] += row.Find("N")->IntOr(0);
  }
  EXPECT_EQ(rows.size(), 3000u);
  for (const auto& [user, count] : rows) EXPECT_EQ(count, 2) << user;
  EXPECT_GT(most, 0u);
}

TEST_F(ApplicationTest, RecordsAreOpenedAndWhatDoesNotOpenStopsNobody) {
  deployment_.sql = "INSERT INTO plain SELECT \"user_id\" AS u FROM events;";
  const auto event = [](int i) {
    return R"({"event_time":)" + std::to_string(kBase + i) + R"(,"user_id":"u)" + std::to_string(i) + "\"}";
  };
  const auto put = [this](std::vector<std::string> datas) {
    std::vector<client::PutEntry> entries;
    for (std::string& data : datas) entries.push_back({"one key", Bytes(std::move(data)), std::nullopt});
    runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  };
  const auto gzip = [](std::string_view plain) {
    return codec::Compress(codec::Compression::kGzip, plain).value();
  };
  const auto aggregate = [](const std::vector<std::string>& datas) {
    codec::KplAggregateWriter writer(~std::size_t{0});
    for (const std::string& data : datas) writer.Add({"one key", std::nullopt, data});
    return writer.Finish();
  };
  const std::string broken = gzip(event(99)).substr(0, 30);
  auto killed = Start();
  put({broken, event(0), aggregate({event(1), broken, gzip(event(2) + "\n" + event(3))})});
  EXPECT_TRUE(Await([&] { return client_.Records("plain").size() >= 4; }));
  runtime_.BlockOn(killed->Abandon());
  put({"[" + event(4) + "," + event(5) + "]", broken});
  auto heir = Start();
  clock_.Advance(seconds(11));
  EXPECT_TRUE(Await([&] { return client_.Records("plain").size() >= 6 && heir->status().error_rows >= 3; }));
  EXPECT_TRUE(heir->Ready().ok());
  Stop(*heir);
  // By id: what a repetition gives again is the same.
  std::map<std::string, std::string> rows, errors;
  for (const client::StreamRecord& record : client_.Records("plain")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    const auto [place, fresh] = rows.emplace(row.Find("_id")->StringOr(""), row.Find("U")->StringOr(""));
    if (!fresh) EXPECT_EQ(place->second, row.Find("U")->StringOr(""));
  }
  std::set<std::string> users;
  for (const auto& [id, user] : rows) users.insert(user);
  EXPECT_EQ(rows.size(), 6u);
  EXPECT_EQ(users, (std::set<std::string>{"u0", "u1", "u2", "u3", "u4", "u5"}));
  for (const client::StreamRecord& record : client_.Records("kpi-errors")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    EXPECT_EQ(row.Find("ERROR_NAME")->StringOr(""), "Unopenable");
    errors[std::string(row.Find("_id")->StringOr(""))] = row.Find("MESSAGE")->StringOr("");
  }
  EXPECT_EQ(errors.size(), 3u);
}

TEST_F(ApplicationTest, ARepetitionJoinsWhatAReferenceTableHadThen) {
  const std::string path =
      ::testing::TempDir() + "honryu_application_test_" + std::to_string(::getpid()) + ".csv";
  const auto write = [&path](const std::string& team) {
    std::ofstream file(path + ".new");
    file << "user_id,team,filler\n";
    for (int i = 0; i < 7; ++i) file << "u" << i << "," << team << ",\n";
    for (int i = 0; i < 4000; ++i) file << "nobody-" << i * 7919 % 100003 << "," << team << ",x\n";
    file.close();
    std::filesystem::rename(path + ".new", path);
  };
  write("red");
  deployment_.sql =
      "CREATE REFERENCE TABLE teams (user_id VARCHAR, team VARCHAR) WITH (source = 'file:" + path +
      "', refresh = '100ms');"
      "CREATE STREAM joined (team VARCHAR) WITH (stream = 'joined');"
      "INSERT INTO joined SELECT t.team FROM events e JOIN teams t ON e.\"user_id\" = t.user_id;"
      "INSERT INTO counts SELECT team, COUNT(*) AS n FROM joined GROUP BY team, FLOOR(ROWTIME TO HOUR);";
  config_.idle_timeout = seconds(30);
  config_.checkpoint_interval = std::chrono::hours(1);  // all of it is repeated
  // By id: what comes again must be the same.
  const auto rows = [this](const std::string& stream, const char* column) {
    std::map<std::string, std::string> found;
    for (const client::StreamRecord& record : client_.Records(stream)) {
      const codec::Json row = codec::Json::Parse(record.data.view()).value();
      const auto [place, fresh] = found.emplace(row.Find("_id")->StringOr(""), row.Find(column)->Dump());
      if (!fresh) EXPECT_EQ(place->second, row.Find(column)->Dump());
    }
    return found;
  };
  const auto count = [&rows](const std::string& team) {
    const auto found = rows("joined", "TEAM");
    return std::count_if(found.begin(), found.end(),
                         [&team](const auto& row) { return row.second == "\"" + team + "\""; });
  };
  auto killed = Start();
  Put(0, 100);
  EXPECT_TRUE(Await([&] { return count("red") == 100; }));
  write("blue");
  int put = 100;
  EXPECT_TRUE(Await([&] {
    Put(put, put + 10);
    put += 10;
    std::this_thread::sleep_for(milliseconds(20));
    return count("blue") > 0;
  }));
  EXPECT_TRUE(Await([&] { return count("red") + count("blue") == put; }));
  const auto red = count("red"), blue = count("blue");
  runtime_.BlockOn(killed->Abandon());
  write("green");
  auto heir = Start();
  clock_.Advance(seconds(11));
  EXPECT_TRUE(Await([&] {
    Put(put, put + 10);
    put += 10;
    std::this_thread::sleep_for(milliseconds(20));
    return count("green") > 0;
  }));
  std::filesystem::remove(path);  // what it had stays
  Put(put, put + 10);
  put += 10;
  EXPECT_TRUE(Await([&] { return count("red") + count("blue") + count("green") == put; }));
  EXPECT_EQ(count("red"), red);
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    std::this_thread::sleep_for(milliseconds(1));
    return client_.Records("counts").size() >= 3;
  }));
  Stop(*heir);
  EXPECT_GE(count("blue"), blue);
  std::map<std::string, std::int64_t> counts;
  for (const client::StreamRecord& record : client_.Records("counts")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    counts[std::string(row.Find("TEAM")->StringOr(""))] = row.Find("N")->IntOr(0);
  }
  EXPECT_EQ(counts["red"], red);
  EXPECT_EQ(counts["blue"], count("blue"));
  EXPECT_EQ(counts["green"], count("green"));
  EXPECT_EQ(client_.LeaseOf("sql.kpi", "sql-state", "stream")->state.find("\"at_snapshot\":false"),
            std::string::npos);
}

TEST_F(ApplicationTest, WhatAQuietApplicationHasStoredDoesNotExpire) {
  deployment_.sql =
      "INSERT INTO counts SELECT \"user_id\", COUNT(*) AS n FROM events GROUP BY \"user_id\", FLOOR(ROWTIME "
      "TO YEAR);";
  config_.idle_timeout = std::chrono::hours(24 * 365);
  config_.checkpoint_interval = std::chrono::hours(1);  // none is due while the test lasts
  auto application = Start();
  std::vector<client::PutEntry> entries;
  for (int i = 0; i < 9000; ++i) {
    const std::string user = "user-" + std::to_string(i * 7919 % 100003);
    entries.push_back(
        {user, Bytes(R"({"event_time":)" + std::to_string(kBase + i) + R"(,"user_id":")" + user + "\"}"),
         std::nullopt});
  }
  runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  EXPECT_TRUE(Await([&] { return application->status().rows_in == 9000; }));
  application->RequestSavepoint("old", 1);
  const auto place = [this](const char* what) {
    const codec::Json state =
        codec::Json::Parse(client_.LeaseOf("sql.kpi", "sql-state", "stream")->state).value();
    const codec::Json* found = state.Find(what);
    if (std::string_view(what) == "savepoints")
      found = found->array().empty() ? nullptr : found->array()[0].Find("place");
    const codec::Json* id = found == nullptr ? nullptr : found->Find("id");
    return id == nullptr ? 0 : id->IntOr(0);
  };
  EXPECT_TRUE(Await([&] { return place("savepoints") != 0 && place("snapshot") != 0; }));
  const std::int64_t snapshot = place("snapshot"), savepoint = place("savepoints");
  clock_.Advance(std::chrono::hours(49));  // nothing comes meanwhile; the stream keeps a week
  EXPECT_TRUE(Await([&] { return place("snapshot") != snapshot && place("savepoints") != savepoint; }));
  Stop(*application);
}

TEST_F(ApplicationTest, AnEditedProgramBeginsAnewAndASavepointIsGoneOnFrom) {
  deployment_.sql =
      "SET 'epochs' = 'false'; INSERT INTO counts SELECT COUNT(*) AS n FROM events GROUP BY FLOOR(ROWTIME TO "
      "MINUTE);";
  const auto counted = [this] {
    int all = 0;
    for (const client::StreamRecord& record : client_.Records("counts"))
      all += static_cast<int>(codec::Json::Parse(record.data.view())->Find("N")->IntOr(0));
    return all;
  };
  config_.idle_timeout = seconds(30);
  auto first = Start();
  Put(0, 300);
  EXPECT_TRUE(Await([&] { return counted() == 180; }));  // the watermark is a minute behind
  first->RequestSavepoint("middle", 1);
  EXPECT_TRUE(Await([&] {
    return client_.LeaseOf("sql.kpi", "sql-state", "stream")->state.find("middle") != std::string::npos;
  }));
  Put(300, 600);
  EXPECT_TRUE(Await([&] { return counted() == 480; }));
  // One that stood by has heard of the request, too: it is not answered again when it takes over.
  const auto savepoint = [this] {
    const codec::Json state =
        codec::Json::Parse(client_.LeaseOf("sql.kpi", "sql-state", "stream")->state).value();
    return state.Find("savepoints")->array().at(0).Find("id")->IntOr(0);
  };
  const std::int64_t taken = savepoint();
  auto stand_by = Start();
  stand_by->RequestSavepoint("middle", 1);
  Stop(*first);
  const std::string before = client_.LeaseOf("sql.kpi", "sql-state", "stream")->state;
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(10));
    return stand_by->status().owner && client_.LeaseOf("sql.kpi", "sql-state", "stream")->state != before;
  }));
  Stop(*stand_by);
  EXPECT_EQ(savepoint(), taken);
  deployment_.version = 2;
  deployment_.from = "savepoint:middle";
  auto second = Start();
  EXPECT_TRUE(Await([&] { return counted() == 480 + 300; }));
  Stop(*second);
  deployment_.version = 3;
  deployment_.from = "trim_horizon";
  auto third = Start();
  EXPECT_TRUE(Await([&] { return counted() == 780 + 480; }));
  Stop(*third);
}

TEST_F(ApplicationTest, AnHeirWithOtherLanesGivesTheSameRows) {
  deployment_.sql =
      "INSERT INTO plain SELECT \"user_id\" AS u, \"event_type\" AS t FROM events WHERE \"event_type\" = "
      "'seen';"
      "INSERT INTO counts SELECT \"user_id\" AS u, COUNT(*) AS n FROM events GROUP BY \"user_id\", "
      "FLOOR(ROWTIME TO HOUR);";
  config_.idle_timeout = seconds(30);
  config_.checkpoint_interval = std::chrono::hours(1);  // nothing is saved but the cuts
  config_.emit_interval = milliseconds(50);
  config_.lanes = 3;
  const auto put = [this](int from, int to) {
    std::vector<client::PutEntry> entries;
    for (int i = from; i < to; ++i) {
      const std::string user = "u" + std::to_string(i % 50);
      entries.push_back({std::to_string(i),
                         Bytes(R"({"event_time":)" + std::to_string(kBase + i) + R"(,"user_id":")" + user +
                               R"(","event_type":")" + (i % 4 == 0 ? "seen" : "other") +
                               R"(","session_id":")" + std::string(100, 's') + "\"}"),
                         std::nullopt});
    }
    runtime_.BlockOn(client_.Put({}, "events", std::move(entries))).value();
  };
  put(0, 3000);  // some 250 KB in each of three shards
  auto killed = Start();
  EXPECT_TRUE(
      Await([&] { return killed->status().rows_in == 3000 && client_.Records("plain").size() >= 750; }));
  runtime_.BlockOn(killed->Abandon());
  EXPECT_NE(registry_.Render().find("honryu_sql_lane_cuts_total{application=\"kpi\"}"), std::string::npos);
  EXPECT_EQ(registry_.Render().find("honryu_sql_lane_cuts_total{application=\"kpi\"} 0"), std::string::npos);
  config_.lanes = 1;
  put(3000, 6000);
  auto heir = Start();
  clock_.Advance(seconds(11));
  EXPECT_TRUE(Await([&] { return heir->status().rows_in == 6000; }));
  EXPECT_TRUE(Await([&] {
    clock_.Advance(milliseconds(100));
    std::this_thread::sleep_for(milliseconds(1));
    return client_.Records("counts").size() >= 50;
  }));
  Stop(*heir);
  std::map<std::string, std::string> rows;
  std::map<std::string, int> users;
  for (const client::StreamRecord& record : client_.Records("plain")) {
    const codec::Json row = codec::Json::Parse(record.data.view()).value();
    const std::string user(row.Find("U")->StringOr(""));
    const auto [place, fresh] = rows.emplace(row.Find("_id")->StringOr(""), user);
    if (fresh) ++users[user];
    if (!fresh) EXPECT_EQ(place->second, user) << place->first;
  }
  EXPECT_EQ(rows.size(), 1500u);
  for (const auto& [user, times] : users) EXPECT_EQ(times, 60) << user;
  for (const client::StreamRecord& record : client_.Records("counts"))
    EXPECT_EQ(codec::Json::Parse(record.data.view())->Find("N")->IntOr(0), 120);
}

TEST_F(ApplicationTest, ARepetitionWithoutASnapshotBeginsWhereTheFirstOwnersClockDid) {
  deployment_.sql = "INSERT INTO plain SELECT \"user_id\" AS u, CURRENT_TIMESTAMP AS began FROM events;";
  config_.checkpoint_interval = std::chrono::hours(1);
  auto killed = Start();
  Put(0, 5);
  EXPECT_TRUE(Await([&] { return client_.Records("plain").size() >= 5; }));
  runtime_.BlockOn(killed->Abandon());
  clock_.Advance(seconds(11));
  auto heir = Start();
  Put(5, 10);
  EXPECT_TRUE(Await([&] { return client_.Records("plain").size() >= 10; }));
  runtime_.BlockOn(heir->Abandon());
  std::set<std::string> times;
  for (const client::StreamRecord& record : client_.Records("plain"))
    times.emplace(codec::Json::Parse(record.data.view())->Find("BEGAN")->StringOr(""));
  EXPECT_EQ(times.size(), 1u) << ::testing::PrintToString(times);
}

}  // namespace
}  // namespace honryu::processors::sql_app
