#pragma once

#include "honryu/client/local_client.h"
#include "honryu/client/remote_client.h"
#include "tests/support/broker_server.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::client {

/// A stream client of either kind over a broker on the memory engine, and short forms of its calls.
class StreamClientFixture {
 protected:
  explicit StreamClientFixture(bool remote = true,
                               const broker::BrokerConfig& config = broker::BrokerConfig())
      : server_(clock_, config) {
    if (!remote) {
      client_ = MakeLocalClient(server_.broker());
      return;
    }
    RemoteClientConfig remote_config;
    remote_config.endpoint = server_.endpoint();
    client_ = MakeRemoteClient(server_.http(), remote_config);
  }

  static async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(10)); }
  template <class T>
  T Await(async::Task<T> task) {
    return server_.runtime().BlockOn(std::move(task));
  }
  void MakeStream(const std::string& name, int shards, int hours = 24) {
    StreamSettings settings;
    settings.shards = shards;
    settings.retention_hours = hours;
    const Result<void> made = Await(client_->EnsureStream(Soon(), name, settings));
    ASSERT_TRUE(made.ok()) << made.error().ToString();
  }
  static PutEntry Entry(std::string key, std::string data) {
    PutEntry entry;
    entry.partition_key = std::move(key);
    entry.data = Bytes(std::move(data));
    return entry;
  }
  void PutOne(const std::string& stream, std::string data) {
    std::vector<PutEntry> entries;
    entries.push_back(Entry("k", std::move(data)));
    const auto results = Await(client_->Put(Soon(), stream, std::move(entries)));
    ASSERT_TRUE(results.ok());
    ASSERT_TRUE(results->at(0).ok());
  }
  Result<ReadBatch> Read(const std::string& stream, StartPosition from, std::uint32_t max = 10000) {
    ReadRequest request;
    request.stream = stream;
    request.shard_id = "shardId-000000000000";
    request.from = std::move(from);
    request.max_records = max;
    return Await(client_->Read(Soon(), std::move(request)));
  }
  static std::string Data(const Result<ReadBatch>& batch) {
    if (!batch.ok()) return batch.error().ToString();
    std::string text;
    for (const StreamRecord& record : batch->records) text.append(record.data.view()).append(" ");
    return text;
  }

  ManualClock clock_{TimestampFromMs(1795255200000)};
  BrokerServer server_;
  std::unique_ptr<StreamClient> client_;
};

}  // namespace honryu::client
