#include "api/kinesis/subscriptions.h"
#include "honryu/async/task_group.h"
#include "honryu/wire/event_stream.h"
#include "tests/unit/api_kinesis/fixture.h"

#include <atomic>
#include <mutex>

namespace honryu::api::kinesis {
namespace {

constexpr const char* kStreamArn = "arn:aws:kinesis:us-east-1:000000000000:stream/s";

/// Keeps what a streamed answer writes; after `gone` it fails as for a peer that has left.
class Listener final : public http::BodyWriter {
 public:
  async::Task<Result<void>> Write(Bytes chunk) override {
    if (gone) co_return Error(ErrorCode::kCancelled, "gone");
    const std::lock_guard lock(mutex_);
    decoder_.Feed(chunk);
    for (;;) {
      Result<std::optional<wire::EventFrame>> frame = decoder_.Next();
      if (!frame.ok() || !*frame) break;
      frames_.push_back(std::move(**frame));
    }
    co_return Ok();
  }
  std::vector<wire::EventFrame> frames() const {
    const std::lock_guard lock(mutex_);
    return frames_;
  }
  std::atomic<bool> gone{false};

 private:
  mutable std::mutex mutex_;
  wire::EventStreamDecoder decoder_;
  std::vector<wire::EventFrame> frames_;
};

class Subscribe : public KinesisApiTest {
 protected:
  void SetUp() override {
    MakeStream("s", 1);
    const codec::Json made = OkJson(
        "RegisterStreamConsumer", std::string(R"({"StreamARN":")") + kStreamArn + R"(","ConsumerName":"c"})");
    arn_ = Text(*made.Find("Consumer"), "ConsumerARN");
  }
  void TearDown() override {
    for (auto& listener : listeners_) listener->gone = true;
    Put("s", "k", "wakes whoever waits");
    EXPECT_TRUE(
        runtime_.BlockOn(tasks_.Join(std::chrono::steady_clock::now() + std::chrono::seconds(10))).ok());
  }
  std::string Body(const std::string& position) const { return BodyOf(arn_, position); }
  static std::string BodyOf(const std::string& arn, const std::string& position) {
    return R"({"ConsumerARN":")" + arn + R"(","ShardId":"shardId-000000000000","StartingPosition":{)" +
           position + "}}";
  }
  /// Subscribes and listens until the subscription or the test ends.
  Listener& Listen(const std::string& position) { return ListenAs(Body(position), tasks_); }
  Listener& ListenAs(const std::string& body, async::TaskGroup& tasks) {
    http::Response response = Call("Kinesis_20131202.SubscribeToShard", body);
    EXPECT_EQ(response.status, 200) << response.body.view();
    EXPECT_EQ(response.headers.Get("Content-Type"), "application/vnd.amazon.eventstream");
    Listener& listener = *listeners_.emplace_back(std::make_unique<Listener>());
    if (!response.stream) return listener;
    auto run = [](std::function<async::Task<void>(http::BodyWriter&)> stream, Listener* to,
                  std::atomic<int>* ended) -> async::Task<void> {
      co_await stream(*to);
      ++*ended;
    };
    tasks.Spawn(runtime_.NextExecutor(), "subscription", run(response.stream, &listener, &ended_));
    return listener;
  }
  template <class F>
  bool Eventually(F condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  static std::string Kind(const wire::EventFrame& frame) {
    const std::string_view exception = frame.Text(":exception-type");
    return std::string(exception.empty() ? frame.Text(":event-type") : exception);
  }
  /// The data of all events so far, each followed by a blank.
  static std::string DataOf(const Listener& listener) {
    std::string text;
    for (const wire::EventFrame& frame : listener.frames()) {
      const codec::Json json =
          codec::Json::Parse(
              Bytes(frame.payload + std::string(http::kBodyPadding, '\0')).Slice(0, frame.payload.size()))
              .value();
      const codec::Json* records = json.Find("Records");
      if (records == nullptr) continue;
      for (const codec::Json& record : records->array())
        text.append(codec::Base64Decode(Text(record, "Data")).value()).append(" ");
    }
    return text;
  }
  static codec::Json Payload(const wire::EventFrame& frame) {
    return codec::Json::Parse(
               Bytes(frame.payload + std::string(http::kBodyPadding, '\0')).Slice(0, frame.payload.size()))
        .value();
  }

  double Metric(const std::string& name) const {
    const std::string text = registry_.Render();
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
  }

  std::string arn_;
  std::atomic<int> ended_{0};
  std::vector<std::unique_ptr<Listener>> listeners_;
  async::TaskGroup tasks_;
};

TEST_F(Subscribe, SendsWhatIsThereAndWhatComes) {
  Put("s", "k", "a");
  const Listener& listener = Listen(R"("Type":"TRIM_HORIZON")");
  EXPECT_TRUE(Eventually([&] { return DataOf(listener) == "a "; }));
  EXPECT_EQ(Kind(listener.frames().at(0)), "initial-response");
  EXPECT_EQ(Kind(listener.frames().at(1)), "SubscribeToShardEvent");
  Put("s", "k", "b");
  EXPECT_TRUE(Eventually([&] { return DataOf(listener) == "a b "; }));
}

TEST_F(Subscribe, IsResumedFromAnyContinuationAlsoOneWithoutARecord) {
  Put("s", "k", "a");
  Listener& first = Listen(R"("Type":"LATEST")");
  // An empty event: the position is that of no record.
  Listener& from_start = first;
  EXPECT_TRUE(Eventually([&] { return !from_start.frames().empty(); }));
  Put("s", "k", "b");
  ASSERT_TRUE(Eventually([&] { return DataOf(first) == "b "; }));
  const std::string resume = Text(Payload(first.frames().back()), "ContinuationSequenceNumber");
  first.gone = true;
  Put("s", "k", "c");
  clock_.Advance(std::chrono::seconds(6));
  Listener& second = Listen(R"("Type":"AFTER_SEQUENCE_NUMBER","SequenceNumber":")" + resume + "\"");
  EXPECT_TRUE(Eventually([&] { return DataOf(second) == "c "; })) << DataOf(second);
}

TEST_F(Subscribe, ASecondOneIsRefusedAtFirstAndTakesOverLater) {
  const Listener& first = Listen(R"("Type":"LATEST")");
  EXPECT_EQ(Refused("SubscribeToShard", Body(R"("Type":"LATEST")")),
            "400 ResourceInUseException: Another active subscription exists for this consumer: "
            "000000000000:s:c:shardId-000000000000");
  clock_.Advance(std::chrono::seconds(6));
  const Listener& second = Listen(R"("Type":"LATEST")");
  Put("s", "k", "x");
  EXPECT_TRUE(Eventually([&] { return DataOf(second) == "x "; }));
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));  // the first one, when it next looks
  EXPECT_EQ(DataOf(first), "");
  EXPECT_EQ(Kind(first.frames().back()), "ResourceInUseException");
}

TEST_F(Subscribe, AnAnswerThatIsNeverSentLeavesTheConsumerFree) {
  ASSERT_EQ(Call("Kinesis_20131202.SubscribeToShard", Body(R"("Type":"LATEST")")).status, 200);
  Put("s", "k", "a");
  const Listener& next = Listen(R"("Type":"TRIM_HORIZON")");  // at once, not 5 s later
  EXPECT_TRUE(Eventually([&] { return DataOf(next) == "a "; }));
}

TEST_F(Subscribe, EndsWhenItsConsumerIsDeregistered) {
  const Listener& listener = Listen(R"("Type":"LATEST")");
  ASSERT_TRUE(Eventually([&] { return !listener.frames().empty(); }));
  Ok("DeregisterStreamConsumer", R"({"ConsumerARN":")" + arn_ + "\"}");
  Put("s", "k", "for nobody");
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));
  EXPECT_EQ(DataOf(listener), "");
  EXPECT_EQ(Kind(listener.frames().back()), "ResourceNotFoundException");
}

