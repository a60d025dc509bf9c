#include "honryu/views/kpi_store.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

namespace honryu::views {
namespace {

constexpr std::int64_t kMinute = 60000;

KpiRow Row(const std::string& metric, const std::string& group, std::int64_t start, double value,
           bool final = false, std::uint64_t revision = 1) {
  KpiRow row;
  row.metric = metric;
  row.window = "1m";
  row.group = group;
  row.start = TimestampFromMs(start);
  row.end = TimestampFromMs(start + kMinute);
  row.value = value;
  row.final = final;
  row.revision = revision;
  return row;
}

SequenceNumber At(std::uint64_t n) {
  SequenceNumber sequence;
  sequence.words[2] = n;
  return sequence;
}

KpiQuery Query(const std::string& metric, std::int64_t from, std::int64_t to) {
  KpiQuery query;
  query.metric = metric;
  query.from = TimestampFromMs(from);
  query.to = TimestampFromMs(to);
  return query;
}

/// The contract, for both stores.
class KpiStoreTest : public ::testing::TestWithParam<bool> {
 protected:
  KpiStoreTest() {
    path_ = (std::filesystem::temp_directory_path() / ("honryu-kpi-" + RandomUuid())).string();
    Reopen();
  }
  ~KpiStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void Reopen() {
    store_.reset();
    if (!GetParam()) {
      store_ = MakeMemoryKpiStore(limits_);
      return;
    }
    Result<std::unique_ptr<KpiStore>> opened = OpenKpiStore(path_, limits_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store_ = std::move(*opened);
  }
  void Apply(const std::vector<KpiRow>& rows, std::uint64_t position = 1) {
    store_->Apply(rows, "shard-0", At(position)).value();
  }
  KpiLimits limits_;
  std::string path_;
  std::unique_ptr<KpiStore> store_;
};

TEST_P(KpiStoreTest, AFinalRowStaysAndTheHigherRevisionWins) {
  Apply({Row("events", "", 0, 5, false, 5), Row("events", "", 0, 3, false, 3)});
  EXPECT_EQ(store_->Find(Query("events", 0, kMinute))->at(0).value, 5);
  Apply({Row("events", "", 0, 4, true, 4)});  // final beats a partial one of any revision
  Apply({Row("events", "", 0, 9, false, 9)});
  const auto rows = store_->Find(Query("events", 0, kMinute)).value();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], Row("events", "", 0, 4, true, 4));
  Apply({Row("events", "", 0, 6, true, 6)});
  EXPECT_EQ(store_->Find(Query("events", 0, kMinute))->at(0).value, 6);
}

TEST_P(KpiStoreTest, FindsByTimeInOrder) {
  for (const std::int64_t start : {2 * kMinute, -3 * kMinute, 0L, kMinute})
    Apply({Row("events", "", start, static_cast<double>(start)), Row("users", "", start, 1)});
  const auto rows = store_->Find(Query("events", -3 * kMinute, 2 * kMinute)).value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(ToMs(rows[0].start), -3 * kMinute);
  EXPECT_EQ(ToMs(rows[2].start), kMinute);
  EXPECT_TRUE(store_->Find(Query("events", 5, 5))->empty());
  EXPECT_TRUE(store_->Find(Query("errors", 0, kMinute))->empty());
}

TEST_P(KpiStoreTest, FindsAllGroupsOfADimension) {
  Apply({Row("events", "", 0, 3), Row("events", "type=a", 0, 1), Row("events", "type=b", 0, 2),
         Row("events", "type=a", kMinute, 4), Row("events", "typed=x", 0, 7), Row("users", "type=c", 0, 1)});
  KpiQuery query = Query("events", 0, 10 * kMinute);
  query.group = "type";
  query.all_groups = true;
  const auto rows = store_->Find(query).value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].group, "type=a");
  EXPECT_EQ(rows[1].group, "type=b");
  EXPECT_EQ(ToMs(rows[2].start), kMinute);
  query.limit = 2;
  EXPECT_EQ(store_->Find(query).error().code(), ErrorCode::kTooLarge);
  query.limit = 3;
  EXPECT_TRUE(store_->Find(query).ok());
}

TEST_P(KpiStoreTest, ListsMetricsWindowsAndGroups) {
  KpiRow hour = Row("events", "type=a", 0, 1);
  hour.window = "1h";
  Apply({Row("events", "", 0, 1), hour, Row("users", "", 0, 1)});
  const auto metrics = store_->Metrics().value();
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].metric, "events");
  EXPECT_EQ(metrics[0].windows, (std::vector<std::string>{"1h", "1m"}));
  EXPECT_EQ(metrics[0].groups, (std::vector<std::string>{"", "type=a"}));
}

TEST_P(KpiStoreTest, OpenRowsAreThoseNotYetFinal) {
  Apply({Row("events", "", 0, 1), Row("events", "", kMinute, 1)});
  EXPECT_EQ(store_->Open().size(), 2u);
  Apply({Row("events", "", 0, 1, true)});
  ASSERT_EQ(store_->Open().size(), 1u);
  EXPECT_EQ(ToMs(store_->Open()[0].start), kMinute);
}

TEST_P(KpiStoreTest, TheListenerHearsOnlyWhatChanged) {
  std::vector<KpiRow> heard;
  store_->SetListener([&heard](const std::vector<KpiRow>& rows) { heard = rows; });
  Apply({Row("events", "", 0, 5, true)});
  EXPECT_EQ(heard.size(), 1u);
  heard.clear();
  Apply({Row("events", "", 0, 9, false), Row("events", "", kMinute, 1)});
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(ToMs(heard[0].start), kMinute);
  store_->SetListener(nullptr);
  heard.clear();
  Apply({Row("events", "", 2 * kMinute, 1)});
  EXPECT_TRUE(heard.empty());
}

