#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "tests/unit/wire/parse.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace honryu::wire {
namespace {

struct Judged {
  bool fast = false;
  std::string verdict;  ///< Of the validating parser.
  PutRecordsRequest by_fast, by_slow;
};

Judged JudgeBoth(const std::string& text, bool single = false) {
  Judged judged;
  const Padded body(text);
  const Limits limits;
  judged.fast = single ? ParsePutRecordFast(body.view(), judged.by_fast, limits)
                       : ParsePutRecordsFast(body.view(), judged.by_fast, limits);
  const auto json = codec::Json::Parse(text);
  if (!json.ok()) {
    judged.verdict = "unreadable";
  } else {
    judged.verdict = Show(single ? ParsePutRecord(*json, judged.by_slow, limits)
                                 : ParsePutRecords(*json, judged.by_slow, limits));
  }
  return judged;
}

void ExpectSame(const PutRecordsRequest& a, const PutRecordsRequest& b) {
  EXPECT_EQ(a.stream.name, b.stream.name);
  EXPECT_EQ(a.stream.account, b.stream.account);
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    EXPECT_EQ(a.entries[i].data, b.entries[i].data);
    EXPECT_EQ(a.entries[i].partition_key, b.entries[i].partition_key);
    EXPECT_EQ(a.entries[i].explicit_hash_key, b.entries[i].explicit_hash_key);
  }
}

TEST(FastPutRecords, TakesWhatProducersSend) {
  const Judged judged = JudgeBoth(
      "{ \"StreamName\" : \"s\" ,\n\"Records\": [ {\"Data\": \"aGVsbG8=\" , "
      "\"PartitionKey\":\"a\\u00e9\\\"\"}, "
      "{\"PartitionKey\":\"\xE6\xB5\x81\",\"ExplicitHashKey\":\"7\",\"Data\":\"\"}\t] } ");
  ASSERT_TRUE(judged.fast);
  EXPECT_EQ(judged.verdict, "ok");
  ExpectSame(judged.by_fast, judged.by_slow);
  EXPECT_EQ(judged.by_fast.entries[0].data, "hello");
  EXPECT_EQ(judged.by_fast.entries[0].partition_key, "a\xC3\xA9\"");
  EXPECT_EQ(judged.by_fast.entries[1].explicit_hash_key, UInt128(0, 7));
}

TEST(FastPutRecords, TakesArns) {
  const Judged judged = JudgeBoth(
      R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","Records":[{"Data":"","PartitionKey":"k"}]})");
  ASSERT_TRUE(judged.fast);
  ExpectSame(judged.by_fast, judged.by_slow);
  EXPECT_EQ(judged.by_fast.stream.account, "000000000000");
}

TEST(FastPutRecords, LeavesTheIrregularToTheValidatingParser) {
  const char* const bodies[] = {
      "",
      "null",
      "[]",
      "{}",
      "{",
      R"({"StreamName":"s"})",
      R"({"StreamName":"s","Records":[]})",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]} x)",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]}{})",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}])",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"},]})",
      R"({"StreamName":"s","Records":[{"Data":"aa","PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[{"Data":"aaa=","PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[{"Data":1,"PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[{"Data":"" "","PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":""}]})",
      R"({"StreamName":"s","Records":[{"Data":""}]})",
      R"({"StreamName":"s","Records":[{"PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[null]})",
      R"({"StreamName":"s p","Records":[{"Data":"","PartitionKey":"k"}]})",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k","ExplicitHashKey":"01"}]})",
      R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k","ExplicitHashKey":"999999999999999999999999999999999999999"}]})",
      "{\"StreamName\":\"s\",\"Records\":[{\"Data\":\"\",\"PartitionKey\":\"\xff\"}]}"};
  for (const char* body : bodies) {
    const Judged judged = JudgeBoth(body);
    EXPECT_FALSE(judged.fast) << body;
    EXPECT_NE(judged.verdict, "ok") << body;
  }
  // Valid, but only for the other parser.
  for (const char* body :
       {R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k","Future":{"x":[1]}}]})",
        R"({"StreamName":"s","Future":1,"Records":[{"Data":"","PartitionKey":"k"}]})",
        R"({"StreamName":"s","Records":[{"Data":"aGk\u003d","PartitionKey":"k"}]})",
        R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k","ExplicitHashKey":null}]})"}) {
    const Judged judged = JudgeBoth(body);
    EXPECT_FALSE(judged.fast) << body;
    EXPECT_EQ(judged.verdict, "ok") << body;
  }
}

