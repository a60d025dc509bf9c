#pragma once

#include "honryu/broker/broker.h"
#include "honryu/log/memory_engine.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace honryu::broker {

/// A broker on the memory engine with a clock that stands still.
class BrokerTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { Close(); }

  void Open() {
    broker_ = std::make_unique<Broker>(config_, *engine_, *meta_, clock_, runtime_, metrics_);
    const Result<void> started = broker_->Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  void Close() {
    if (broker_ == nullptr) return;
    runtime_.BlockOn(broker_->Stop(std::chrono::steady_clock::now() + std::chrono::seconds(10)));
    broker_.reset();
  }
  static async::Context Soon() { return async::Context::WithTimeout(std::chrono::seconds(20)); }

  void MakeStream(const std::string& name, int shards) {
    ASSERT_TRUE(runtime_.BlockOn(broker_->CreateStream(Soon(), name, shards)).ok());
    ASSERT_TRUE(runtime_.BlockOn(broker_->WaitActive(Soon(), name)).ok());
  }
  Result<std::vector<Result<PutPlace>>> Put(const std::string& stream,
                                            const std::vector<PutRecordEntry>& entries) {
    return runtime_.BlockOn(broker_->Put(Soon(), stream, entries));
  }
  PutPlace PutOne(const std::string& stream, const std::string& key, const std::string& data) {
    return Put(stream, {{key, data, std::nullopt}})->at(0).value();
  }
  Result<ShardPlace> Find(const std::string& stream, std::uint32_t shard, IteratorType type,
                          std::optional<SequenceNumber> sequence = std::nullopt,
                          std::optional<Timestamp> time = std::nullopt) {
    Broker::IteratorRequest request{stream, shard, type, sequence, time};
    return runtime_.BlockOn(broker_->FindPlace(Soon(), request));
  }
  Result<ReadResult> Read(const ShardPlace& place, Duration wait = Duration::zero()) {
    return runtime_.BlockOn(broker_->Read(Soon(), place, 10000, 10 << 20, wait));
  }
  std::vector<std::string> Texts(const ShardPlace& place) {
    std::vector<std::string> out;
    const Result<ReadResult> read = Read(place);
    EXPECT_TRUE(read.ok()) << read.error().message();
    if (!read.ok()) return out;
    for (const ReadRecord& record : read->records) out.emplace_back(record.data.view());
    return out;
  }

  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  BrokerConfig config_;
  std::unique_ptr<log::LogEngine> engine_ = log::MakeMemoryEngine(clock_);
  std::unique_ptr<log::MetaStore> meta_ = log::MakeMemoryMetaStore();
  std::unique_ptr<Broker> broker_;
};

}  // namespace honryu::broker
