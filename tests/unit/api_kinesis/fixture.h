#pragma once

#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/async/runtime.h"
#include "honryu/broker/broker.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/log/memory_engine.h"
#include "honryu/obs/metrics.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::api::kinesis {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// A whole Kinesis API on the memory engine, without sockets.
class KinesisApiTest : public ::testing::Test {
 protected:
  KinesisApiTest() {
    engine_ = log::MakeMemoryEngine(clock_, keys_);
    meta_ = log::MakeMemoryMetaStore();
    StartBroker(broker::BrokerConfig());
  }
  ~KinesisApiTest() override {
    runtime_.BlockOn(broker_->Stop(SystemClock().Mono() + std::chrono::seconds(10)));
    EXPECT_TRUE(engine_->Close().ok());
  }

  void StartBroker(const broker::BrokerConfig& config) {
    if (broker_ != nullptr) runtime_.BlockOn(broker_->Stop(SystemClock().Mono() + std::chrono::seconds(10)));
    broker_ = std::make_unique<broker::Broker>(config, *engine_, *meta_, clock_, runtime_, registry_);
    EXPECT_TRUE(broker_->Start().ok());
    Configure(KinesisApiConfig());
  }
  void Configure(KinesisApiConfig config) {
    api_ = std::make_unique<KinesisApi>(std::move(config), *broker_, clock_, registry_);
  }

  static http::Request MakeRequest(std::string method, const Fields& headers, std::string body) {
    http::Request request;
    request.method = std::move(method);
    request.target = "/";
    request.path = "/";
    for (const auto& [name, value] : headers) request.headers.Add(name, value);
    const std::size_t size = body.size();
    body.append(http::kBodyPadding, '\0');
    request.body = Bytes(std::move(body)).Slice(0, size);
    request.peer = "127.0.0.1:1";
    request.request_id = "11111111-2222-4333-8444-555555555555";
    return request;
  }

  http::Response Send(const http::Request& request) {
    return runtime_.BlockOn(api_->Handle(async::Context::WithTimeout(std::chrono::seconds(10)), request));
  }

  http::Response Call(std::string_view target, std::string body) {
    const Fields headers = {{"Content-Type", "application/x-amz-json-1.1"},
                            {"X-Amz-Target", std::string(target)}};
    return Send(MakeRequest("POST", headers, std::move(body)));
  }

  /// The answer's body of a Kinesis operation that must succeed.
  std::string Ok(const std::string& operation, std::string body) {
    const http::Response response = Call("Kinesis_20131202." + operation, std::move(body));
    EXPECT_EQ(response.status, 200) << operation << ": " << response.body.view();
    return std::string(response.body.view());
  }
  codec::Json OkJson(const std::string& operation, std::string body) {
    Result<codec::Json> json = codec::Json::Parse(Ok(operation, std::move(body)));
    EXPECT_TRUE(json.ok());
    return json.ok() ? std::move(*json) : codec::Json();
  }
  /// "400 Name: message" of one that must fail.
  std::string Refused(const std::string& operation, std::string body) {
    return Show(Call("Kinesis_20131202." + operation, std::move(body)));
  }
  static std::string Show(const http::Response& response) {
    const Result<codec::Json> json = codec::Json::Parse(response.body);
    if (!json.ok() || json->Find("__type") == nullptr) {
      return std::to_string(response.status) + " " + std::string(response.body.view());
    }
    std::string text =
        std::to_string(response.status) + " " + std::string(json->Find("__type")->StringOr(""));
    EXPECT_EQ(response.headers.Get("x-amzn-ErrorType"), json->Find("__type")->StringOr(""));
    const codec::Json* message = json->Find("message");
    if (message != nullptr) text.append(": ").append(message->StringOr(""));
    return text;
  }

  void MakeStream(const std::string& name, int shards) {
    Ok("CreateStream", R"({"StreamName":")" + name + R"(","ShardCount":)" + std::to_string(shards) + "}");
    const Result<void> active =
        runtime_.BlockOn(broker_->WaitActive(async::Context::WithTimeout(std::chrono::seconds(10)), name));
    ASSERT_TRUE(active.ok()) << active.error().ToString();
  }

  static std::string Text(const codec::Json& json, std::string_view name) {
    const codec::Json* value = json.Find(name);
    return value == nullptr ? std::string() : std::string(value->StringOr(""));
  }

  /// Puts one record; its sequence number.
  std::string Put(const std::string& stream, const std::string& key, std::string_view data) {
    const codec::Json answer =
        OkJson("PutRecord", R"({"StreamName":")" + stream + R"(","PartitionKey":")" + key + R"(","Data":")" +
                                codec::Base64Encode(data) + R"("})");
    return Text(answer, "SequenceNumber");
  }
  /// An iterator into shard 0; `position` are further members.
  std::string Iterator(const std::string& stream, const std::string& type, const std::string& position = "") {
    return Text(OkJson("GetShardIterator", R"({"StreamName":")" + stream +
                                               R"(","ShardId":"shardId-000000000000","ShardIteratorType":")" +
                                               type + "\"" + position + "}"),
                "ShardIterator");
  }
  /// The data of one GetRecords call, each followed by a blank.
  std::string Read(const std::string& iterator) {
    const codec::Json answer = OkJson("GetRecords", R"({"ShardIterator":")" + iterator + R"("})");
    std::string text;
    const codec::Json* records = answer.Find("Records");
    if (records == nullptr) return "no Records";
    for (const codec::Json& record : records->array()) {
      text.append(codec::Base64Decode(Text(record, "Data")).value()).append(" ");
    }
    return text;
  }

  std::shared_ptr<const log::KeyRing> keys_ =
      *log::KeyRing::Make({{"alias/k", std::string(32, 'k')}, {"0c2b-key", std::string(32, '2')}});
  ManualClock clock_{TimestampFromMs(1795255200000)};
  obs::Registry registry_;
  async::Runtime runtime_{async::RuntimeOptions{1, 1}};
  std::unique_ptr<log::LogEngine> engine_;
  std::unique_ptr<log::MetaStore> meta_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<KinesisApi> api_;
};

}  // namespace honryu::api::kinesis