TEST(FastPutRecords, StopsAtTheSizeLimits) {
  // 1 MiB counts data and key together; 10 MiB all records of a call.
  const std::string near_limit = codec::Base64Encode(std::string((1 << 20) - 1, 'x'));
  const std::string one = R"({"PartitionKey":"k","Data":")" + near_limit + R"("})";
  std::string body = R"({"StreamName":"s","Records":[)" + one;
  EXPECT_TRUE(JudgeBoth(body + "]}").fast);
  for (int i = 1; i < 10; ++i) body.append(",").append(one);
  EXPECT_TRUE(JudgeBoth(body + "]}").fast);
  const Judged beyond = JudgeBoth(body + R"(,{"PartitionKey":"k","Data":""}]})");
  EXPECT_FALSE(beyond.fast);
  EXPECT_EQ(beyond.verdict, "InvalidArgumentException: Records size exceeds 10 MB limit");
  const Judged heavy_key =
      JudgeBoth(R"({"StreamName":"s","Records":[{"PartitionKey":"kk","Data":")" + near_limit + R"("}]})");
  EXPECT_FALSE(heavy_key.fast);
  EXPECT_EQ(
      heavy_key.verdict,
      "InvalidArgumentException: Record size of 1048577 bytes (data and partition key) exceeds the limit of "
      "1048576 bytes.");
}

TEST(FastPutRecord, AgreesWithTheValidatingParser) {
  const Judged judged =
      JudgeBoth(R"({"StreamName":"s","Data":"aGk=","PartitionKey":"k","ExplicitHashKey":"12"})", true);
  ASSERT_TRUE(judged.fast);
  EXPECT_EQ(judged.verdict, "ok");
  ExpectSame(judged.by_fast, judged.by_slow);
  EXPECT_FALSE(JudgeBoth(R"({"StreamName":"s","PartitionKey":"k"})", true).fast);
  EXPECT_FALSE(JudgeBoth(R"({"Data":"","PartitionKey":"k"})", true).fast);
  const Judged ordered =
      JudgeBoth(R"({"StreamName":"s","Data":"","PartitionKey":"k","SequenceNumberForOrdering":"5"})", true);
  EXPECT_FALSE(ordered.fast);
  EXPECT_EQ(ordered.verdict, "ok");
  EXPECT_EQ(ordered.by_slow.sequence_for_ordering->ToDecimal(), "5");
}

std::string RandomText(Random& random, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(random.Next()));
  return text;
}

std::string RandomBody(Random& random) {
  static constexpr const char* kKeys[] = {"k",      "user-42",       "\\u6d41\\u308c", "\xE6\xB5\x81",
                                          "a\\\"b", "\\ud83d\\ude00"};
  static constexpr const char* kGaps[] = {"", "", "", " ", "\n\t"};
  const auto gap = [&random] { return kGaps[random.Below(5)]; };
  std::string body = "{";
  body.append(gap())
      .append("\"StreamName\":")
      .append(gap())
      .append("\"orders\",\"Records\":")
      .append(gap())
      .append("[");
  const std::uint64_t count = 1 + random.Below(6);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) body.append(",").append(gap());
    const std::string data = "\"Data\":" + std::string(gap()) + "\"" +
                             codec::Base64Encode(RandomText(random, random.Below(40))) + "\"" + gap();
    const std::string key = std::string("\"PartitionKey\":\"") + kKeys[random.Below(6)] + "\"";
    body.append("{").append(random.Chance(0.5) ? data + "," + key : key + "," + data);
    if (random.Chance(0.3))
      body.append(",\"ExplicitHashKey\":\"").append(std::to_string(random.Next())).append("\"");
    body.append("}");
  }
  return body.append(gap()).append("]").append(gap()).append("}");
}

// On valid and on damaged bodies alike: what the fast parser takes, the validating one takes with the same
// result.
TEST(FastPutRecords, NeverDisagreesWithTheValidatingParser) {
  const char* given = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261121;
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  int taken = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string body = RandomBody(random);
    if (round % 2 == 1) {
      for (std::uint64_t edits = 1 + random.Below(3); edits > 0; --edits) {
        const std::size_t at = random.Below(body.size());
        static constexpr std::string_view kBytes = "\"\\{}[]:, =an0\n\xff";
        if (random.Chance(0.5)) {
          body[at] = kBytes[random.Below(kBytes.size())];
        } else {
          body.erase(at, 1 + random.Below(3));
        }
      }
    }
    const Judged judged = JudgeBoth(body);
    if (round % 2 == 0) EXPECT_TRUE(judged.fast) << body;
    if (!judged.fast) continue;
    ++taken;
    ASSERT_EQ(judged.verdict, "ok") << body;
    ExpectSame(judged.by_fast, judged.by_slow);
  }
  EXPECT_GE(taken, 1500);
}

}  // namespace
}  // namespace honryu::wire
