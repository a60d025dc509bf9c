#include "honryu/client/remote_client.h"

#include "honryu/async/task_group.h"
#include "tests/support/stream_client_fixture.h"

#include <gtest/gtest.h>

#include <utility>

namespace honryu::client {
namespace {

class RemoteClientTest : public StreamClientFixture, public ::testing::Test {};

async::Task<void> PutInto(StreamClient* client, std::string stream, int* stored) {
  std::vector<PutEntry> entries(1);
  entries[0].partition_key = "k";
  entries[0].data = Bytes::Copy("x");
  Result<std::vector<Result<PutPosition>>> results = co_await client->Put(
      async::Context::WithTimeout(std::chrono::seconds(10)), std::move(stream), std::move(entries));
  if (results.ok() && results->at(0).ok()) ++*stored;
}

// All on one event loop, so that `stored` needs no lock.
async::Task<void> PutManyAtOnce(StreamClient* client, int count, int* stored) {
  async::TaskGroup group;
  const async::Executor here = co_await async::CurrentExecutor();
  for (int i = 0; i < count; ++i) group.Spawn(here, "put", PutInto(client, "s", stored));
  Result<void> joined = co_await group.Join();
  EXPECT_TRUE(joined.ok());
}

TEST_F(RemoteClientTest, PutsBeyondTheLimitWaitTheirTurn) {
  MakeStream("s", 1);
  RemoteClientConfig config;
  config.endpoint = server_.endpoint();
  config.max_concurrent_puts = 2;
  const auto narrow = MakeRemoteClient(server_.http(), config);
  int stored = 0;
  server_.runtime().BlockOn(PutManyAtOnce(narrow.get(), 20, &stored));
  EXPECT_EQ(stored, 20);
}

TEST_F(RemoteClientTest, AnUnreachableBrokerIsUnavailable) {
  std::string endpoint;
  {
    const BrokerServer gone(clock_);
    endpoint = gone.endpoint();
  }
  RemoteClientConfig config;
  config.endpoint = endpoint;
  const auto lost = MakeRemoteClient(server_.http(), config);
  std::vector<PutEntry> entries;
  entries.push_back(Entry("k", "x"));
  const auto results = Await(lost->Put(Soon(), "s", std::move(entries)));
  ASSERT_FALSE(results.ok());
  EXPECT_EQ(results.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(results.error().retryable());
}

}  // namespace
}  // namespace honryu::client
