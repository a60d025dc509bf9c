#include "tests/unit/wire/parse.h"

#include <gtest/gtest.h>

#include <string>

namespace honryu::wire {
namespace {

std::string Create(std::string_view body) {
  CreateStreamRequest request;
  return Judge(body, request, Limits());
}
std::string Describe(std::string_view body) {
  DescribeStreamRequest request;
  return Judge(body, request);
}
std::string Delete(std::string_view body) {
  DeleteStreamRequest request;
  return Judge(body, request);
}
std::string Iterator(std::string_view body) {
  GetShardIteratorRequest request;
  return Judge(body, request);
}
std::string Put(std::string_view body) {
  PutRecordsRequest request;
  return Show(ParsePutRecords(MustParse(body), request, Limits()));
}
std::string PutOne(std::string_view body) {
  PutRecordsRequest request;
  return Show(ParsePutRecord(MustParse(body), request, Limits()));
}

TEST(TypeErrors, StringFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(Describe(R"({"StreamName":true})"),
            prefix + "class java.lang.Boolean can not be converted to an String");
  EXPECT_EQ(
      Describe(R"({"StreamName":1.5})"),
      prefix +
          "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String");
  EXPECT_EQ(Describe(R"({"StreamName":["a"]})"), prefix + "Start of list found where not expected");
  EXPECT_EQ(Describe(R"({"StreamName":{}})"), prefix + "Start of structure or map found where not expected.");
}

TEST(TypeErrors, IntegerFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(Create(R"({"StreamName":"s","ShardCount":"3"})"),
            prefix + "class java.lang.String can not be converted to an Integer");
  EXPECT_EQ(Create(R"({"StreamName":"s","ShardCount":false})"),
            prefix + "class java.lang.Boolean can not be converted to an Integer");
  EXPECT_EQ(Create(R"({"StreamName":"s","ShardCount":[]})"),
            prefix + "Start of list found where not expected");
}

TEST(TypeErrors, BooleanFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(
      Delete(R"({"StreamName":"s","EnforceConsumerDeletion":1})"),
      prefix +
          "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an Boolean");
  EXPECT_EQ(Delete(R"({"StreamName":"s","EnforceConsumerDeletion":"hello"})"),
            prefix + "'HELLO' can not be converted to an Boolean");
}

TEST(TypeErrors, TimestampFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(Iterator(R"({"StreamName":"s","Timestamp":"2020"})"),
            prefix + "class java.lang.String can not be converted to milliseconds since epoch");
  EXPECT_EQ(Iterator(R"({"StreamName":"s","Timestamp":true})"),
            prefix + "class java.lang.Boolean can not be converted to milliseconds since epoch");
}

TEST(TypeErrors, ListMapAndStructureFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(Put(R"({"Records":"x"})"), prefix + "Expected list or null");
  EXPECT_EQ(Put(R"({"Records":{}})"), prefix + "Start of structure or map found where not expected.");
  EXPECT_EQ(Put(R"({"Records":[1]})"), prefix + "Expected null");
  EXPECT_EQ(Put(R"({"Records":[[]]})"), prefix + "Start of list found where not expected");
  EXPECT_EQ(Create(R"({"Tags":4})"), prefix + "Expected map or null");
  EXPECT_EQ(Create(R"({"Tags":[]})"), prefix + "Start of list found where not expected");
  EXPECT_EQ(Create(R"({"StreamModeDetails":"ON_DEMAND"})"), prefix + "Expected null");
}

TEST(TypeErrors, BlobFields) {
  const std::string prefix = "SerializationException: ";
  EXPECT_EQ(PutOne(R"({"Data":true})"), prefix + "class java.lang.Boolean can not be converted to a Blob");
  EXPECT_EQ(
      PutOne(R"({"Data":"abc"})"),
      prefix +
          "'abc' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but "
          "found: 3");
  EXPECT_EQ(PutOne(R"({"Data":"=aaa"})"),
            prefix + "'=aaa' can not be converted to a Blob: Invalid Base64 character: '='");
  EXPECT_EQ(PutOne(R"({"Data":"aa!a"})"),
            prefix + "'aa!a' can not be converted to a Blob: Invalid Base64 character: '!'");
  EXPECT_EQ(
      PutOne(R"({"Data":"aaa="})"),
      prefix + "'aaa=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected");
}

TEST(TypeErrors, ComeBeforeConstraintsAndInSchemaOrder) {
  EXPECT_EQ(
      PutOne(R"({"PartitionKey":"","Data":3})"),
      "SerializationException: class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be "
      "converted to a Blob");
}

TEST(Constraints, MissingMembersAreListedTogether) {
  EXPECT_EQ(
      PutOne("{}"),
      "ValidationException: 3 validation errors detected: Value null at 'partitionKey' failed to satisfy "
      "constraint: Member must not be null; Value null at 'data' failed to satisfy constraint: Member must "
      "not "
      "be null; Value null at 'streamName' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(Iterator("{}"),
            "ValidationException: 3 validation errors detected: Value null at 'shardId' failed to satisfy "
            "constraint: "
            "Member must not be null; Value null at 'shardIteratorType' failed to satisfy constraint: Member "
            "must not "
            "be null; Value null at 'streamName' failed to satisfy constraint: Member must not be null");
}

TEST(Constraints, NullMembersAreAbsent) {
  EXPECT_EQ(Delete(R"({"StreamName":null})"),
            "ValidationException: 1 validation error detected: Value null at 'streamName' failed to satisfy "
            "constraint: Member must not be null");
}

TEST(Constraints, PatternThenLength) {
  EXPECT_EQ(
      Delete(R"({"StreamName":""})"),
      "ValidationException: 2 validation errors detected: Value '' at 'streamName' failed to satisfy "
      "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'streamName' "
      "failed to satisfy constraint: Member must have length greater than or equal to 1");
  const std::string name(129, 'a');
  EXPECT_EQ(Delete(R"({"StreamName":")" + name + R"("})"),
            "ValidationException: 1 validation error detected: Value '" + name +
                "' at 'streamName' failed to satisfy constraint: Member must have length less than or equal "
                "to 128");
}

TEST(Constraints, NumbersAreFlooredAndClamped) {
  EXPECT_EQ(
      Describe(R"({"StreamName":"s","Limit":0.9})"),
      "ValidationException: 1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
      "Member must have value greater than or equal to 1");
  EXPECT_EQ(
      Describe(R"({"StreamName":"s","Limit":99999999999})"),
      "ValidationException: 1 validation error detected: Value '2147483647' at 'limit' failed to satisfy "
      "constraint: Member must have value less than or equal to 10000");
  EXPECT_EQ(Describe(R"({"StreamName":"s","Limit":1e4})"), "ok");
}

TEST(Constraints, EnumsAreListedInKinesisOrder) {
  EXPECT_EQ(Iterator(R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"NOW"})"),
            "ValidationException: 1 validation error detected: Value 'NOW' at 'shardIteratorType' failed to "
            "satisfy "
            "constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, "
            "AT_SEQUENCE_NUMBER, TRIM_HORIZON]");
}

TEST(Constraints, RecordsAreNamedByTheirPlaceFromOne) {
  EXPECT_EQ(
      Put(R"({"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"},{"Data":"","PartitionKey":"",)"
          R"("ExplicitHashKey":"01"}]})"),
      "ValidationException: 2 validation errors detected: Value '01' at 'records.2.member.explicitHashKey' "
      "failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38}); "
      "Value "
      "'' at 'records.2.member.partitionKey' failed to satisfy constraint: Member must have length greater "
      "than "
      "or equal to 1");
}

TEST(Constraints, EmptyAndOversizedRecordLists) {
  EXPECT_EQ(Put(R"({"StreamName":"s","Records":[]})"),
            "ValidationException: 1 validation error detected: Value '[]' at 'records' failed to satisfy "
            "constraint: "
            "Member must have length greater than or equal to 1");
  const std::string entry = "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@c965e310";
  std::string body = R"({"StreamName":"s","Records":[)";
  std::string printed = "[";
  for (int i = 0; i < 501; ++i) {
    body.append(i > 0 ? "," : "").append(R"({"Data":"","PartitionKey":"k"})");
    printed.append(i > 0 ? ", " : "").append(entry);
  }
  EXPECT_EQ(Put(body + "]}"),
            "ValidationException: 1 validation error detected: Value '" + printed +
                "]' at 'records' failed to satisfy constraint: Member must have length less than or "
                "equal to 500");
}

TEST(Constraints, AtMostTenAreReported) {
  std::string body = R"({"Records":[)";
  for (int i = 0; i < 20; ++i) body.append(i > 0 ? ",{}" : "{}");
  const std::string text = Put(body + "]}");
  EXPECT_EQ(text.find("ValidationException: 10 validation errors detected: "), 0U) << text;
  EXPECT_NE(text.find("'records.5.member.partitionKey'"), std::string::npos);
  EXPECT_EQ(text.find("records.6."), std::string::npos);
}

TEST(Constraints, OversizedDataPrintsItsBuffer) {
  const std::string body =
      R"({"StreamName":"s","Records":[{"PartitionKey":"k","Data":")" + std::string(1398104, 'A') + R"("}]})";
  EXPECT_EQ(
      Put(body),
      "ValidationException: 1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1048578 "
      "cap=1048578]' at 'records.1.member.data' failed to satisfy constraint: Member must have length less "
      "than "
      "or equal to 1048576");
}

TEST(Constraints, PartitionKeyLengthCountsCharacters) {
  std::string key;
  for (int i = 0; i < 256; ++i) key.append("\xE6\xB5\x81");
  EXPECT_EQ(PutOne(R"({"StreamName":"s","Data":"","PartitionKey":")" + key + R"("})"), "ok");
  EXPECT_NE(PutOne(R"({"StreamName":"s","Data":"","PartitionKey":")" + key + R"(x"})"), "ok");
}

TEST(Constraints, TagMapsStateTheirRule) {
  const std::string key(129, 'k');
  EXPECT_EQ(
      Create(R"({"StreamName":"s","Tags":{")" + key + R"(":"v"}})"),
      "ValidationException: 1 validation error detected: Value '{" + key +
          "=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have "
          "length less than or equal to 128, Member must have length greater than or equal to 1]");
}

}  // namespace
}  // namespace honryu::wire
