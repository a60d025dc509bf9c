#include "honryu/auth/access_key.h"

#include <gtest/gtest.h>

namespace honryu::auth {
namespace {

using Streams = std::vector<std::string>;

TEST(Wildcard, StarsAndQuestionMarks) {
  EXPECT_TRUE(MatchesWildcard("*", ""));
  EXPECT_TRUE(MatchesWildcard("", ""));
  EXPECT_FALSE(MatchesWildcard("", "a"));
  EXPECT_TRUE(MatchesWildcard("Put*", "PutRecords"));
  EXPECT_FALSE(MatchesWildcard("Put*", "GetRecords"));
  EXPECT_TRUE(MatchesWildcard("*Record*", "PutRecords"));
  EXPECT_TRUE(MatchesWildcard("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(MatchesWildcard("a*b*c", "a-b-b-d"));
  EXPECT_TRUE(MatchesWildcard("eu-?", "eu-1"));
  EXPECT_FALSE(MatchesWildcard("eu-?", "eu-"));
  EXPECT_FALSE(MatchesWildcard("eu-?", "eu-12"));
  EXPECT_TRUE(MatchesWildcard("a**", "a"));
  EXPECT_FALSE(MatchesWildcard("abc", "abcd"));
  EXPECT_FALSE(MatchesWildcard("A", "a"));
  // Many stars against a text that never ends right: must not take exponential time.
  std::string stars;
  for (int i = 0; i < 50; ++i) stars.append("a*");
  EXPECT_FALSE(MatchesWildcard(stars + "b", std::string(2000, 'a')));
}

TEST(AllowRules, NoRulesAllowEverything) {
  EXPECT_TRUE(Allows(AccessKey{.id = "k"}, "DeleteStream", Streams{"s"}));
  EXPECT_TRUE(Allows(AccessKey{.id = "k"}, "ListStreams", Streams{}));
}

TEST(AllowRules, ActionAndStreamMustFitOneRule) {
  const AccessKey key{.id = "k",
                      .allow = {{.actions = {"kinesis:Put*"}, .streams = {"web-*"}},
                                {.actions = {"Get*", "DescribeStreamSummary"}, .streams = {"*"}}}};
  EXPECT_TRUE(Allows(key, "PutRecords", Streams{"web-1"}));
  EXPECT_FALSE(Allows(key, "PutRecords", Streams{"mobile"}));
  EXPECT_TRUE(Allows(key, "GetRecords", Streams{"mobile"}));
  EXPECT_FALSE(Allows(key, "DeleteStream", Streams{"web-1"}));
  EXPECT_FALSE(Allows(key, "PutRecords", Streams{"web-1", "mobile"}));
}

TEST(AllowRules, ARequestWithoutAStreamNeedsARuleForAllStreams) {
  const AccessKey narrow{.id = "k", .allow = {{.actions = {"*"}, .streams = {"a", "**"}}}};
  EXPECT_FALSE(Allows(narrow, "ListStreams", Streams{}));
  const AccessKey wide{.id = "k", .allow = {{.actions = {"List*"}, .streams = {"a", "*"}}}};
  EXPECT_TRUE(Allows(wide, "ListStreams", Streams{}));
  EXPECT_FALSE(Allows(wide, "DescribeLimits", Streams{}));
}

TEST(AllowRules, OfOneServiceSayNothingAboutAnother) {
  const AccessKey kinesis{.id = "k", .allow = {{{"kinesis:*", "Put*", "Get?tem"}, {"*"}}}};
  EXPECT_TRUE(Allows(kinesis, "PutRecord", Streams{"s"}));
  EXPECT_FALSE(Allows(kinesis, "dynamodb:PutItem", Streams{"s"}));
  EXPECT_FALSE(Allows(kinesis, "cloudwatch:PutMetricData", Streams{}));
  const AccessKey tables{.id = "k", .allow = {{{"dynamodb:*Item"}, {"leases-*"}}}};
  EXPECT_TRUE(Allows(tables, "dynamodb:PutItem", Streams{"leases-a"}));
  EXPECT_FALSE(Allows(tables, "dynamodb:PutItem", Streams{"other"}));
  EXPECT_FALSE(Allows(tables, "PutRecord", Streams{"leases-a"}));
  const AccessKey all{.id = "k", .allow = {{{"*"}, {"*"}}}};
  EXPECT_TRUE(Allows(all, "dynamodb:PutItem", Streams{"s"}));
}

TEST(AccessKeys, EveryFaultIsNamed) {
  const std::string good(16, 's');
  EXPECT_TRUE(ValidateKeys(std::vector<AccessKey>{{.id = "A_b-1", .secret = good}}).ok());
  const std::vector<AccessKey> keys = {
      {.id = "", .secret = good},
      {.id = "a/b", .secret = good},
      {.id = "x", .secret = "few"},
      {.id = "x", .secret = good, .allow = {{.actions = {}, .streams = {"*"}}}}};
  EXPECT_EQ(ValidateKeys(keys).error().message(),
            "access_keys[0]: id must be 1 to 128 letters, digits, '_' or '-'\n"
            "access_keys[1]: id must be 1 to 128 letters, digits, '_' or '-'\n"
            "access_keys[2]: secret must have 16 characters at least\n"
            "access_keys[3]: id is used twice\n"
            "access_keys[3]: an allow rule without actions or streams");
}

}  // namespace
}  // namespace honryu::auth
