#include "honryu/tables/value.h"

#include "honryu/base/check.h"
#include "honryu/codec/varint.h"

#include <array>
#include <optional>

namespace honryu::tables {

namespace {

constexpr char kItemVersion = 1;
constexpr std::array<std::string_view, 10> kTypeNames = {"S", "N", "B",  "BOOL", "NULL",
                                                         "L", "M", "SS", "NS",   "BS"};

std::size_t NumberSize(const Decimal& number) {
  return static_cast<std::size_t>((number.significant_digits() + 1) / 2) + 1;
}

void AppendText(std::string& out, std::string_view text) {
  codec::AppendVarint(out, text.size());
  out.append(text);
}

bool TakeText(std::string_view& in, std::string& out) {
  std::uint64_t size = 0;
  if (!codec::TakeVarint(&in, &size) || size > in.size()) return false;
  out.assign(in.substr(0, size));
  in.remove_prefix(size);
  return true;
}

void EncodeMap(const Value::Map& map, std::string& out);

void EncodeValue(const Value& value, std::string& out) {
  out.push_back(static_cast<char>(value.type()));
  if (const auto* text = value.As<std::string>()) AppendText(out, *text);
  if (const auto* number = value.As<Decimal>()) AppendText(out, number->ToString());
  if (const auto* binary = value.As<Binary>()) AppendText(out, binary->bytes);
  if (const auto* flag = value.As<bool>()) out.push_back(*flag ? '\x01' : '\0');
  if (const auto* list = value.As<Value::List>()) {
    codec::AppendVarint(out, list->size());
    for (const Value& element : *list) EncodeValue(element, out);
  }
  if (const auto* map = value.As<Value::Map>()) EncodeMap(*map, out);
  if (const auto* set = value.As<Value::StringSet>()) {
    codec::AppendVarint(out, set->size());
    for (const std::string& element : *set) AppendText(out, element);
  }
  if (const auto* set = value.As<Value::NumberSet>()) {
    codec::AppendVarint(out, set->size());
    for (const Decimal& element : *set) AppendText(out, element.ToString());
  }
  if (const auto* set = value.As<Value::BinarySet>()) {
    codec::AppendVarint(out, set->size());
    for (const Binary& element : *set) AppendText(out, element.bytes);
  }
}

void EncodeMap(const Value::Map& map, std::string& out) {
  codec::AppendVarint(out, map.size());
  for (const auto& [name, value] : map) {
    AppendText(out, name);
    EncodeValue(value, out);
  }
}

std::optional<Decimal> TakeNumber(std::string_view& in) {
  std::string text;
  if (!TakeText(in, text)) return std::nullopt;
  Result<Decimal> number = Decimal::Parse(text);
  if (!number.ok()) return std::nullopt;
  return std::move(*number);
}

// Reads `in` from disk; bounded by its length and `depth`. nullopt: not in the format.
class Decoder {
 public:
  explicit Decoder(std::string_view in) : in_(in) {}

  std::optional<Value::Map> Map(std::size_t depth) {
    std::uint64_t count = 0;
    if (depth > kMaxDepth + 2 || !codec::TakeVarint(&in_, &count) || count > in_.size()) return std::nullopt;
    Value::Map map;
    for (; count > 0; --count) {
      std::string name;
      if (!TakeText(in_, name)) return std::nullopt;
      std::optional<Value> value = One(depth);
      if (!value) return std::nullopt;
      map.emplace_hint(map.end(), std::move(name), std::move(*value));
    }
    return map;
  }
  bool at_end() const { return in_.empty(); }

 private:
  std::optional<Value> One(std::size_t depth) {
    if (in_.empty()) return std::nullopt;
    const auto type = static_cast<Value::Type>(in_.front());
    in_.remove_prefix(1);
    switch (type) {
      case Value::Type::kString:
      case Value::Type::kBinary: {
        std::string text;
        if (!TakeText(in_, text)) return std::nullopt;
        if (type == Value::Type::kString) return Value::String(std::move(text));
        return Value(Value::State(Binary{std::move(text)}));
      }
      case Value::Type::kNumber: {
        std::optional<Decimal> number = TakeNumber(in_);
        if (!number) return std::nullopt;
        return Value::Number(std::move(*number));
      }
      case Value::Type::kBool: {
        if (in_.empty()) return std::nullopt;
        const bool flag = in_.front() != '\0';
        in_.remove_prefix(1);
        return Value(Value::State(flag));
      }
      case Value::Type::kNull:
        return Value();
      case Value::Type::kMap: {
        std::optional<Value::Map> map = Map(depth + 1);
        if (!map) return std::nullopt;
        return Value(Value::State(std::move(*map)));
      }
      default:
        return Elements(type, depth);
    }
  }

