#include "api/dynamodb/shapes.h"

#include "honryu/codec/base64.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using tables::Binary;
using tables::Decimal;
using tables::Item;
using tables::Value;

namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

Error Malformed(std::string_view expected) {
  return Error(ErrorCode::kOutOfRange,
               "a member of another type where " + std::string(expected) + " is expected");
}

Result<std::string> TextOf(const Json& json) {
  if (!json.is_string()) return Malformed("a string");
  return std::string(json.StringOr(""));
}

Result<std::string> BytesOf(const Json& json) {
  HONRYU_TRY(const std::string text, TextOf(json));
  Result<std::string> bytes = codec::Base64Decode(text);
  if (!bytes.ok()) return Malformed("base64");
  return std::move(*bytes);
}

Result<Decimal> NumberOf(const Json& json) {
  HONRYU_TRY(const std::string text, TextOf(json));
  Result<Decimal> number = Decimal::Parse(text);
  return number;
}

template <class Set, class Read>
Result<Value> ReadSet(const Json& json, std::string_view kind, const Read& read) {
  if (!json.is_array()) return Malformed("a list");
  if (json.array().empty())
    return Wrong(std::string(kInvalid) + "An " + std::string(kind) + " set  may not be empty");
  Set set;
  for (const Json& element : json.array()) {
    HONRYU_TRY(auto one, read(element));
    if (!set.insert(std::move(one)).second)
      return Wrong(std::string(kInvalid) + "Input collection contains duplicates.");
  }
  return Value(Value::State(std::move(set)));
}

Result<Value> ReadOfType(Value::Type type, const Json& json, std::size_t depth) {
  switch (type) {
    case Value::Type::kString: {
      HONRYU_TRY(std::string text, TextOf(json));
      return Value::String(std::move(text));
    }
    case Value::Type::kNumber: {
      HONRYU_TRY(Decimal number, NumberOf(json));
      return Value::Number(std::move(number));
    }
    case Value::Type::kBinary: {
      HONRYU_TRY(std::string bytes, BytesOf(json));
      return Value(Value::State(Binary{std::move(bytes)}));
    }
    case Value::Type::kBool:
      if (!json.is_bool()) return Malformed("a boolean");
      return Value(Value::State(json.BoolOr(false)));
    case Value::Type::kNull:
      if (!json.is_bool()) return Malformed("a boolean");
      if (!json.BoolOr(false)) {
        return Wrong(
            "One or more parameter values were invalid: Null attribute value types must have the value of "
            "true");
      }
      return Value();
    case Value::Type::kList: {
      if (!json.is_array()) return Malformed("a list");
      Value::List list;
      for (const Json& element : json.array()) {
        HONRYU_TRY(Value value, ReadValue(element, depth + 1));
        list.push_back(std::move(value));
      }
      return Value(Value::State(std::move(list)));
    }
    case Value::Type::kMap: {
      if (!json.is_object()) return Malformed("a map");
      Value::Map map;
      for (const auto& [name, member] : json.object()) {
        HONRYU_TRY(Value value, ReadValue(member, depth + 1));
        map.insert_or_assign(name, std::move(value));
      }
      return Value(Value::State(std::move(map)));
    }
    case Value::Type::kStringSet:
      return ReadSet<Value::StringSet>(json, "string", TextOf);
    case Value::Type::kNumberSet:
      return ReadSet<Value::NumberSet>(json, "number", NumberOf);
    case Value::Type::kBinarySet:
      return ReadSet<Value::BinarySet>(json, "binary", [](const Json& element) -> Result<Binary> {
        HONRYU_TRY(std::string bytes, BytesOf(element));
        return Binary{std::move(bytes)};
      });
  }
  return Malformed("an attribute value");
}

}  // namespace

