#include "honryu/wire/format.h"

#include "honryu/codec/cbor.h"
#include "tests/unit/wire/parse.h"

#include <gtest/gtest.h>

namespace honryu::wire {
namespace {

using codec::CborWriter;

std::string Cbor(const std::string& json) {
  Result<std::string> cbor = EncodeBody(json, Format::kCbor);
  EXPECT_TRUE(cbor.ok()) << json;
  return cbor.ok() ? *cbor : std::string();
}

codec::Json Tree(std::string_view cbor) {
  Result<codec::Json> tree = ParseBody(cbor, Format::kCbor);
  EXPECT_TRUE(tree.ok());
  return tree.ok() ? std::move(*tree) : codec::Json();
}

TEST(WireFormat, IsFoundByContentType) {
  EXPECT_EQ(FindFormat("application/x-amz-json-1.1"), Format::kJson);
  EXPECT_EQ(FindFormat(" application/x-amz-cbor-1.1 ; charset=x"), Format::kCbor);
  EXPECT_EQ(FindFormat("application/json"), std::nullopt);
  EXPECT_EQ(FindFormat(""), std::nullopt);
  EXPECT_EQ(FindFormat(ContentType(Format::kJson)), Format::kJson);
  EXPECT_EQ(FindFormat(ContentType(Format::kCbor)), Format::kCbor);
}

TEST(WireFormat, AnswersBecomeCborWithBytesAndTimes) {
  std::string wanted;
  CborWriter writer(wanted);
  writer.BeginMap();
  writer.Text("Records");
  writer.BeginArray();
  writer.BeginMap();
  writer.Text("ApproximateArrivalTimestamp");
  writer.Raw(BytesView("\xc1\x1b\x00\x00\x01\xa1\xfd\x8c\x69\x7b", 10));  // tag 1, 1795255200123 ms
  writer.Text("Data");
  writer.Raw(BytesView("\x43\x00\xff\x10", 4));
  writer.Text("PartitionKey");
  writer.Text("caf\xc3\xa9");
  writer.End();
  writer.End();
  writer.Text("MillisBehindLatest");
  writer.Uint(0);
  writer.Text("HasMore");
  writer.Bool(false);
  writer.Text("Rate");
  writer.Double(1.5);
  writer.Text("Below");
  writer.Int(-7);
  writer.Text("None");
  writer.Null();
  writer.End();
  EXPECT_EQ(Cbor(R"({"Records":[{"ApproximateArrivalTimestamp":1795255200.123,"Data":"AP8Q",)"
                 R"("PartitionKey":"caf\u00e9"}],"MillisBehindLatest":0,"HasMore":false,"Rate":1.5,)"
                 R"("Below":-7,"None":null})"),
            wanted);
}

TEST(WireFormat, JsonAndEmptyAnswersStayAsTheyAre) {
  EXPECT_EQ(EncodeBody("{\"a\":1}", Format::kJson).value(), "{\"a\":1}");
  EXPECT_EQ(EncodeBody("", Format::kCbor).value(), "");
  EXPECT_EQ(EncodeBody("{", Format::kCbor).error().code(), ErrorCode::kInternal);
  EXPECT_EQ(EncodeBody(R"({"Data":"a"})", Format::kCbor).error().code(), ErrorCode::kInternal);
}

TEST(WireFormat, FaultsInCbor) {
  EXPECT_EQ(FaultBody({FaultName::kValidationException, "no"}, Format::kCbor),
            "\xbf\x66__type\x73ValidationException\x67message\x62no\xff");
  EXPECT_EQ(FaultBody({FaultName::kInternalFailure, "secret"}, Format::kCbor),
            "\xbf\x66__type\x6fInternalFailure\xff");
}

// One entry as the AWS SDK for Java writes it: everything of indefinite length.
std::string JavaEntry(BytesView data, BytesView key) {
  std::string out;
  CborWriter writer(out);
  writer.BeginMap();
  writer.Text("Data");
  writer.Blob(data);
  writer.Text("PartitionKey");
  writer.Text(key);
  writer.End();
  return out;
}

std::string Put(const std::vector<std::string>& entries, bool indefinite = true) {
  std::string out;
  CborWriter writer(out);
  writer.BeginMap(indefinite ? std::nullopt : std::optional<std::size_t>(2));
  writer.Text("Records");
  writer.BeginArray(indefinite ? std::nullopt : std::optional(entries.size()));
  for (const std::string& entry : entries) writer.Raw(entry);
  if (indefinite) writer.End();
  writer.Text("StreamName");
  writer.Text("s");
  if (indefinite) writer.End();
  return out;
}

TEST(PutRecordsCbor, FastAndValidatingParserAgree) {
  const Limits limits;
  for (const bool indefinite : {true, false}) {
    const std::string body =
        Put({JavaEntry(std::string("\0\xff", 2), "k1"), JavaEntry("", "k2")}, indefinite);
    PutRecordsRequest fast, slow;
    ASSERT_TRUE(ParsePutRecordsCbor(body, fast, limits));
    ASSERT_EQ(Show(ParsePutRecords(Tree(body), slow, limits)), "ok");
    for (const PutRecordsRequest* request : {&fast, &slow}) {
      EXPECT_EQ(request->stream.name, "s");
      ASSERT_EQ(request->entries.size(), 2U);
      EXPECT_EQ(request->entries[0].data, BytesView("\0\xff", 2));
      EXPECT_EQ(request->entries[0].partition_key, "k1");
      EXPECT_EQ(request->entries[1].data, "");
      EXPECT_FALSE(request->entries[1].explicit_hash_key.has_value());
    }
  }
}

TEST(PutRecordsCbor, SingleRecordWithHashKeyAndArn) {
  std::string body;
  CborWriter writer(body);
  writer.BeginMap(4);
  writer.Text("StreamARN");
  writer.Text("arn:aws:kinesis:us-east-1:123456789012:stream/s");
  writer.Text("Data");
  writer.Raw(BytesView("\x5f\x41\x61\x41\x62\xff", 6));  // in two chunks
  writer.Text("PartitionKey");
  writer.Text("k");
  writer.Text("ExplicitHashKey");
  writer.Text("7");
  PutRecordsRequest fast, slow;
  ASSERT_TRUE(ParsePutRecordCbor(body, fast, Limits()));
  ASSERT_EQ(Show(ParsePutRecord(Tree(body), slow, Limits())), "ok");
  for (const PutRecordsRequest* request : {&fast, &slow}) {
    EXPECT_EQ(request->stream.account, "123456789012");
    EXPECT_EQ(request->entries[0].data, "ab");
    EXPECT_EQ(request->entries[0].explicit_hash_key, UInt128(0, 7));
  }
}

TEST(PutRecordsCbor, TheFastParserLeavesIrregularRequestsAlone) {
  const Limits limits;
  PutRecordsRequest out;
  const auto taken = [&](const std::string& body) {
    out = PutRecordsRequest();
    return ParsePutRecordsCbor(body, out, limits);
  };
  const std::string good = JavaEntry("d", "k");
  EXPECT_TRUE(taken(Put({good})));
  EXPECT_FALSE(taken(Put({})));
  EXPECT_FALSE(taken(Put({JavaEntry("d", "")})));
  EXPECT_FALSE(taken(Put({JavaEntry("d", std::string(257, 'k'))})));
  EXPECT_FALSE(taken(Put({JavaEntry(std::string(limits.max_record_bytes, 'd'), "k")})));
  EXPECT_TRUE(taken(Put(std::vector<std::string>(500, good))));
  EXPECT_FALSE(taken(Put(std::vector<std::string>(501, good))));
  EXPECT_FALSE(taken(Put({good}) + "\x01"));
  EXPECT_FALSE(taken(Put({good}).substr(0, 20)));
  EXPECT_FALSE(taken(Put({"\xf6"})));
  EXPECT_FALSE(taken("\x80"));
  std::string other = Put({good});
  other.insert(1, "\x65Other\x01");
  EXPECT_FALSE(taken(other));
}

TEST(WireFormat, WrongTypesFromCborAreTypeErrors) {
  const auto judge = [](const std::string& body) {
    PutRecordsRequest out;
    return Show(ParsePutRecord(Tree(body), out, Limits()));
  };
  const auto with = [](std::string_view name, std::string_view value) {
    std::string body = "\xa1";
    body.push_back(static_cast<char>(0x60 + name.size()));
    return body.append(name).append(value);
  };
  EXPECT_EQ(judge(with("PartitionKey", "\x41k")),
            "SerializationException: class java.nio.HeapByteBuffer can not be converted to an String");
  EXPECT_EQ(
      judge(with("Data", "\x01")),
      "SerializationException: class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be "
      "converted to a Blob");
  EXPECT_EQ(judge(with("Data", "\x80")), "SerializationException: Start of list found where not expected");
  // A text is read as it would be in JSON.
  EXPECT_EQ(judge(with("Data", "\x61k")),
            "SerializationException: 'k' can not be converted to a Blob: Base64 encoded length is expected a "
            "multiple of 4 bytes but found: 1");
  GetRecordsRequest records;
  EXPECT_EQ(Show(ParseRequest(Tree(with("Limit", "\x41k")), records)),
            "SerializationException: class java.nio.HeapByteBuffer can not be converted to an Integer");
}

}  // namespace
}  // namespace honryu::wire
