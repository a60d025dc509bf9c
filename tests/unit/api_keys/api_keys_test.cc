#include "honryu/api/keys/api_keys.h"

#include <gtest/gtest.h>

namespace honryu::api::keys {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Verdict = ApiKeys::Verdict;

const ManualClock& Clock0() {
  static const ManualClock clock(TimestampFromMs(1763719200000));
  return clock;
}

std::vector<ApiKey> Keys() {
  ApiKey writer{"app", "secret-of-app", 10, {"write"}};
  ApiKey reader{"board", "secret-of-board", 0, {"read"}};
  return {writer, reader};
}

http::Request With(std::string name, std::string value) {
  http::Request request;
  request.headers.Add(std::move(name), std::move(value));
  return request;
}

TEST(ApiKeys, WithoutKeysEverybodyMayPost) {
  const ApiKeys keys({}, Clock0());
  EXPECT_FALSE(keys.in_use());
  EXPECT_EQ(keys.Identify(http::Request(), "write").verdict, Verdict::kAllowed);
}

TEST(ApiKeys, TakesTheKeyFromThreePlaces) {
  const ApiKeys keys(Keys(), Clock0());
  EXPECT_EQ(keys.Identify(With("Authorization", "Bearer secret-of-app"), "write").name, "app");
  EXPECT_EQ(keys.Identify(With("authorization", "bearer  secret-of-app"), "write").name, "app");
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-app"), "write").name, "app");
  http::Request query;
  query.query.emplace_back("api_key", "secret-of-app");
  const ApiKeys::Caller caller = keys.Identify(query, "write");
  EXPECT_EQ(caller.verdict, Verdict::kAllowed);
  EXPECT_NE(caller.limit, nullptr);
}

TEST(ApiKeys, RefusesMissingUnknownAndUnscoped) {
  const ApiKeys keys(Keys(), Clock0());
  EXPECT_EQ(keys.Identify(http::Request(), "write").verdict, Verdict::kMissing);
  EXPECT_EQ(keys.Identify(With("Authorization", "Basic secret-of-app"), "write").verdict, Verdict::kMissing);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-ap"), "write").verdict, Verdict::kUnknown);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-app2"), "write").verdict, Verdict::kUnknown);
  EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-board"), "write").verdict, Verdict::kForbidden);
}

TEST(TokenBucket, LimitsTheMeanRate) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_EQ(bucket.Take(10, start), Duration::zero());
  const Duration wait = bucket.Take(1, start);
  EXPECT_GE(wait, milliseconds(100));
  EXPECT_LT(wait, milliseconds(110));
  EXPECT_EQ(bucket.Take(1, start + milliseconds(100)), Duration::zero());
  // Nothing is saved beyond a second's worth.
  EXPECT_EQ(bucket.Take(10, start + seconds(100)), Duration::zero());
  EXPECT_GT(bucket.Take(1, start + seconds(100)), Duration::zero());
}

TEST(TokenBucket, ALargeBatchPassesAFullBucketAndIsPaidOff) {
  const MonoTime start{};
  TokenBucket bucket(10, start);
  EXPECT_EQ(bucket.Take(100, start), Duration::zero());
  EXPECT_GT(bucket.Take(1, start + seconds(9)), Duration::zero());
  EXPECT_EQ(bucket.Take(1, start + milliseconds(9200)), Duration::zero());
  TokenBucket slow(0.5, start);
  EXPECT_EQ(slow.Take(1, start), Duration::zero());
  EXPECT_GT(slow.Take(1, start + seconds(1)), Duration::zero());
  EXPECT_EQ(slow.Take(1, start + seconds(2)), Duration::zero());
}

TEST(ApiKeys, AdminMayDoEverything) {
  const ApiKeys keys({ApiKey{"ops", "secret-of-ops", 0, {"admin"}}}, Clock0());
  for (const std::string_view scope : kScopes)
    EXPECT_EQ(keys.Identify(With("X-Api-Key", "secret-of-ops"), scope).verdict, Verdict::kAllowed) << scope;
}

TEST(ApiKeys, CheckNamesEveryFaultAndNoSecret) {
  EXPECT_TRUE(CheckApiKeys(Keys()).ok());
  std::vector<ApiKey> keys = Keys();
  keys[0].scopes = {"wirte"};
  keys[1].scopes.clear();
  keys[1].key = keys[0].key;
  const Result<void> checked = CheckApiKeys(keys);
  ASSERT_FALSE(checked.ok());
  for (const char* part : {"unknown scope \"wirte\" of \"app\"", "\"board\" has no scope", "same key"})
    EXPECT_NE(checked.error().message().find(part), std::string::npos) << part;
  EXPECT_EQ(checked.error().message().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace honryu::api::keys