TEST(Subscriptions, ForgetThoseThatAreGoneAndKeepTheirSuccessors) {
  Subscriptions subscriptions;
  const auto begin = [&](std::uint32_t shard, MonoTime began) {
    auto one = std::make_shared<Subscription>();
    one->shard.index = shard;
    one->began = began;
    return subscriptions.Begin(one, std::chrono::seconds(5)) ? one : nullptr;
  };
  for (std::uint32_t shard = 0; shard < 100; ++shard) EXPECT_NE(begin(shard, MonoTime()), nullptr);
  EXPECT_EQ(subscriptions.size(), 0U);
  std::shared_ptr<Subscription> first = begin(0, MonoTime());
  EXPECT_EQ(begin(0, MonoTime() + std::chrono::seconds(4)), nullptr);
  const std::shared_ptr<Subscription> second = begin(0, MonoTime() + std::chrono::seconds(5));
  ASSERT_NE(second, nullptr);
  EXPECT_TRUE(first->replaced);
  first.reset();
  EXPECT_EQ(subscriptions.size(), 1U);
  EXPECT_EQ(begin(0, MonoTime() + std::chrono::seconds(6)), nullptr);
  subscriptions.End(*second);
  EXPECT_EQ(subscriptions.size(), 0U);
}

TEST_F(Subscribe, ManyShareEventsAndOutliveTheOneThatReadForThem) {
  std::vector<std::string> arns;
  for (const char* name : {"one", "two", "three"}) {
    const codec::Json made = OkJson("RegisterStreamConsumer", std::string(R"({"StreamARN":")") + kStreamArn +
                                                                  R"(","ConsumerName":")" + name + "\"}");
    arns.push_back(Text(*made.Find("Consumer"), "ConsumerARN"));
  }
  // All wait at one place; the first of them, who reads for all, leaves in the midst of it.
  async::TaskGroup leaving;
  const Listener& first = ListenAs(Body(R"("Type":"LATEST")"), leaving);
  ASSERT_TRUE(Eventually([&] { return !first.frames().empty(); }));
  std::vector<Listener*> others;
  for (const std::string& arn : arns) others.push_back(&ListenAs(BodyOf(arn, R"("Type":"LATEST")"), tasks_));
  ASSERT_TRUE(Eventually([&] {
    return std::all_of(others.begin(), others.end(),
                       [](const Listener* one) { return !one->frames().empty(); });
  }));
  leaving.Cancel();
  ASSERT_TRUE(
      runtime_.BlockOn(leaving.Join(std::chrono::steady_clock::now() + std::chrono::seconds(10))).ok());
  std::string want;
  for (int i = 0; i < 50; ++i) {
    Put("s", "k", std::to_string(i));
    want += std::to_string(i) + " ";
  }
  for (const Listener* one : others) {
    EXPECT_TRUE(Eventually([&] { return DataOf(*one) == want; })) << DataOf(*one);
  }
  // Sent to each of the three, but read less often.
  EXPECT_TRUE(Eventually([&] { return Metric("honryu_kinesis_subscription_records_total") == 150; }));
  const double read = Metric("honryu_broker_outgoing_records_total{stream=\"s\"}");
  EXPECT_GE(read, 50);
  EXPECT_LT(read, 150);
  EXPECT_EQ(DataOf(first), "");
}

