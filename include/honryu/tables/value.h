#pragma once

#include "honryu/base/result.h"
#include "honryu/tables/decimal.h"

#include <compare>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace honryu::tables {

struct Null {
  friend bool operator==(const Null&, const Null&) = default;
};
struct Binary {
  std::string bytes;
  friend auto operator<=>(const Binary&, const Binary&) = default;
};

/// An attribute's value, of one of DynamoDB's ten types. Value type.
class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::map<std::string, Value, std::less<>>;
  using StringSet = std::set<std::string>;
  using NumberSet = std::set<Decimal>;
  using BinarySet = std::set<Binary>;
  using State =
      std::variant<std::string, Decimal, Binary, bool, Null, List, Map, StringSet, NumberSet, BinarySet>;
  /// In the order of State. On disk: never renumber.
  enum class Type : std::uint8_t {
    kString = 0,
    kNumber = 1,
    kBinary = 2,
    kBool = 3,
    kNull = 4,
    kList = 5,
    kMap = 6,
    kStringSet = 7,
    kNumberSet = 8,
    kBinarySet = 9,
  };

  Value() : state_(Null()) {}
  explicit Value(State state) : state_(std::move(state)) {}
  static Value String(std::string text) { return Value(State(std::move(text))); }
  static Value Number(Decimal number) { return Value(State(std::move(number))); }

  Type type() const { return static_cast<Type>(state_.index()); }
  /// Null pointer when it is of another type.
  template <class T>
  const T* As() const {
    return std::get_if<T>(&state_);
  }
  template <class T>
  T* As() {
    return std::get_if<T>(&state_);
  }
  const State& state() const { return state_; }

  friend bool operator==(const Value& a, const Value& b);

 private:
  State state_;
};

/// Named attributes.
using Item = Value::Map;

/// "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS".
std::string_view TypeName(Value::Type type);
/// The type of that name; false when there is none.
bool FindType(std::string_view name, Value::Type* type);

/// Order of two strings, numbers or binaries; unordered when the types differ or have no order.
std::partial_ordering Compare(const Value& a, const Value& b);

/// DynamoDB's size of an item or value in bytes: names and values, 1 for each container's element and 3 for
/// the container. Numbers take half a byte a digit and one more.
std::size_t SizeOf(const Value& value);
std::size_t SizeOf(const Item& item);

/// The stored form: a version byte and the attributes (docs/formats/tables.md).
std::string EncodeItem(const Item& item);
/// kCorrupt when `bytes` is no item.
Result<Item> DecodeItem(std::string_view bytes);

/// Appends a string, number or binary as bytes that compare as the values do, and of which none begins
/// another. The value must be of one of these types.
void AppendKey(const Value& value, std::string& out);

/// Values inside each other, at most. DynamoDB takes 32; the two of difference are levels of the JSON parser.
inline constexpr std::size_t kMaxDepth = 30;

}  // namespace honryu::tables
