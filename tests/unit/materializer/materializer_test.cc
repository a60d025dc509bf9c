#include "honryu/processors/materializer/materializer.h"

#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <thread>

namespace honryu::processors::materializer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kStart = 1700000040000;

class MaterializerTest : public ::testing::Test {
 protected:
  MaterializerTest() {
    config_.poll_wait = milliseconds(10);
    config_.sync_interval = milliseconds(3);
    runtime_.BlockOn(client_.EnsureStream({}, "kpi", {})).value();
  }
  void Put(const std::string& data) {
    std::vector<client::PutEntry> entries;
    entries.push_back({"events/", Bytes(data), std::nullopt});
    EXPECT_TRUE(runtime_.BlockOn(client_.Put({}, "kpi", std::move(entries))).ok());
  }
  void PutRow(int minute, int value, bool final) {
    const std::int64_t start = kStart + minute * 60000;
    Put(R"({"metric":"events","window":"1m","group":"","start":)" + std::to_string(start) + R"(,"end":)" +
        std::to_string(start + 60000) + R"(,"value":)" + std::to_string(value) + R"(,"final":)" +
        (final ? "true" : "false") + R"(,"revision":)" + std::to_string(value) + "}");
  }
  std::unique_ptr<Materializer> Start(views::KpiStore& store) {
    EXPECT_TRUE(config_.Validate().ok());
    auto made = std::make_unique<Materializer>(config_, store, client_, runtime_, runtime_.executor(0),
                                               clock_, registry_);
    made->Start();
    return made;
  }
  void Stop(Materializer& materializer) {
    runtime_.BlockOn(materializer.Stop(std::chrono::steady_clock::now() + seconds(10)));
  }
  static std::vector<double> Values(const views::KpiStore& store) {
    views::KpiQuery query;
    query.metric = "events";
    query.from = TimestampFromMs(0);
    query.to = TimestampFromMs(kStart * 2);
    std::vector<double> values;
    const std::vector<views::KpiRow> rows = store.Find(query).value();
    for (const views::KpiRow& row : rows) values.push_back(row.value);
    return values;
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

  ManualClock clock_{TimestampFromMs(kStart)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  testing::FakeStreamClient client_{clock_};
  MaterializerConfig config_;
};

TEST_F(MaterializerTest, KeepsTheStoreUpToDateAndSkipsWhatIsNoRow) {
  const auto store = views::MakeMemoryKpiStore();
  auto materializer = Start(*store);
  PutRow(0, 1, false);
  Put("no row");
  PutRow(0, 2, true);
  PutRow(1, 5, false);
  EXPECT_TRUE(Await([&] { return Values(*store) == std::vector<double>{2, 5}; }));
  EXPECT_TRUE(materializer->Ready().ok());
  Stop(*materializer);
  EXPECT_NE(registry_.Render().find("honryu_materializer_malformed_total 1"), std::string::npos);
}

TEST_F(MaterializerTest, GoesOnFromTheStoresPositionAndAnEmptyStoreIsBuiltAnew) {
  const auto store = views::MakeMemoryKpiStore();
  auto first = Start(*store);
  PutRow(0, 1, true);
  EXPECT_TRUE(Await([&] { return Values(*store).size() == 1; }));
  Stop(*first);
  PutRow(1, 2, true);
  auto second = Start(*store);
  EXPECT_TRUE(Await([&] { return Values(*store).size() == 2; }));
  Stop(*second);
  EXPECT_NE(registry_.Render().find("honryu_materializer_rows_total 2"),
            std::string::npos);  // none twice
  const auto fresh = views::MakeMemoryKpiStore();
  auto third = Start(*fresh);
  EXPECT_TRUE(Await([&] { return Values(*fresh).size() == 2; }));
  Stop(*third);
}

TEST_F(MaterializerTest, AStreamMadeAnewIsReadFromItsBeginning) {
  const auto store = views::MakeMemoryKpiStore();
  auto first = Start(*store);
  for (int i = 0; i < 5; ++i) PutRow(i, 1, true);
  EXPECT_TRUE(Await([&] { return Values(*store).size() == 5; }));
  Stop(*first);
  client_.DeleteStream("kpi");
  runtime_.BlockOn(client_.EnsureStream({}, "kpi", {})).value();
  PutRow(7, 3, true);
  auto second = Start(*store);
  EXPECT_TRUE(Await([&] { return Values(*store).size() == 6; }));
  Stop(*second);
}

TEST_F(MaterializerTest, DropsRowsBeyondTheRetention) {
  config_.retention_check = milliseconds(5);
  const auto store = views::MakeMemoryKpiStore();
  auto materializer = Start(*store);
  PutRow(0, 1, true);
  PutRow(60, 2, true);
  EXPECT_TRUE(Await([&] { return Values(*store).size() == 2; }));
  clock_.Advance(config_.retention + std::chrono::minutes(30));
  EXPECT_TRUE(Await([&] { return Values(*store) == std::vector<double>{2}; }));
  Stop(*materializer);
}

}  // namespace
}  // namespace honryu::processors::materializer
