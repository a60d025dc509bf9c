#pragma once

#include "honryu/base/result.h"
#include "honryu/sql/type.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// One value of a row. What it means is its column's type's: whole numbers, decimals (in units of their
/// scale), times and intervals are kInt; texts, binaries and JSON (its text) are kText. Setting a text reuses
/// the buffer. Value type.
class Value {
 public:
  enum class Tag : std::uint8_t { kNull = 0, kBool = 1, kInt = 2, kDouble = 3, kText = 4 };  // on disk

  Value() = default;
  // A copy takes the text over only if there is one: most values of most rows are none.
  Value(const Value& other) : tag_(other.tag_), number_(other.number_) {
    if (tag_ == Tag::kText) text_ = other.text_;
  }
  Value(Value&&) = default;
  Value& operator=(const Value& other) {
    tag_ = other.tag_;
    number_ = other.number_;
    if (tag_ == Tag::kText) text_ = other.text_;
    return *this;
  }
  Value& operator=(Value&&) = default;
  ~Value() = default;
  static Value Bool(bool value);
  static Value Int(std::int64_t value);
  static Value Double(double value);
  static Value Text(std::string_view value);

  Tag tag() const { return tag_; }
  bool is_null() const { return tag_ == Tag::kNull; }
  /// Each may only be asked of its own tag.
  bool as_bool() const { return number_.whole != 0; }
  std::int64_t as_int() const { return number_.whole; }
  double as_double() const { return number_.real; }
  const std::string& text() const { return text_; }

  void SetNull() { tag_ = Tag::kNull; }
  void SetBool(bool value) { tag_ = Tag::kBool, number_.whole = value ? 1 : 0; }
  void SetInt(std::int64_t value) { tag_ = Tag::kInt, number_.whole = value; }
  void SetDouble(double value) { tag_ = Tag::kDouble, number_.real = value; }
  void SetText(std::string_view value) { tag_ = Tag::kText, text_.assign(value); }
  /// The buffer of a text to be filled in.
  std::string& MutableText() {
    tag_ = Tag::kText;
    text_.clear();
    return text_;
  }

  /// Same tag and content; NULL equals NULL; doubles by value, so NaN equals nothing.
  friend bool operator==(const Value& a, const Value& b);

 private:
  Tag tag_ = Tag::kNull;
  union Number {
    std::int64_t whole = 0;
    double real;
  };
  Number number_;
  std::string text_;
};

/// Total order of values of one type: NULL first, texts by bytes, NaN last. Below, at or above 0.
int CompareValues(const Value& a, const Value& b);

/// One row of a stream.
struct Row {
  std::int64_t time = 0;  ///< ROWTIME, ms since 1970.
  std::vector<Value> values;
  bool final = true;           ///< False: an early result that a later row replaces.
  std::uint32_t revision = 0;  ///< Above 0: a correction of a final row, because of late input.
  /// The same for the same window and key of a query, in every run; 0: the row is not of a window.
  std::uint64_t id = 0;
};

/// A column of a stream, table or result.
struct Column {
  std::string name;  ///< As it is called: unquoted names in upper case.
  Type type;
  bool not_null = false;
};
using Columns = std::vector<Column>;

/// As text, as CAST to VARCHAR gives it ("2026-11-21 10:00:00.000", "true", "1.50"); "NULL".
std::string ValueToText(const Value& value, const Type& type);

/// The value that CAST from VARCHAR makes of a text. kInvalidArgument: it is none of this type.
Result<Value> ValueFromText(std::string_view text, const Type& type);

/// A row as one JSON object, members in the columns' order. Times are texts as CAST gives them; binaries are
/// base64; JSON goes in as it is.
std::string RowToJson(const Columns& columns, const std::vector<Value>& values);

}  // namespace honryu::sql
