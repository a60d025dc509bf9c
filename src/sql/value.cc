#include "honryu/sql/value.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "sql/cast.h"

#include <algorithm>
#include <cmath>

namespace honryu::sql {

Value Value::Bool(bool value) {
  Value out;
  out.SetBool(value);
  return out;
}

Value Value::Int(std::int64_t value) {
  Value out;
  out.SetInt(value);
  return out;
}

Value Value::Double(double value) {
  Value out;
  out.SetDouble(value);
  return out;
}

Value Value::Text(std::string_view value) {
  Value out;
  out.SetText(value);
  return out;
}

bool operator==(const Value& a, const Value& b) {
  if (a.tag_ != b.tag_) return false;
  switch (a.tag_) {
    case Value::Tag::kNull:
      return true;
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      return a.number_.whole == b.number_.whole;
    case Value::Tag::kDouble:
      return a.number_.real == b.number_.real;
    case Value::Tag::kText:
      break;
  }
  return a.text_ == b.text_;
}

int CompareValues(const Value& a, const Value& b) {
  if (a.tag() != b.tag()) return a.tag() < b.tag() ? -1 : 1;
  switch (a.tag()) {
    case Value::Tag::kNull:
      return 0;
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
    case Value::Tag::kDouble: {
      const double x = a.as_double(), y = b.as_double();
      if (std::isnan(x) || std::isnan(y))
        return static_cast<int>(std::isnan(x)) - static_cast<int>(std::isnan(y));
      return x < y ? -1 : x > y ? 1 : 0;
    }
    case Value::Tag::kText:
      break;
  }
  const int order = a.text().compare(b.text());
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

Result<Value> ValueFromText(std::string_view text, const Type& type) {
  Value value;
  if (CastValue(Value::Text(text), VarcharType(), type, false, value) == CastResult::kOk) return value;
  return Error(ErrorCode::kInvalidArgument, "no " + type.ToString());
}

std::string ValueToText(const Value& value, const Type& type) {
  if (value.is_null()) return "NULL";
  std::string out;
  AppendText(value, type, out);
  return out;
}

std::string RowToJson(const Columns& columns, const std::vector<Value>& values) {
  std::string out;
  codec::JsonWriter writer(out);
  writer.BeginObject();
  const std::size_t count = std::min(columns.size(), values.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (columns[i].name.empty()) continue;
    writer.Key(columns[i].name);
    const Value& value = values[i];
    const Type& type = columns[i].type;
    if (value.is_null()) {
      writer.Null();
    } else if (type.Is(TypeKind::kBoolean)) {
      writer.Bool(value.as_bool());
    } else if (type.IsInteger() || type.Is(TypeKind::kInterval)) {
      writer.Int(value.as_int());
    } else if (type.IsFloat()) {
      writer.Double(value.as_double());
    } else if (type.IsDecimal()) {
      writer.Raw(ValueToText(value, type));
    } else if (type.Is(TypeKind::kJson)) {
      writer.Raw(value.text());
    } else if (type.IsBinary()) {
      writer.PlainString(codec::Base64Encode(value.text()));
    } else {
      writer.String(ValueToText(value, type));
    }
  }
  writer.EndObject();
  return out;
}

}  // namespace honryu::sql