TEST_F(Subscribe, ALateSubscriberGetsWhatOthersGotAndAllOfIt) {
  for (int i = 0; i < 20; ++i) Put("s", "k", std::to_string(i));
  const codec::Json made = OkJson("RegisterStreamConsumer", std::string(R"({"StreamARN":")") + kStreamArn +
                                                                R"(","ConsumerName":"late"})");
  const Listener& first = Listen(R"("Type":"TRIM_HORIZON")");
  ASSERT_TRUE(Eventually([&] { return DataOf(first).ends_with("19 "); }));
  for (int i = 20; i < 30; ++i) Put("s", "k", std::to_string(i));
  ASSERT_TRUE(Eventually([&] { return DataOf(first).ends_with("29 "); }));
  const Listener& late =
      ListenAs(BodyOf(Text(*made.Find("Consumer"), "ConsumerARN"), R"("Type":"TRIM_HORIZON")"), tasks_);
  EXPECT_TRUE(Eventually([&] { return DataOf(late) == DataOf(first); })) << DataOf(late);
  // Kept events are not for ever: what they say of being behind would be wrong.
  clock_.Advance(std::chrono::seconds(6));
  const Listener& again = Listen(R"("Type":"TRIM_HORIZON")");
  EXPECT_TRUE(Eventually([&] { return DataOf(again) == DataOf(first); })) << DataOf(again);
  EXPECT_EQ(Payload(again.frames().at(1)).Find("Records")->array().size(), 30U);
}