TEST_P(KpiStoreTest, DropsOldRowsAndForgetsEmptySeries) {
  std::vector<KpiRow> rows;
  for (int i = 0; i < 2500; ++i) rows.push_back(Row("events", "", i * kMinute, i, i % 2 == 0));
  rows.push_back(Row("users", "old", 0, 1));
  Apply(rows);
  EXPECT_EQ(store_->DropBefore(TimestampFromMs(2400 * kMinute)).value(), 2401u);
  EXPECT_EQ(store_->Find(Query("events", 0, 3000 * kMinute))->size(), 100u);
  EXPECT_EQ(store_->Metrics()->size(), 1u);
  EXPECT_EQ(store_->Open().size(), 50u);
  EXPECT_EQ(store_->DropBefore(TimestampFromMs(0)).value(), 0u);
}

TEST_P(KpiStoreTest, SeriesAreBoundedAndRowsBeyondAreLeftOut) {
  limits_.max_series = 3;
  Reopen();
  Apply({Row("events", "", 0, 1), Row("events", "type=a", 0, 1), Row("events", "type=b", 0, 1),
         Row("events", "type=c", 0, 1), Row("events", "type=a", kMinute, 1)});
  EXPECT_EQ(store_->refused_rows(), 1u);
  EXPECT_EQ(store_->Metrics()->at(0).groups, (std::vector<std::string>{"", "type=a", "type=b"}));
  Apply({Row("events", "type=d", 0, 1), Row("events", "type=b", 2 * kMinute, 7)}, 2);
  EXPECT_EQ(store_->refused_rows(), 2u);
  EXPECT_EQ(store_->Positions()->at("shard-0"), At(2));
  KpiQuery query = Query("events", 0, 10 * kMinute);
  query.group = "type";
  query.all_groups = true;
  EXPECT_EQ(store_->Find(query)->size(), 4u);
  EXPECT_EQ(store_->DropBefore(TimestampFromMs(kMinute)).value(), 3u);  // "" is empty now: room for another
  Apply({Row("events", "type=d", 3 * kMinute, 1)});
  EXPECT_EQ(store_->refused_rows(), 2u);
  EXPECT_EQ(store_->Metrics()->at(0).groups, (std::vector<std::string>{"type=a", "type=b", "type=d"}));
}

TEST_P(KpiStoreTest, NamesAreMetricsWithoutGroups) {
  KpiRow hour = Row("events", "type=a", 0, 1);
  hour.window = "1h";
  Apply({Row("events", "", 0, 1), hour, Row("users", "", 0, 1)});
  const auto names = store_->Names();
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0].windows, (std::vector<std::string>{"1h", "1m"}));
  EXPECT_TRUE(names[0].groups.empty());
  store_->DropBefore(TimestampFromMs(kMinute)).value();
  EXPECT_TRUE(store_->Names().empty());
  EXPECT_TRUE(store_->Metrics()->empty());
}

TEST_P(KpiStoreTest, PositionsAreKeptByShard) {
  store_->Apply({}, "a", At(7)).value();
  store_->Apply({}, "b", At(8)).value();
  store_->Apply({Row("events", "", 0, 1)}, "a", At(9)).value();
  EXPECT_EQ(store_->Positions().value(), (KpiStore::Position{{"a", At(9)}, {"b", At(8)}}));
}

INSTANTIATE_TEST_SUITE_P(Stores, KpiStoreTest, ::testing::Values(false, true),
                         [](const auto& param) { return param.param ? "RocksDb" : "Memory"; });

class KpiStoreOnDisk : public KpiStoreTest {};
INSTANTIATE_TEST_SUITE_P(Stores, KpiStoreOnDisk, ::testing::Values(true));

TEST_P(KpiStoreOnDisk, KeepsEverythingOverAReopening) {
  KpiRow row = Row("events", "type=a", -5 * kMinute, 1.5, true, 12);
  row.approximate = true;
  Apply({row, Row("users", "", 0, 2)}, 42);
  Reopen();
  KpiQuery query = Query("events", -5 * kMinute, 0);
  query.group = "type=a";
  EXPECT_EQ(store_->Find(query)->at(0), row);
  EXPECT_EQ(store_->Positions()->at("shard-0"), At(42));
  EXPECT_EQ(store_->Open().size(), 1u);
  EXPECT_EQ(store_->Metrics()->size(), 2u);
}

TEST(ParseKpiRow, ReadsWhatTheAggregatorWrites) {
  const Result<KpiRow> row = ParseKpiRow(
      R"({"id":"x","metric":"events","window":"1m","start":60000,"end":120000,"group":"event_type=a","value":7,"final":true,"revision":9})");
  ASSERT_TRUE(row.ok()) << row.error().message();
  EXPECT_EQ(*row, Row("events", "event_type=a", 60000, 7, true, 9));
}

TEST(ParseKpiRow, RefusesWhatIsNoRow) {
  for (const char* text : {"{", "[]", R"({"metric":"m","window":"1m","start":1,"end":2})",
                           R"({"metric":"","window":"1m","start":1,"end":2,"value":1})",
                           R"({"metric":"m","window":"1m","start":2,"end":2,"value":1})",
                           R"({"metric":"m","window":"1m","start":"1","end":2,"value":1})",
                           R"({"metric":"m\u0000x","window":"1m","start":1,"end":2,"value":1})"}) {
    EXPECT_FALSE(ParseKpiRow(text).ok()) << text;
  }
}

}  // namespace
}  // namespace honryu::views
