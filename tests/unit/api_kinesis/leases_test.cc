#include "tests/unit/api_kinesis/fixture.h"

namespace honryu::api::kinesis {
namespace {

class Leases : public KinesisApiTest {
 protected:
  http::Response Extension(const std::string& operation, std::string body) {
    return Call("Honryu_20261121." + operation, std::move(body));
  }
  codec::Json Acquire(const std::string& owner) {
    const http::Response response = Extension("AcquireLease", Body(owner, R"("DurationMillis":10000)"));
    EXPECT_EQ(response.status, 200) << response.body.view();
    const Result<codec::Json> json = codec::Json::Parse(response.body);
    const codec::Json* lease = json.ok() ? json->Find("Lease") : nullptr;
    return lease == nullptr ? codec::Json() : *lease;
  }
  static std::string Body(const std::string& owner, const std::string& more) {
    return R"({"Application":"app","StreamName":"s","ShardId":"shardId-000000000000","Owner":")" + owner +
           "\"," + more + "}";
  }
};

TEST_F(Leases, AreAcquiredRenewedCheckpointedAndReleased) {
  MakeStream("s", 1);
  const codec::Json lease = Acquire("w1");
  EXPECT_EQ(Text(lease, "Owner"), "w1");
  const std::string counter = R"("Counter":")" + Text(lease, "Counter") + "\"";
  EXPECT_EQ(Show(Extension("AcquireLease", Body("w2", R"("DurationMillis":10000)"))).substr(0, 21),
            "400 ConflictException");
  EXPECT_EQ(Extension("RenewLease", Body("w1", counter + R"(,"DurationMillis":10000)")).status, 200);
  EXPECT_EQ(Show(Extension("SaveCheckpoint", Body("w1", counter + R"(,"Checkpoint":"77","State":"AAE=")"))),
            "200 ");
  const http::Response listed = Extension("ListLeases", R"({"Application":"app","StreamName":"s"})");
  const codec::Json json = codec::Json::Parse(listed.body).value();
  ASSERT_EQ(json.Find("Leases")->array().size(), 1U);
  EXPECT_EQ(Text(json.Find("Leases")->array()[0], "Checkpoint"), "77");
  EXPECT_EQ(Text(json.Find("Leases")->array()[0], "State"), "AAE=");
  EXPECT_EQ(Show(Extension("ReleaseLease", Body("w1", counter))), "200 ");
  EXPECT_EQ(Text(Acquire("w2"), "Owner"), "w2");
  EXPECT_EQ(Show(Extension("SaveCheckpoint", Body("w1", counter + R"(,"Checkpoint":"78")"))).substr(0, 19),
            "400 FencedException");
}

TEST_F(Leases, RefuseBadInput) {
  EXPECT_EQ(
      Show(Extension("ListLeases", "{}")),
      "400 ValidationException: 2 validation errors detected: Value null at 'application' failed to satisfy "
      "constraint: Member must not be null; Value null at 'streamName' failed to satisfy constraint: Member "
      "must "
      "not be null");
  EXPECT_EQ(Show(Extension("StealLease", "{}")), "400 UnknownOperationException");
}

}  // namespace
}  // namespace honryu::api::kinesis