Error Wrong(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

Result<Value> ReadValue(const Json& json, std::size_t depth) {
  if (depth > tables::kMaxDepth) return Wrong("Nesting Levels have exceeded supported limits");
  if (!json.is_object()) return Malformed("a structure");
  std::optional<Value::Type> type;
  const Json* member = nullptr;
  for (const auto& [name, value] : json.object()) {
    Value::Type found{};
    if (value.is_null() || !tables::FindType(name, &found)) continue;
    if (type) {
      return Wrong(
          "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
          "supported "
          "datatypes");
    }
    type = found;
    member = &value;
  }
  if (!type)
    return Wrong("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
  return ReadOfType(*type, *member, depth);
}

Result<Item> ReadItem(const Json& json) {
  if (!json.is_object()) return Malformed("a map");
  Item item;
  for (const auto& [name, value] : json.object()) {
    HONRYU_TRY(Value read, ReadValue(value));
    item.insert_or_assign(name, std::move(read));
  }
  return item;
}

void WriteValue(const Value& value, codec::JsonWriter& json) {
  json.BeginObject();
  json.Key(tables::TypeName(value.type()));
  if (const auto* text = value.As<std::string>()) json.String(*text);
  if (const auto* number = value.As<Decimal>()) json.PlainString(number->ToString());
  if (const auto* binary = value.As<Binary>()) json.PlainString(codec::Base64Encode(binary->bytes));
  if (const auto* flag = value.As<bool>()) json.Bool(*flag);
  if (value.As<tables::Null>() != nullptr) json.Bool(true);
  if (const auto* map = value.As<Value::Map>()) WriteItem(*map, json);
  const auto elements = [&json](const auto& container, const auto& write) {
    json.BeginArray();
    for (const auto& element : container) write(element);
    json.EndArray();
  };
  if (const auto* list = value.As<Value::List>())
    elements(*list, [&](const Value& v) { WriteValue(v, json); });
  if (const auto* set = value.As<Value::StringSet>())
    elements(*set, [&](const std::string& v) { json.String(v); });
  if (const auto* set = value.As<Value::NumberSet>())
    elements(*set, [&](const Decimal& v) { json.PlainString(v.ToString()); });
  if (const auto* set = value.As<Value::BinarySet>())
    elements(*set, [&](const Binary& v) { json.PlainString(codec::Base64Encode(v.bytes)); });
  json.EndObject();
}

void WriteItem(const Item& item, codec::JsonWriter& json) {
  json.BeginObject();
  for (const auto& [name, value] : item) {
    json.Key(name);
    WriteValue(value, json);
  }
  json.EndObject();
}

Result<std::string> Members::Text(std::string_view name) const {
  const Json* member = json_.Find(name);
  if (member == nullptr) return std::string();
  return TextOf(*member);
}

Result<bool> Members::Flag(std::string_view name, bool fallback) const {
  const Json* member = json_.Find(name);
  if (member == nullptr) return fallback;
  if (!member->is_bool()) return Malformed("a boolean");
  return member->BoolOr(fallback);
}

Result<std::optional<std::int64_t>> Members::Number(std::string_view name) const {
  const Json* member = json_.Find(name);
  if (member == nullptr) return std::optional<std::int64_t>();
  if (!member->is_number()) return Malformed("a number");
  const double value = member->DoubleOr(0);
  if (!(std::abs(value) < 9e15)) return Malformed("an integer");
  return std::optional<std::int64_t>(member->IntOr(static_cast<std::int64_t>(value)));
}

Result<const Json*> Members::Object(std::string_view name) const {
  const Json* member = json_.Find(name);
  if (member != nullptr && !member->is_object()) return Malformed("a structure");
  return member;
}

Result<const Json::Array*> Members::List(std::string_view name) const {
  static const Json::Array kNone;
  const Json* member = json_.Find(name);
  if (member == nullptr) return &kNone;
  if (!member->is_array()) return Malformed("a list");
  return &member->array();
}

Result<std::vector<std::string>> Members::Texts(std::string_view name) const {
  HONRYU_TRY(const Json::Array* const list, List(name));
  std::vector<std::string> texts;
  for (const Json& element : *list) {
    HONRYU_TRY(std::string text, TextOf(element));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<Item> Members::RequiredItem(std::string_view name) const {
  const Json* member = json_.Find(name);
  if (member == nullptr) {
    std::string path(name);
    path[0] = static_cast<char>(path[0] - 'A' + 'a');
    return Wrong("1 validation error detected: Value null at '" + path +
                 "' failed to satisfy constraint: Member must not be null");
  }
  return ReadItem(*member);
}

Result<std::optional<Item>> Members::OptionalItem(std::string_view name) const {
  const Json* member = json_.Find(name);
  if (member == nullptr) return std::optional<Item>();
  HONRYU_TRY(Item item, ReadItem(*member));
  return std::optional<Item>(std::move(item));
}

Result<std::string> ReadTableName(const Members& request, std::string_view member) {
  HONRYU_TRY(std::string name, request.Text(member));
  std::string path(member);
  path[0] = static_cast<char>(path[0] - 'A' + 'a');
  if (!request.Has(member)) {
    return Wrong("1 validation error detected: Value null at '" + path +
                 "' failed to satisfy constraint: Member must not be null");
  }
  if (name.starts_with("arn:")) {
    const std::size_t table = name.find(":table/");
    if (table != std::string::npos) name = name.substr(table + 7);
  }
  const auto wrong = [&](const std::string& rule) {
    return Wrong("1 validation error detected: Value '" + name.substr(0, 300) + "' at '" + path +
                 "' failed to satisfy constraint: " + rule);
  };
  if (name.size() < 3) return wrong("Member must have length greater than or equal to 3");
  if (name.size() > 255) return wrong("Member must have length less than or equal to 255");
  const bool good = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
  if (!good) return wrong("Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
  return name;
}

}  // namespace honryu::api::dynamodb
