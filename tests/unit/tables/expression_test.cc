#include "honryu/tables/expression.h"

#include <gtest/gtest.h>

namespace honryu::tables {
namespace {

Value Text(std::string text) { return Value::String(std::move(text)); }
Value Number(std::string_view text) { return Value::Number(Decimal::Parse(text).value()); }

Item Lease() {
  Item item;
  item["leaseKey"] = Text("shardId-7");
  item["counter"] = Number("5");
  item["owner"] = Text("worker");
  item["parents"] = Value(Value::State(Value::StringSet{"p1", "p2"}));
  item["list"] = Value(Value::State(Value::List{Text("x"), Number("2")}));
  item["map"] =
      Value(Value::State(Value::Map{{"inner", Value(Value::State(Value::Map{{"deep", Number("1")}}))}}));
  return item;
}

Substitutions Given() {
  Substitutions given;
  given.names = {{"#c", "counter"}, {"#odd", "a.b"}};
  given.values = {{":five", Number("5.0")}, {":six", Number("6")}, {":w", Text("worker")},
                  {":p", Text("p1")},       {":s", Text("S")},     {":two", Number("2")},
                  {":pre", Text("shard")},  {":one", Number("1")}};
  return given;
}

bool Holds(std::string_view text) {
  Substitutions given = Given();
  const Result<Condition> condition = ParseCondition(text, given, "ConditionExpression");
  EXPECT_TRUE(condition.ok()) << text << ": " << (condition.ok() ? "" : condition.error().message());
  return condition.ok() && Matches(*condition, Lease());
}

std::string Refusal(std::string_view text) {
  Substitutions given = Given();
  const Result<Condition> condition = ParseCondition(text, given, "ConditionExpression");
  return condition.ok() ? "taken" : condition.error().message();
}

TEST(Condition, Comparators) {
  EXPECT_TRUE(Holds("#c = :five")) << "5 and 5.0 are one number";
  EXPECT_TRUE(Holds("counter <> :six"));
  EXPECT_TRUE(Holds("counter < :six AND counter <= :five AND :six > counter AND counter >= :five"));
  EXPECT_FALSE(Holds("counter < :five"));
  EXPECT_FALSE(Holds("counter < :w")) << "another type compares as false";
  EXPECT_TRUE(Holds("counter <> :w"));
  EXPECT_FALSE(Holds("absent = :w"));
  EXPECT_TRUE(Holds("absent <> :w"));
  EXPECT_TRUE(Holds("counter BETWEEN :five AND :six"));
  EXPECT_FALSE(Holds("counter between :six and :six"));
  EXPECT_TRUE(Holds("owner IN (:p, :w)"));
  EXPECT_FALSE(Holds("owner IN (:p)"));
}

TEST(Condition, PrecedenceIsNotThenAndThenOr) {
  EXPECT_TRUE(Holds("counter = :five OR counter = :six AND counter = :six"));
  EXPECT_FALSE(Holds("(counter = :five OR counter = :six) AND counter = :six"));
  EXPECT_FALSE(Holds("NOT counter = :five AND counter = :five"));
  EXPECT_TRUE(Holds("NOT (counter = :five AND counter = :six)"));
  EXPECT_TRUE(Holds("NOT NOT counter = :five"));
}

TEST(Condition, Functions) {
  EXPECT_TRUE(Holds("attribute_exists(leaseKey) AND attribute_not_exists(other)"));
  EXPECT_TRUE(Holds("attribute_exists(map.inner.deep) AND attribute_not_exists(map.other.deep)"));
  EXPECT_TRUE(Holds("attribute_type(owner, :s)"));
  EXPECT_TRUE(Holds("begins_with(leaseKey, :pre)"));
  EXPECT_FALSE(Holds("begins_with(counter, :pre)"));
  EXPECT_TRUE(Holds("contains(parents, :p) AND contains(owner, :w) AND contains(list, :two)"));
  EXPECT_FALSE(Holds("contains(parents, :w)"));
  EXPECT_TRUE(
      Holds("size(parents) = :two AND size(list) = :two AND size(owner) = :six AND size(map) = :one"));
  EXPECT_FALSE(Holds("size(counter) = :one")) << "a number has no size";
}

TEST(Condition, DocumentPaths) {
  EXPECT_TRUE(Holds("list[1] = :two"));
  EXPECT_FALSE(Holds("list[2] = :two"));
  EXPECT_TRUE(Holds("map.inner.deep = :one"));
  EXPECT_FALSE(Holds("#odd = :one")) << "a dot in a substituted name is part of the name";
}

TEST(Condition, RefusalsAreDynamoDbs) {
  EXPECT_EQ(Refusal(""), "Invalid ConditionExpression: The expression can not be empty;");
  EXPECT_EQ(Refusal("counter = "),
            "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"=\"");
  EXPECT_EQ(Refusal("counter == :five"),
            "Invalid ConditionExpression: Syntax error; token: \"=\", near: \"= = :five\"");
  EXPECT_EQ(Refusal("counter = :missing"),
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
            "attribute "
            "value: :missing");
  EXPECT_EQ(
      Refusal("#x = :five"),
      "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; "
      "attribute name: #x");
  EXPECT_EQ(Refusal("nonsense(counter)"),
            "Invalid ConditionExpression: Invalid function name; function: nonsense");
  EXPECT_NE(Refusal("attribute_exists(:five)").find("requires a document path"), std::string::npos);
  EXPECT_NE(Refusal("begins_with(owner, :five)").find("Incorrect operand type"), std::string::npos);
  EXPECT_NE(Refusal("contains(owner)").find("Incorrect number of operands"), std::string::npos);
  EXPECT_NE(Refusal("counter BETWEEN :six AND :five").find("upper bound"), std::string::npos);
  EXPECT_NE(Refusal("counter ! :five").find("Syntax error; token: \"!\""), std::string::npos);
  EXPECT_NE(Refusal("counter").find("Syntax error"), std::string::npos);
}

TEST(Condition, DepthLengthAndNumberOfOperatorsAreBounded) {
  EXPECT_NE(Refusal(std::string(60, '(') + "counter = :five" + std::string(60, ')')).find("too deeply"),
            std::string::npos);
  std::string nots;
  for (int i = 0; i < 60; ++i) nots += "NOT ";
  EXPECT_NE(Refusal(nots + "counter = :five").find("too deeply"), std::string::npos);
  EXPECT_NE(Refusal(std::string(5000, ' ')).find("maximum allowed size"), std::string::npos);
  std::string many = "counter = :six";
  for (int i = 0; i < 160; ++i) many += " OR owner=:w";
  EXPECT_NE(Refusal(many).find("too many operators"), std::string::npos);
}

TEST(Substitutions, MustAllBeUsed) {
  Substitutions given = Given();
  given.names.erase("#odd");
  ASSERT_TRUE(ParseCondition("#c = :five", given, "ConditionExpression").ok());
  EXPECT_EQ(given.CheckAllUsed().error().message(),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:one, :p, :pre, :s, "
            ":six, :two, "
            ":w}");
}

std::string KeyRefusal(std::string_view text, std::string_view range) {
  Substitutions given = Given();
  const Result<Condition> condition = ParseCondition(text, given, "KeyConditionExpression");
  const Result<KeyCondition> keys = KeyConditionOf(condition.value(), "owner", range);
  return keys.ok() ? "taken" : keys.error().message();
}

TEST(KeyCondition, IsTheHashKeyAndPerhapsOneConditionOnTheRangeKey) {
  EXPECT_EQ(KeyRefusal("owner = :w", ""), "taken");
  EXPECT_EQ(KeyRefusal("leaseKey > :p AND owner = :w", "leaseKey"), "taken");
  EXPECT_EQ(KeyRefusal("owner = :w AND begins_with(leaseKey, :p)", "leaseKey"), "taken");
  EXPECT_EQ(KeyRefusal("owner > :w", ""), "Query key condition not supported");
  EXPECT_EQ(KeyRefusal("owner = :w OR owner = :p", ""), "Query key condition not supported");
  EXPECT_EQ(KeyRefusal("owner = :w AND leaseKey <> :p", "leaseKey"), "Query key condition not supported");
  EXPECT_EQ(KeyRefusal("owner = :w AND other = :p", "leaseKey"),
            "Query condition missed key schema element: leaseKey");
  EXPECT_EQ(KeyRefusal("leaseKey = :p", "leaseKey"), "Query condition missed key schema element: owner");
}

TEST(Projection, TakesPathsWithTheContainersAroundThem) {
  Substitutions given = Given();
  const auto paths = ParseProjection("map.inner.deep, list[1], #c, absent.x", given).value();
  const Item part = Project(Lease(), paths);
  Item expected;
  expected["map"] =
      Value(Value::State(Value::Map{{"inner", Value(Value::State(Value::Map{{"deep", Number("1")}}))}}));
  expected["list"] = Value(Value::State(Value::List{Number("2")}));
  expected["counter"] = Number("5");
  EXPECT_EQ(part, expected);
  EXPECT_NE(ParseProjection("map, map.inner", given).error().message().find("overlap"), std::string::npos);
}

}  // namespace
}  // namespace honryu::tables
