#include "honryu/tables/value.h"

#include <gtest/gtest.h>

namespace honryu::tables {
namespace {

Value Number(std::string_view text) { return Value::Number(Decimal::Parse(text).value()); }

Item OneOfEach() {
  Item item;
  item["s"] = Value::String("text");
  item["n"] = Number("-12.5");
  item["b"] = Value(Value::State(Binary{std::string("\0\xff", 2)}));
  item["t"] = Value(Value::State(true));
  item["null"] = Value();
  item["l"] =
      Value(Value::State(Value::List{Value::String("a"), Number("1"), Value(Value::State(Value::List{}))}));
  item["m"] = Value(Value::State(Value::Map{{"x", Value(Value::State(false))}}));
  item["ss"] = Value(Value::State(Value::StringSet{"a", "b"}));
  item["ns"] = Value(Value::State(Value::NumberSet{Decimal(1), Decimal(2)}));
  item["bs"] = Value(Value::State(Value::BinarySet{Binary{"x"}, Binary{""}}));
  return item;
}

TEST(StoredItem, ComesBackAsItWas) {
  const Item item = OneOfEach();
  const Result<Item> back = DecodeItem(EncodeItem(item));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, item);
}

// The format on disk must not change unnoticed.
TEST(StoredItem, HasTheseBytes) {
  Item item;
  item["k"] = Value::String("v");
  item["n"] = Number("1.50");
  EXPECT_EQ(EncodeItem(item), std::string("\x01\x02\x01k\x00\x01v\x01n\x01\x03"
                                          "1.5",
                                          14));
}

TEST(StoredItem, ThatIsCutOrChangedIsCorruptNotACrash) {
  const std::string bytes = EncodeItem(OneOfEach());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeItem(bytes.substr(0, size)).ok()) << size;
  EXPECT_EQ(DecodeItem(bytes + "x").error().code(), ErrorCode::kCorrupt);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const char c : {'\0', '\x09', '\x7f', '\xff'}) {
      std::string changed = bytes;
      changed[i] = c;
      const Result<Item> read = DecodeItem(changed);
      EXPECT_TRUE(read.ok() || read.error().code() == ErrorCode::kCorrupt);
    }
  }
}

TEST(Value, IsOrderedWithinAType) {
  EXPECT_TRUE(Compare(Number("9"), Number("10")) < 0);
  EXPECT_TRUE(Compare(Value::String("9"), Value::String("10")) > 0);
  EXPECT_TRUE(Compare(Value::String("\x7f"), Value::String("\xc3\xa9")) < 0) << "bytes are unsigned";
  EXPECT_TRUE(Compare(Number("1"), Value::String("1")) == std::partial_ordering::unordered);
  EXPECT_TRUE(Compare(Value(), Value()) == std::partial_ordering::unordered);
}

TEST(Value, TextKeysSortAsTextAndNoneBeginsAnother) {
  const std::vector<std::string> texts = {"",
                                          std::string(1, '\0'),
                                          std::string("\0\0", 2),
                                          std::string("\0\x01", 2),
                                          "a",
                                          std::string("a\0", 2),
                                          "aa",
                                          "b"};
  std::vector<std::string> keys;
  for (const std::string& text : texts) AppendKey(Value::String(text), keys.emplace_back());
  for (std::size_t i = 1; i < keys.size(); ++i) {
    EXPECT_LT(keys[i - 1], keys[i]) << i;
    EXPECT_FALSE(keys[i].starts_with(keys[i - 1])) << i;
  }
}

TEST(Value, SizesAreDynamoDbs) {
  Item item;
  item["key"] = Value::String("value");
  EXPECT_EQ(SizeOf(item), 8u);
  EXPECT_EQ(SizeOf(Number("1234")), 3u);
  EXPECT_EQ(SizeOf(Value(Value::State(Value::List{Value::String("ab")}))), 6u);
}

}  // namespace
}  // namespace honryu::tables