TEST_F(Subscribe, EndsAfterItsLife) {
  Listen(R"("Type":"LATEST")");
  clock_.Advance(std::chrono::minutes(5));
  Put("s", "k", "x");
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));
}

class FanOutQuota : public Subscribe {
 protected:
  void SetUp() override {
    broker::BrokerConfig config;
    config.quotas = broker::QuotaProfile::kAws;
    config.max_record_bytes = 10 << 20;
    StartBroker(config);
    Subscribe::SetUp();
  }
};

TEST_F(FanOutQuota, TwoMebibytesASecondArePushedAndTheRestWaits) {
  const std::string mebibyte((1 << 20) - 1, 'x');
  for (int i = 0; i < 5; ++i) {
    Put("s", "k", mebibyte);
    clock_.Advance(std::chrono::seconds(1));
  }
  const Listener& listener = Listen(R"("Type":"TRIM_HORIZON")");
  const auto pushed = [&] { return DataOf(listener).size() >> 20; };
  // The clock stands: two are pushed from what was saved up, the third on credit, and no more.
  EXPECT_TRUE(Eventually([&] { return pushed() == 3; }));
  clock_.Advance(std::chrono::milliseconds(400));
  EXPECT_EQ(pushed(), 3U);
  clock_.Advance(std::chrono::milliseconds(200));
  EXPECT_TRUE(Eventually([&] { return pushed() == 4; }));
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(Eventually([&] { return pushed() == 5; }));
}

TEST_F(Subscribe, ASplitEndsItAtOnceWithTheChildren) {
  const Listener& listener = Listen(R"("Type":"LATEST")");
  ASSERT_TRUE(Eventually([&] { return !listener.frames().empty(); }));
  const MonoTime began = std::chrono::steady_clock::now();
  Ok("SplitShard", R"({"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"5"})");
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4)) << "not at the heartbeat";
  const codec::Json last = Payload(listener.frames().back());
  EXPECT_EQ(last.Find("ContinuationSequenceNumber"), nullptr);
  EXPECT_EQ(last.Find("ChildShards")->array().size(), 2U);
}

TEST_F(Subscribe, ADeletedStreamIsSaidInTheStream) {
  const Listener& listener = Listen(R"("Type":"TRIM_HORIZON")");
  ASSERT_TRUE(Eventually([&] { return !listener.frames().empty(); }));
  Ok("DeleteStream", R"({"StreamName":"s","EnforceConsumerDeletion":true})");
  EXPECT_TRUE(Eventually([&] { return ended_ == 1; }));
  EXPECT_EQ(Kind(listener.frames().back()), "ResourceNotFoundException");
  while (broker_->Describe("s").ok()) std::this_thread::yield();
  MakeStream("s", 1);  // for TearDown
}

TEST_F(Subscribe, RefusesBeforeTheStreamBegins) {
  EXPECT_EQ(
      Refused("SubscribeToShard", Body(R"("Type":"AT_TIMESTAMP")")),
      "400 InvalidArgumentException: StartingPosition.Timestamp is required when StartingPosition.Type is "
      "AT_TIMESTAMP.");
  EXPECT_EQ(Refused("SubscribeToShard",
                    std::string(R"({"ConsumerARN":")") + kStreamArn +
                        R"(/consumer/none:1","ShardId":"0","StartingPosition":{"Type":"LATEST"}})"),
            "400 ResourceNotFoundException: Consumer none, account 000000000000 not found.");
  const std::string missing = Refused("SubscribeToShard", "{}");
  EXPECT_NE(missing.find("Value null at 'consumerARN'"), std::string::npos) << missing;
  EXPECT_NE(missing.find("Value null at 'startingPosition'"), std::string::npos) << missing;
}

}  // namespace
}  // namespace honryu::api::kinesis
