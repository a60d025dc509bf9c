#include "honryu/tables/expression.h"

#include <gtest/gtest.h>

namespace honryu::tables {
namespace {

Value Text(std::string text) { return Value::String(std::move(text)); }
Value Number(std::string_view text) { return Value::Number(Decimal::Parse(text).value()); }
Value Strings(Value::StringSet set) { return Value(Value::State(std::move(set))); }
Value ListOf(Value::List list) { return Value(Value::State(std::move(list))); }

class UpdateTest : public ::testing::Test {
 protected:
  UpdateTest() {
    item_["n"] = Number("5");
    item_["s"] = Text("text");
    item_["tags"] = Strings({"a", "b"});
    item_["list"] = ListOf({Text("x"), Text("y"), Text("z")});
    item_["map"] = Value(Value::State(Value::Map{{"k", Number("1")}}));
    given_.names = {{"#n", "n"}};
    given_.values = {{":one", Number("1")},         {":half", Number("0.5")},
                     {":t", Text("new")},           {":ab", Strings({"a", "c"})},
                     {":all", Strings({"a", "b"})}, {":l", ListOf({Text("w")})}};
  }
  /// "" or why it was refused.
  std::string Do(std::string_view text) {
    const Result<Update> update = ParseUpdate(text, given_);
    if (!update.ok()) return update.error().message();
    Item changed = item_;
    const Result<void> applied = Apply(*update, changed);
    if (!applied.ok()) return applied.error().message();
    item_ = std::move(changed);
    return "";
  }
  Substitutions given_;
  Item item_;
};

TEST_F(UpdateTest, SetsFromWhatWasThereBefore) {
  EXPECT_EQ(Do("SET #n = n + :one, old = n, s = :t"), "");
  EXPECT_EQ(item_["n"], Number("6"));
  EXPECT_EQ(item_["old"], Number("5")) << "operands are read before anything is written";
  EXPECT_EQ(item_["s"], Text("new"));
  EXPECT_EQ(Do("SET n = :half - n"), "");
  EXPECT_EQ(item_["n"], Number("-5.5"));
}

TEST_F(UpdateTest, IfNotExistsAndListAppend) {
  EXPECT_EQ(Do("SET n = if_not_exists(n, :one), fresh = if_not_exists(fresh, :one) + :half"), "");
  EXPECT_EQ(item_["n"], Number("5"));
  EXPECT_EQ(item_["fresh"], Number("1.5"));
  EXPECT_EQ(Do("SET list = list_append(:l, list), more = list_append(if_not_exists(more, :l), :l)"), "");
  EXPECT_EQ(item_["list"], ListOf({Text("w"), Text("x"), Text("y"), Text("z")}));
  EXPECT_EQ(item_["more"], ListOf({Text("w"), Text("w")}));
}

TEST_F(UpdateTest, PathsIntoDocuments) {
  EXPECT_EQ(Do("SET map.k = :t, map.k2 = :one, list[0] = :t, list[9] = :one"), "");
  EXPECT_EQ(item_["map"], Value(Value::State(Value::Map{{"k", Text("new")}, {"k2", Number("1")}})));
  EXPECT_EQ(item_["list"], ListOf({Text("new"), Text("y"), Text("z"), Number("1")}));
  EXPECT_EQ(Do("SET none.k = :t"),
            "The document path provided in the update expression is invalid for update");
  EXPECT_EQ(Do("SET s.k = :t"), "The document path provided in the update expression is invalid for update");
}

TEST_F(UpdateTest, RemovesByTheIndexesBefore) {
  EXPECT_EQ(Do("REMOVE list[0], list[1], s, absent"), "");
  EXPECT_EQ(item_["list"], ListOf({Text("z")}));
  EXPECT_FALSE(item_.contains("s"));
}

TEST_F(UpdateTest, AddsAndDeletes) {
  EXPECT_EQ(Do("ADD n :half, fresh :one, #n2 :one"),
            "Invalid UpdateExpression: An expression attribute name used in the document path is not "
            "defined; attribute "
            "name: #n2");
  EXPECT_EQ(Do("ADD n :half, fresh :one, tags :ab"), "");
  EXPECT_EQ(item_["n"], Number("5.5"));
  EXPECT_EQ(item_["fresh"], Number("1"));
  EXPECT_EQ(item_["tags"], Strings({"a", "b", "c"}));
  EXPECT_EQ(Do("DELETE tags :ab"), "");
  EXPECT_EQ(item_["tags"], Strings({"b"}));
  EXPECT_EQ(Do("DELETE tags :all, absent :all"), "");
  EXPECT_FALSE(item_.contains("tags")) << "there are no empty sets";
}

TEST_F(UpdateTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Do("SET n = absent + :one"),
            "The provided expression refers to an attribute that does not exist in the item");
  EXPECT_EQ(Do("SET n = s + :one"), "An operand in the update expression has an incorrect data type");
  EXPECT_EQ(Do("ADD s :one"), "An operand in the update expression has an incorrect data type");
  EXPECT_NE(Do("ADD n :t").find("Incorrect operand type"), std::string::npos);
  EXPECT_NE(Do("SET n = :one SET s = :t").find("can only be used once"), std::string::npos);
  EXPECT_NE(Do("SET n = :one REMOVE n").find("overlap"), std::string::npos);
  EXPECT_NE(Do("SET map = :one, map.k = :one").find("overlap"), std::string::npos);
  EXPECT_NE(Do("CHANGE n :one").find("Syntax error"), std::string::npos);
  EXPECT_NE(Do("SET n = :one + :half + :half").find("Syntax error"), std::string::npos);
  EXPECT_EQ(item_["n"], Number("5"));
}

}  // namespace
}  // namespace honryu::tables
