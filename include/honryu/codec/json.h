#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace honryu::codec {

/// Writes compact JSON (no blanks) by appending to one growing string. Commas are placed by the writer.
/// Strings are escaped per RFC 8259; invalid UTF-8 is replaced by U+FFFD. Not thread-safe.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}
  void BeginObject();
  void EndObject();
  void BeginArray();
  void EndArray();
  void Key(std::string_view key);
  void String(std::string_view value);
  void Int(std::int64_t value);
  void Uint(std::uint64_t value);
  /// Shortest form that reads back to the same value (".0" is added where a reader of integers would lose
  /// it); non-finite values become null.
  void Double(double value);
  void Bool(bool value);
  void Null();
  /// Puts ready-made JSON in place of a value.
  void Raw(std::string_view json);
  /// A string whose characters are known to need no escape (base64, decimal numbers).
  void PlainString(std::string_view value);

 private:
  void BeforeValue();
  std::string& out_;
  bool need_comma_ = false;
};

/// Appends `value` as a quoted JSON string.
void AppendJsonString(std::string_view value, std::string& out);

/// A parsed JSON value for requests off the hot path. Objects keep the order of their members.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;
  /// Bytes, which only formats other than JSON have a type for; dumped as a string of base64.
  struct Blob {
    std::string bytes;
  };
  using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
                             Object, Blob>;

  Json() = default;
  explicit Json(Value value) : value_(std::move(value)) {}
  /// kInvalidArgument with the parser's reason; nesting deeper than 64 is refused. kTooLarge: more
  /// than `max_items` values of any kind, the root too, told before anything is built: two bytes of a foreign
  /// text can become one value of forty.
  static Result<Json> Parse(std::string_view text,
                            std::size_t max_items = std::numeric_limits<std::size_t>::max());

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_number() const { return value_.index() >= 2 && value_.index() <= 4; }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  /// Never true of parsed JSON.
  bool is_blob() const { return std::holds_alternative<Blob>(value_); }
  const Value& value() const { return value_; }
  /// Member of an object, or null pointer (also when this is no object, or the member is JSON null).
  const Json* Find(std::string_view key) const;
  /// Typed reads with a default for "absent or of another type".
  std::string_view StringOr(std::string_view fallback) const;
  std::int64_t IntOr(std::int64_t fallback) const;
  double DoubleOr(double fallback) const;
  bool BoolOr(bool fallback) const;
  std::string_view BlobOr(std::string_view fallback) const;
  const Array& array() const;    ///< Empty when this is no array.
  const Object& object() const;  ///< Empty when this is no object.
  std::string Dump() const;
  void DumpTo(JsonWriter& writer) const;

 private:
  Value value_;
};

}  // namespace honryu::codec
