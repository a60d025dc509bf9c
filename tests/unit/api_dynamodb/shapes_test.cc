#include "api/dynamodb/shapes.h"

#include <gtest/gtest.h>

namespace honryu::api::dynamodb {
namespace {

using codec::Json;
using tables::Item;

Json Parsed(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? std::move(*json) : Json();
}
std::string Refusal(std::string_view value) {
  const Json json = Parsed(value);
  const Result<tables::Value> read = ReadValue(json);
  return read.ok() ? "taken" : read.error().ToString();
}

TEST(AttributeValue, OfEveryTypeComesBack) {
  const std::string text =
      R"({"b":{"B":"AP8="},"bs":{"BS":["AQ=="]},"f":{"BOOL":false},"l":{"L":[{"S":"x"},{"NULL":true}]},)"
      R"("m":{"M":{"k":{"N":"-1.5"}}},"ns":{"NS":["1","2"]},"s":{"S":""},"ss":{"SS":["a","b"]}})";
  const Json json = Parsed(text);
  const Result<Item> item = ReadItem(json);
  ASSERT_TRUE(item.ok()) << item.error().message();
  std::string out;
  codec::JsonWriter writer(out);
  WriteItem(*item, writer);
  EXPECT_EQ(out, text);
}

TEST(AttributeValue, RefusalsAreDynamoDbs) {
  EXPECT_EQ(Refusal("{}"),
            "invalid_argument: Supplied AttributeValue is empty, must contain exactly one of the supported "
            "datatypes");
  EXPECT_EQ(Refusal(R"({"Q":"x"})").substr(0, 50), Refusal("{}").substr(0, 50));
  EXPECT_NE(Refusal(R"({"S":"a","N":"1"})").find("more than one datatypes"), std::string::npos);
  EXPECT_NE(Refusal(R"({"NULL":false})").find("must have the value of true"), std::string::npos);
  EXPECT_NE(Refusal(R"({"SS":[]})").find("may not be empty"), std::string::npos);
  EXPECT_NE(Refusal(R"({"NS":["1","1.0"]})").find("duplicates"), std::string::npos);
  EXPECT_NE(Refusal(R"({"N":"abc"})").find("cannot be converted to a numeric value: abc"), std::string::npos);
  // Of another JSON type: no validation, the request cannot be read.
  for (const char* text : {R"({"S":1})", R"({"N":1})", R"({"B":"***"})", R"({"BOOL":"true"})", R"({"L":{}})",
                           R"({"M":[]})", R"({"SS":"a"})", R"("x")", "[]"})
    EXPECT_TRUE(Refusal(text).starts_with("out_of_range")) << text;
}

TEST(AttributeValue, NestingIsBounded) {
  std::string value = R"({"S":"x"})";
  for (std::size_t i = 0; i < tables::kMaxDepth; ++i) value = R"({"L":[)" + value + "]}";
  EXPECT_EQ(Refusal(value), "taken");
  // One level more is either refused here or by the JSON parser.
  const Result<Json> deeper = Json::Parse(R"({"L":[)" + value + "]}");
  EXPECT_TRUE(!deeper.ok() || !ReadValue(*deeper).ok());
}

std::string LegacyRefusal(std::string_view request) {
  const Json json = Parsed(request);
  const auto read = ReadLegacyConditions(Members(json), "Expected");
  return read.ok() ? "taken" : read.error().message();
}

TEST(LegacyConditions, AreReadAsExpressionsAre) {
  const Json json = Parsed(R"({"Expected":{"a":{"Exists":false},"b":{"Value":{"N":"1"}},)"
                           R"("c":{"ComparisonOperator":"NOT_CONTAINS","AttributeValueList":[{"S":"x"}]}}})");
  const auto condition = ReadLegacyConditions(Members(json), "Expected").value();
  ASSERT_TRUE(condition.has_value());
  Item item;
  item["b"] = tables::Value::Number(tables::Decimal(1));
  item["c"] = tables::Value::String("y");
  EXPECT_TRUE(tables::Matches(*condition, item));
  item["a"] = tables::Value::String("there");
  EXPECT_FALSE(tables::Matches(*condition, item));
  item.erase("a");
  item["c"] = tables::Value::String("axb");
  EXPECT_FALSE(tables::Matches(*condition, item));
}

TEST(LegacyConditions, Refusals) {
  EXPECT_NE(LegacyRefusal(R"({"Expected":{"a":{"Exists":true}}})")
                .find("Value must be provided when Exists is true"),
            std::string::npos);
  EXPECT_NE(
      LegacyRefusal(R"({"Expected":{"a":{"Exists":false,"Value":{"S":"x"}}}})").find("Value cannot be used"),
      std::string::npos);
  EXPECT_NE(LegacyRefusal(R"({"Expected":{"a":{"ComparisonOperator":"LIKE"}}})").find("Unsupported operator"),
            std::string::npos);
  EXPECT_NE(
      LegacyRefusal(R"({"Expected":{"a":{"ComparisonOperator":"BETWEEN","AttributeValueList":[{"N":"1"}]}}})")
          .find("Invalid number of argument(s)"),
      std::string::npos);
  EXPECT_NE(
      LegacyRefusal(R"({"ConditionalOperator":"XOR","Expected":{"a":{"Exists":false}}})").find("[OR, AND]"),
      std::string::npos);
}

}  // namespace
}  // namespace honryu::api::dynamodb