  std::optional<Value> Elements(Value::Type type, std::size_t depth) {
    std::uint64_t count = 0;
    if (depth > kMaxDepth + 2 || !codec::TakeVarint(&in_, &count) || count > in_.size()) return std::nullopt;
    Value::List list;
    Value::StringSet strings;
    Value::NumberSet numbers;
    Value::BinarySet binaries;
    for (; count > 0; --count) {
      if (type == Value::Type::kList) {
        std::optional<Value> value = One(depth + 1);
        if (!value) return std::nullopt;
        list.push_back(std::move(*value));
      } else if (type == Value::Type::kNumberSet) {
        std::optional<Decimal> number = TakeNumber(in_);
        if (!number) return std::nullopt;
        numbers.insert(std::move(*number));
      } else {
        std::string text;
        if (!TakeText(in_, text)) return std::nullopt;
        if (type == Value::Type::kStringSet) {
          strings.insert(std::move(text));
        } else {
          binaries.insert(Binary{std::move(text)});
        }
      }
    }
    if (type == Value::Type::kList) return Value(Value::State(std::move(list)));
    if (type == Value::Type::kNumberSet) return Value(Value::State(std::move(numbers)));
    if (type == Value::Type::kStringSet) return Value(Value::State(std::move(strings)));
    if (type == Value::Type::kBinarySet) return Value(Value::State(std::move(binaries)));
    return std::nullopt;
  }

  std::string_view in_;
};

}  // namespace

bool operator==(const Value& a, const Value& b) { return a.state_ == b.state_; }

std::string_view TypeName(Value::Type type) { return kTypeNames[static_cast<std::size_t>(type)]; }

bool FindType(std::string_view name, Value::Type* type) {
  for (std::size_t i = 0; i < kTypeNames.size(); ++i) {
    if (kTypeNames[i] != name) continue;
    *type = static_cast<Value::Type>(i);
    return true;
  }
  return false;
}

std::partial_ordering Compare(const Value& a, const Value& b) {
  if (a.type() != b.type()) return std::partial_ordering::unordered;
  if (const auto* text = a.As<std::string>()) return text->compare(*b.As<std::string>()) <=> 0;
  if (const auto* number = a.As<Decimal>()) return *number <=> *b.As<Decimal>();
  if (const auto* binary = a.As<Binary>()) return binary->bytes.compare(b.As<Binary>()->bytes) <=> 0;
  return std::partial_ordering::unordered;
}

std::size_t SizeOf(const Value& value) {
  std::size_t size = 0;
  if (const auto* text = value.As<std::string>()) return text->size();
  if (const auto* number = value.As<Decimal>()) return NumberSize(*number);
  if (const auto* binary = value.As<Binary>()) return binary->bytes.size();
  if (const auto* list = value.As<Value::List>()) {
    for (const Value& element : *list) size += SizeOf(element) + 1;
    return size + 3;
  }
  if (const auto* map = value.As<Value::Map>()) return SizeOf(*map) + map->size() + 3;
  if (const auto* set = value.As<Value::StringSet>()) {
    for (const std::string& element : *set) size += element.size();
    return size;
  }
  if (const auto* set = value.As<Value::NumberSet>()) {
    for (const Decimal& element : *set) size += NumberSize(element);
    return size;
  }
  if (const auto* set = value.As<Value::BinarySet>()) {
    for (const Binary& element : *set) size += element.bytes.size();
    return size;
  }
  return 1;  // a flag or null
}

std::size_t SizeOf(const Item& item) {
  std::size_t size = 0;
  for (const auto& [name, value] : item) size += name.size() + SizeOf(value);
  return size;
}

std::string EncodeItem(const Item& item) {
  std::string out(1, kItemVersion);
  EncodeMap(item, out);
  return out;
}

Result<Item> DecodeItem(std::string_view bytes) {
  const Error corrupt(ErrorCode::kCorrupt, "a stored item is not in its format");
  if (bytes.empty() || bytes.front() != kItemVersion) return corrupt;
  Decoder decoder(bytes.substr(1));
  std::optional<Item> item = decoder.Map(0);
  if (!item || !decoder.at_end()) return corrupt;
  return std::move(*item);
}

// Text ends with two zero bytes; a zero in it becomes 00 FF, which is above that end and below all else.
void AppendKey(const Value& value, std::string& out) {
  if (const auto* number = value.As<Decimal>()) {
    number->AppendKey(out);
    return;
  }
  const auto* text = value.As<std::string>();
  const auto* binary = value.As<Binary>();
  HONRYU_CHECK(text != nullptr || binary != nullptr, "a key attribute is a string, number or binary");
  for (const char c : text != nullptr ? *text : binary->bytes) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.append(2, '\0');
}

}  // namespace honryu::tables
