// DynamoDB's expressions. The first byte picks the parser, the rest is the expression over names and values
// that are given. Checked beside "no crash": every refusal names its parameter, and what is taken can be
// evaluated; an update that is applied leaves an item that can be stored and read again.
#include "honryu/base/check.h"
#include "honryu/tables/expression.h"

#include <cstdint>
#include <string_view>

namespace {

using namespace honryu;
using namespace honryu::tables;

Value Number(std::int64_t number) { return Value::Number(Decimal(number)); }

Item Sample() {
  Item item;
  item["k"] = Value::String("key");
  item["n"] = Number(5);
  item["b"] = Value(Value::State(Binary{"\x01\x02"}));
  item["s"] = Value(Value::State(Value::StringSet{"a", "b"}));
  item["ns"] = Value(Value::State(Value::NumberSet{Decimal(1), Decimal(2)}));
  item["l"] = Value(
      Value::State(Value::List{Number(1), Value::String("x"), Value(Value::State(Value::List{Number(2)}))}));
  item["m"] = Value(Value::State(Value::Map{{"a", Number(1)}, {"m", Value(Value::State(Value::Map{}))}}));
  return item;
}

Substitutions Given() {
  Substitutions given;
  given.names = {{"#k", "k"}, {"#n", "n"}, {"#m", "m"}};
  given.values = {{":n", Number(3)},
                  {":t", Value::String("S")},
                  {":s", Value(Value::State(Value::StringSet{"b", "c"}))},
                  {":l", Value(Value::State(Value::List{Number(9)}))}};
  return given;
}

void CheckRefusal(const Error& error) {
  HONRYU_CHECK(error.code() == ErrorCode::kInvalidArgument, "a refusal is the caller's fault");
  HONRYU_CHECK(error.message().starts_with("Invalid "), "a refusal names its parameter");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Item sample = Sample();
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Substitutions given = Given();
  switch (data[0] % 3) {
    case 0: {
      const Result<Condition> condition = ParseCondition(text, given, "ConditionExpression");
      if (!condition.ok()) {
        CheckRefusal(condition.error());
        break;
      }
      Condition inverse;
      inverse.op = Condition::Op::kNot;
      inverse.parts.push_back(*condition);
      HONRYU_CHECK(Matches(*condition, sample) != Matches(inverse, sample),
                   "a condition holds or its inverse does");
      (void)Matches(*condition, Item());
      const Result<KeyCondition> keys = KeyConditionOf(*condition, "k", "n");
      HONRYU_CHECK(keys.ok() || !keys.error().message().empty(), "a refusal is told");
      break;
    }
    case 1: {
      const Result<Update> update = ParseUpdate(text, given);
      if (!update.ok()) {
        CheckRefusal(update.error());
        break;
      }
      Item item = sample;
      const Result<void> applied = Apply(*update, item);
      if (!applied.ok()) break;
      const Result<Item> stored = DecodeItem(EncodeItem(item));
      HONRYU_CHECK(stored.ok() && *stored == item, "an updated item can be stored");
      (void)Project(item, update->Touched());
      break;
    }
    default: {
      const Result<std::vector<Path>> paths = ParseProjection(text, given);
      if (!paths.ok()) {
        CheckRefusal(paths.error());
        break;
      }
      HONRYU_CHECK(Project(sample, *paths).size() <= sample.size(), "a projection only takes away");
      break;
    }
  }
  return 0;
}
