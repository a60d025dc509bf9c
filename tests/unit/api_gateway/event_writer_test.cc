#include "api/gateway/event_writer.h"

#include "honryu/async/runtime.h"
#include "honryu/base/random.h"
#include "tests/support/fake_stream_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

namespace honryu::api::gateway {
namespace {

using Results = std::vector<WriteResult>;

struct Fixture {
  explicit Fixture(int threads = 1) : io_threads(threads) {
    (void)runtime.BlockOn(client.EnsureStream({}, "events", {}));
  }
  ~Fixture() { runtime.BlockOn(writer.Stop(MonoTime::max())); }

  Results Write(std::vector<WriteItem> items) { return runtime.BlockOn(writer.Write({}, std::move(items))); }
  std::size_t stored() const { return client.Records("events").size(); }

  const int io_threads;
  async::Runtime runtime{async::RuntimeOptions{io_threads, 1}};
  ManualClock clock{TimestampFromMs(1763719200000)};
  testing::FakeStreamClient client{clock};
  DedupWindow window{DedupConfig{}, clock};
  EventWriter writer{client, "events", std::chrono::seconds(10), &window};
};

WriteItem Item(std::uint64_t id, std::string key = "k") {
  WriteItem item;
  if (id != 0) item.event_id = UInt128(0, id);
  item.entry.partition_key = std::move(key);
  item.entry.data = Bytes(std::to_string(id));
  return item;
}

std::vector<WriteItem> Items(std::initializer_list<std::uint64_t> ids) {
  std::vector<WriteItem> items;
  for (const std::uint64_t id : ids) items.push_back(Item(id, "k" + std::to_string(id)));
  return items;
}

/// S stored, D duplicate, F failed.
std::string Show(const Results& results) {
  std::string text;
  for (const WriteResult& result : results) text += "SDF"[static_cast<int>(result.outcome)];
  return text;
}

async::Task<void> WriteTo(EventWriter& writer, std::vector<WriteItem> items, Results* results,
                          MonoTime deadline) {
  async::Context ctx;
  ctx.deadline = deadline;
  *results = co_await writer.Write(ctx, std::move(items));
}

/// Lets everything that is ready on this event loop run.
async::Task<void> Settle() {
  for (int i = 0; i < 50; ++i) co_await async::Yield();
}

TEST(EventWriter, StoresEachIdOnceWithinAndAcrossRequests) {
  Fixture f;
  EXPECT_EQ(Show(f.Write(Items({1, 2, 1, 0, 0}))), "SSDSS");
  EXPECT_EQ(Show(f.Write(Items({2, 3, 1}))), "DSD");
  EXPECT_EQ(f.stored(), 5u);
}

TEST(EventWriter, AFailedWriteFreesItsId) {
  Fixture f;
  f.client.FailPuts(1, Error(ErrorCode::kOverloaded, "full"));
  const Results failed = f.Write(Items({1, 1}));
  EXPECT_EQ(Show(failed), "FF");
  EXPECT_EQ(failed[1].error.code(), ErrorCode::kOverloaded);
  EXPECT_EQ(Show(f.Write(Items({1}))), "S");
  EXPECT_EQ(f.stored(), 1u);
}

TEST(EventWriter, FailuresOfSingleEntriesStayTheirs) {
  Fixture f;
  f.client.FailEntries([](const client::PutEntry& entry) -> std::optional<Error> {
    if (entry.data.view() != "2") return std::nullopt;
    return Error(ErrorCode::kOverloaded, "shard is busy");
  });
  EXPECT_EQ(Show(f.Write(Items({1, 2, 3, 2}))), "SFSF");
  f.client.FailEntries(nullptr);
  EXPECT_EQ(Show(f.Write(Items({1, 2, 3}))), "DSD");
}

async::Task<void> TwinsMeet(Fixture& f, Error* failure, std::string* seen) {
  async::Executor executor = co_await async::CurrentExecutor();
  Results first, second;
  async::TaskGroup group;
  f.client.HoldPuts();
  group.Spawn(executor, "first", WriteTo(f.writer, Items({1, 2}), &first, MonoTime::max()));
  co_await Settle();
  group.Spawn(executor, "second", WriteTo(f.writer, Items({2, 3}), &second, MonoTime::max()));
  co_await Settle();
  EXPECT_EQ(f.client.held_puts(), 2u);  // the second request stores its own event at once …
  EXPECT_TRUE(second.empty());          // … but has to wait for the other one
  if (failure->code() != ErrorCode::kUnset) f.client.FailPuts(1, *failure);
  f.client.ReleasePuts();
  Result<void> joined = co_await group.Join();
  EXPECT_TRUE(joined.ok());
  *seen = Show(first) + " " + Show(second);
}

TEST(EventWriter, ConcurrentTwinsAreStoredOnce) {
  Fixture f;
  Error none;
  std::string seen;
  f.runtime.BlockOn(TwinsMeet(f, &none, &seen));
  EXPECT_EQ(seen, "SS DS");
  EXPECT_EQ(f.stored(), 3u);
}

TEST(EventWriter, ATwinTakesThePlaceOfAFailedOne) {
  Fixture f;
  Error failure(ErrorCode::kUnavailable, "disk full");
  std::string seen;
  f.runtime.BlockOn(TwinsMeet(f, &failure, &seen));
  EXPECT_EQ(seen, "FF SS");
  EXPECT_EQ(f.stored(), 2u);
}

async::Task<void> GiveUpEarly(Fixture& f, Results* results) {
  async::Executor executor = co_await async::CurrentExecutor();
  f.client.HoldPuts();
  async::TaskGroup group;
  group.Spawn(executor, "write", WriteTo(f.writer, Items({1}), results, MonoTime::max()));
  co_await Settle();
  group.Cancel();
  Result<void> joined = co_await group.Join();
  EXPECT_TRUE(joined.ok());
}

TEST(EventWriter, ACancelledCallersWriteStillCounts) {
  Fixture f;
  Results results;
  f.runtime.BlockOn(GiveUpEarly(f, &results));
  EXPECT_EQ(Show(results), "F");
  EXPECT_EQ(results[0].error.code(), ErrorCode::kCancelled);
  f.client.ReleasePuts();
  EXPECT_EQ(Show(f.Write(Items({1}))), "D");
  EXPECT_EQ(f.stored(), 1u);
}

/// A client that sends random ids from a small pool, and sends again whatever failed.
void RetryingClient(Fixture& f, std::uint64_t seed) {
  Random random(seed);
  for (int request = 0; request < 150; ++request) {
    std::vector<std::uint64_t> ids;
    for (std::uint64_t n = 1 + random.Below(5); n > 0; --n) ids.push_back(1 + random.Below(300));
    while (!ids.empty()) {
      std::vector<WriteItem> items;
      for (const std::uint64_t id : ids) items.push_back(Item(id));
      const Results results = f.Write(std::move(items));
      std::vector<std::uint64_t> failed;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (results[i].outcome == WriteOutcome::kFailed) failed.push_back(ids[i]);
      }
      ids = std::move(failed);
    }
  }
}

TEST(EventWriter, ManyClientsRetryingTheSameIdsStoreEachOnce) {
  Fixture f(3);
  std::atomic<int> calls{0};
  f.client.FailEntries([&calls](const client::PutEntry&) -> std::optional<Error> {
    if (calls.fetch_add(1) % 3 != 0) return std::nullopt;
    return Error(ErrorCode::kOverloaded, "every third entry fails");
  });
  std::vector<std::thread> clients;
  for (std::uint64_t i = 0; i < 4; ++i) clients.emplace_back([&f, i] { RetryingClient(f, 40 + i); });
  for (std::thread& client : clients) client.join();
  std::map<std::string, int> copies;
  for (const client::StreamRecord& record : f.client.Records("events"))
    ++copies[std::string(record.data.view())];
  EXPECT_GT(copies.size(), 290u);  // nearly all of the pool was drawn
  EXPECT_EQ(f.window.entries(), copies.size());
  for (const auto& [id, count] : copies) EXPECT_EQ(count, 1) << "id " << id;
}

TEST(EventWriter, WithoutAWindowEverythingIsStored) {
  Fixture f;
  EventWriter writer(f.client, "events", std::chrono::seconds(10), nullptr);
  EXPECT_EQ(Show(f.runtime.BlockOn(writer.Write({}, Items({1, 1})))), "SS");
  f.runtime.BlockOn(writer.Stop(MonoTime::max()));
}

}  // namespace
}  // namespace honryu::api::gateway
