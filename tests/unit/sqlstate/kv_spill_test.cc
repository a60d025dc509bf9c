#include "honryu/sqlstate/kv_spill.h"

#include "honryu/base/random.h"
#include "honryu/sql/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace honryu::sqlstate {
namespace {

class KvSpillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("honryu-spill-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    kv::OpenOptions options;
    options.path = path_.string();
    auto opened = kv::Database::Open(options, "append-");
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    database_ = std::move(*opened);
  }
  void TearDown() override {
    database_.reset();
    std::filesystem::remove_all(path_);
  }
  std::unique_ptr<KvSpill> Open(std::size_t max_bytes) {
    auto spill = KvSpill::Open(*database_, "spill", max_bytes);
    EXPECT_TRUE(spill.ok()) << spill.error().message();
    return std::move(*spill);
  }

  std::filesystem::path path_;
  std::unique_ptr<kv::Database> database_;
};

std::vector<std::string> All(sql::StateSpill& spill, std::string_view from, std::string_view to) {
  std::vector<std::string> found;
  const auto scanned = spill.Scan(from, to, [&](std::string_view key, std::string_view value) {
    found.push_back(std::string(key) + "=" + std::string(value));
    return true;
  });
  EXPECT_TRUE(scanned.ok());
  return found;
}

TEST_F(KvSpillTest, DoesWhatTheOneInMemoryDoes) {
  constexpr std::size_t kRoom = 400;
  const auto spill = Open(kRoom);
  sql::MemorySpill model(kRoom);
  Random random(5);
  const auto key = [&] { return std::string(1 + random.Below(3), static_cast<char>('a' + random.Below(6))); };
  std::size_t full = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::uint64_t what = random.Below(100);
    if (what < 50) {
      std::vector<sql::StateSpill::Entry> entries;
      std::vector<std::string> keys;
      while (entries.empty() || random.Chance(0.5)) {
        std::string next = key();
        if (std::find(keys.begin(), keys.end(), next) != keys.end()) break;  // one of each in a batch
        keys.push_back(next);
        entries.emplace_back(std::move(next), std::string(random.Below(40), 'x'));
      }
      const auto one = spill->Put(entries), other = model.Put(entries);
      ASSERT_EQ(one.ok(), other.ok());
      if (one.ok()) continue;
      ASSERT_EQ(one.error().code(), ErrorCode::kUnavailable);
      ++full;
    } else if (what < 70) {
      const std::string wanted = key();
      ASSERT_EQ(*spill->Get(wanted), *model.Get(wanted));
    } else if (what < 85) {
      const std::vector<std::string> keys = {key()};
      ASSERT_TRUE(spill->Erase(keys).ok() && model.Erase(keys).ok());
    } else {
      std::string from = key(), to = random.Chance(0.2) ? std::string() : key();
      if (!to.empty() && to < from) std::swap(from, to);
      ASSERT_EQ(All(*spill, from, to), All(model, from, to));
      if (what < 90) ASSERT_TRUE(spill->EraseRange(from, to).ok() && model.EraseRange(from, to).ok());
      if (what == 99) ASSERT_TRUE(spill->EraseRange({}, {}).ok() && model.EraseRange({}, {}).ok());
    }
    ASSERT_EQ(spill->Bytes(), model.Bytes());
  }
  EXPECT_GT(full, 0u);
}

TEST_F(KvSpillTest, WhatAnEarlierProcessLeftIsGone) {
  auto family = database_->CreateFamily("spill", kv::Layout::kGeneral);
  ASSERT_TRUE(family.ok());
  kv::WriteBatch batch;
  batch.Put(**family, "old", "value");
  ASSERT_TRUE(database_->Write(batch, false).ok());
  family->reset();
  const auto spill = Open(1000);
  EXPECT_TRUE(All(*spill, {}, {}).empty());
}

TEST_F(KvSpillTest, AnEngineGivesTheSameRowsWithIt) {
  const std::string sql =
      "SELECT k, COUNT(*) AS n FROM e GROUP BY k, FLOOR(ts TO MINUTE);"
      "SELECT k, SUM(v) AS s FROM e GROUP BY k, SESSION(ts, INTERVAL '10' SECOND);"
      "SELECT k, SUM(v) OVER (PARTITION BY k RANGE INTERVAL '20' SECOND PRECEDING) AS s FROM e;"
      "SELECT SUM(v / 7.0) OVER (RANGE INTERVAL '60' SECOND PRECEDING) AS s FROM e;"
      "SELECT a.k, a.v AS x, b.v AS y FROM e AS a LEFT JOIN e AS b WITHIN 5 SECONDS ON a.k = b.k AND a.v < "
      "b.v;"
      "SELECT k, v FROM e ORDER BY FLOOR(ROWTIME TO MINUTE), v DESC, k;";
  std::vector<std::string> results[2];
  for (const bool with : {false, true}) {
    const auto spill = Open(100'000'000);
    sql::EngineOptions options;
    options.max_state_bytes = with ? 100'000 : 0;
    options.spill = spill.get();
    std::vector<std::string>& rows = results[with ? 1 : 0];
    auto engine = sql::Engine::Create(
        "CREATE STREAM e (k VARCHAR, v BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND);",
        sql, options, [&](const sql::OutputRow& output) {
          rows.push_back(std::to_string(output.row.time) + sql::RowToJson(output.columns, output.row.values));
        });
    ASSERT_TRUE(engine.ok());
    Random random(9);
    const std::size_t source = *(*engine)->FindSource("e"), shard = (*engine)->AddShard(source, "0");
    std::size_t most = 0;
    for (std::int64_t i = 0; i < 3000; ++i) {
      const std::string json = "{\"k\":\"k" + std::to_string(random.Below(700)) +
                               "\",\"v\":" + std::to_string(random.Below(9)) +
                               ",\"ts\":" + std::to_string(i * 50) + "}";
      sql::SourceRecord record;
      record.data = json;
      record.arrival_ms = i * 50;
      (*engine)->Push(source, shard, record);
      most = std::max(most, spill->Bytes());
    }
    (*engine)->Finish();
    EXPECT_TRUE((*engine)->Status().ok());
    EXPECT_EQ(most > 0, with);
    EXPECT_EQ(spill->Bytes(), 0u);
    std::sort(rows.begin(), rows.end());
  }
  EXPECT_GT(results[0].size(), 1000u);
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace honryu::sqlstate
