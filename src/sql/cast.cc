#include "sql/cast.h"

#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "sql/calendar.h"
#include "sql/lexer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace honryu::sql {
namespace {

using Wide = __int128;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

bool FitsInteger(std::int64_t value, TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return value >= -128 && value <= 127;
    case TypeKind::kSmallInt:
      return value >= -32768 && value <= 32767;
    case TypeKind::kInteger:
      return value >= std::numeric_limits<std::int32_t>::min() &&
             value <= std::numeric_limits<std::int32_t>::max();
    default:
      return true;
  }
}

CastResult DoubleToInteger(double value, std::int64_t* out) {
  if (std::isnan(value)) return CastResult::kInvalid;
  if (value >= 9223372036854775808.0 || value < -9223372036854775808.0) return CastResult::kOverflow;
  *out = static_cast<std::int64_t>(value);
  return CastResult::kOk;
}

// Rounds half away from zero.
CastResult Rescale(std::int64_t units, int from, int to, std::int64_t* out) {
  Wide wide = units;
  if (to >= from) {
    wide *= PowerOfTen(to - from);
  } else {
    const Wide divisor = PowerOfTen(from - to);
    const Wide rest = wide % divisor;
    wide /= divisor;
    if ((rest < 0 ? -rest : rest) * 2 >= divisor) wide += units < 0 ? -1 : 1;
  }
  if (wide > std::numeric_limits<std::int64_t>::max() || wide < std::numeric_limits<std::int64_t>::min())
    return CastResult::kOverflow;
  *out = static_cast<std::int64_t>(wide);
  return CastResult::kOk;
}

CastResult FitDecimal(std::int64_t units, const Type& type) {
  const std::int64_t bound = PowerOfTen(std::min(type.length, kMaxScale));
  return units > -bound && units < bound ? CastResult::kOk : CastResult::kOverflow;
}

std::optional<double> ReadDouble(std::string_view text) {
  text = Trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

CastResult ReadInteger(std::string_view text, std::int64_t* out) {
  text = Trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  if (error == std::errc::result_out_of_range) return CastResult::kOverflow;
  if (error != std::errc()) return CastResult::kInvalid;
  if (end == text.data() + text.size()) return CastResult::kOk;
  const std::optional<double> real = ReadDouble(text);  // '12.0', '1e3'
  if (!real.has_value()) return CastResult::kInvalid;
  return DoubleToInteger(*real, out);
}

CastResult ReadDecimal(std::string_view text, const Type& to, std::int64_t* out) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  Wide units = 0;
  int scale = 0;
  bool point = false, digit = false, round = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') {
      const std::optional<double> real = ReadDouble(text);
      if (!real.has_value()) return CastResult::kInvalid;
      const double scaled =
          std::round((negative ? -*real : *real) * static_cast<double>(PowerOfTen(to.scale)));
      return DoubleToInteger(scaled, out);
    }
    digit = true;
    if (point && scale == to.scale) {
      if (scale++ == to.scale) round = c >= '5';
      continue;
    }
    if (point && scale > to.scale) continue;
    units = units * 10 + (c - '0');
    if (units > std::numeric_limits<std::int64_t>::max()) return CastResult::kOverflow;
    if (point) ++scale;
  }
  if (!digit) return CastResult::kInvalid;
  for (; scale < to.scale; ++scale) units *= 10;
  if (round) ++units;
  if (units > std::numeric_limits<std::int64_t>::max()) return CastResult::kOverflow;
  *out = static_cast<std::int64_t>(negative ? -units : units);
  return CastResult::kOk;
}

std::size_t Characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

// Pads CHAR(n) with blanks, and sees that the length is kept.
CastResult FitText(const Type& to, bool truncate, Value& value) {
  if (to.length <= 0) return CastResult::kOk;
  const auto most = static_cast<std::size_t>(to.length);
  if (value.text().size() > most) {  // else it cannot have too many characters
    std::size_t end = most;
    if (to.IsText()) {
      if (Characters(value.text()) <= most) return CastResult::kOk;
      std::size_t count = 0;
      for (end = 0; end < value.text().size(); ++end) {
        if ((static_cast<unsigned char>(value.text()[end]) & 0xc0) != 0x80 && count++ == most) break;
      }
    }
    if (!truncate) return CastResult::kOverflow;
    value.SetText(std::string(value.text(), 0, end));
  }
  return CastResult::kOk;
}

CastResult TextTo(std::string_view text, const Type& to, Value& out) {
  std::int64_t whole = 0;
  CastResult result = CastResult::kOk;
  switch (to.kind) {
    case TypeKind::kBoolean: {
      const std::string upper = UpperCase(Trimmed(text));
      if (upper != "TRUE" && upper != "FALSE") return CastResult::kInvalid;
      out.SetBool(upper == "TRUE");
      return CastResult::kOk;
    }
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInteger:
    case TypeKind::kBigInt:
      result = ReadInteger(text, &whole);
      if (result == CastResult::kOk && !FitsInteger(whole, to.kind)) result = CastResult::kOverflow;
      break;
    case TypeKind::kDecimal:
      result = ReadDecimal(text, to, &whole);
      if (result == CastResult::kOk) result = FitDecimal(whole, to);
      break;
    case TypeKind::kReal:
    case TypeKind::kDouble: {
      const std::optional<double> real = ReadDouble(text);
      if (!real.has_value()) return CastResult::kInvalid;
      out.SetDouble(*real);
      return CastResult::kOk;
    }
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp: {
      const auto read = to.Is(TypeKind::kDate)   ? ReadDate(text)
                        : to.Is(TypeKind::kTime) ? ReadTimeOfDay(text)
                                                 : ReadTimestamp(text);
      if (!read.has_value()) return CastResult::kInvalid;
      whole = *read;
      break;
    }
    case TypeKind::kInterval:
      result = ReadInteger(text, &whole);
      break;
    case TypeKind::kBinary:
    case TypeKind::kVarbinary: {
      const auto bytes = codec::Base64Decode(text);
      if (!bytes.ok()) return CastResult::kInvalid;
      out.SetText(*bytes);
      return CastResult::kOk;
    }
    case TypeKind::kJson: {
      std::string quoted;
      codec::AppendJsonString(text, quoted);
      out.SetText(quoted);
      return CastResult::kOk;
    }
    default:
      return CastResult::kInvalid;
  }
  if (result == CastResult::kOk) out.SetInt(whole);
  return result;
}

CastResult NumberTo(const Value& in, const Type& from, const Type& to, Value& out) {
  std::int64_t whole = 0;
  if (to.IsFloat()) {
    double real = from.IsFloat() ? in.as_double() : static_cast<double>(in.as_int());
    if (from.IsDecimal()) real /= static_cast<double>(PowerOfTen(from.scale));
    out.SetDouble(real);
    return CastResult::kOk;
  }
  CastResult result = CastResult::kOk;
  if (to.IsDecimal()) {
    if (from.IsFloat()) {
      result =
          DoubleToInteger(std::round(in.as_double() * static_cast<double>(PowerOfTen(to.scale))), &whole);
    } else {
      result = Rescale(in.as_int(), from.IsDecimal() ? from.scale : 0, to.scale, &whole);
    }
    if (result == CastResult::kOk) result = FitDecimal(whole, to);
  } else {  // an integer, or a time or interval in ms
    if (from.IsFloat()) {
      result = DoubleToInteger(in.as_double(), &whole);
    } else if (from.IsDecimal()) {
      whole = in.as_int() / PowerOfTen(from.scale);
    } else {
      whole = in.as_int();
    }
    if (result == CastResult::kOk && !FitsInteger(whole, to.kind)) result = CastResult::kOverflow;
  }
  if (result == CastResult::kOk) out.SetInt(whole);
  return result;
}

}  // namespace

std::int64_t PowerOfTen(int exponent) {
  std::int64_t power = 1;
  for (int i = 0; i < exponent && i < kMaxScale; ++i) power *= 10;
  return power;
}

void AppendText(const Value& value, const Type& type, std::string& out) {
  switch (value.tag()) {
    case Value::Tag::kNull:
      return;
    case Value::Tag::kBool:
      out += value.as_bool() ? "true" : "false";
      return;
    case Value::Tag::kDouble: {
      std::array<char, 32> buffer{};
      const auto [end, error] =
          std::to_chars(buffer.data(), buffer.data() + buffer.size(), value.as_double());
      out.append(buffer.data(), end);
      return;
    }
    case Value::Tag::kText:
      if (type.Is(TypeKind::kJson)) {
        std::string plain;
        JsonToPlainText(value.text(), plain);
        out += plain;
      } else if (type.IsBinary()) {
        codec::AppendBase64(value.text(), out);
      } else {
        out += value.text();
      }
      return;
    case Value::Tag::kInt:
      break;
  }
  const std::int64_t whole = value.as_int();
  switch (type.kind) {
    case TypeKind::kTimestamp:
      return AppendTimestamp(whole, out);
    case TypeKind::kDate:
      return AppendDate(whole, out);
    case TypeKind::kTime:
      return AppendTimeOfDay(whole, out);
    case TypeKind::kDecimal: {
      std::string digits = std::to_string(whole);
      const bool negative = digits[0] == '-';
      if (negative) digits.erase(0, 1);
      const auto scale = static_cast<std::size_t>(type.scale);
      if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
      if (scale > 0) digits.insert(digits.size() - scale, 1, '.');
      if (negative) out += '-';
      out += digits;
      return;
    }
    default:
      out += std::to_string(whole);
  }
}

bool JsonToPlainText(std::string_view json, std::string& out) {
  if (json == "null") return false;
  if (json.empty() || json.front() != '"') {
    out = json;
    return true;
  }
  if (json.find('\\') == std::string_view::npos) {  // nothing escaped
    out = json.substr(1, json.size() - 2);
    return true;
  }
  const auto parsed = codec::Json::Parse(json);
  out = parsed.ok() ? std::string(parsed->StringOr(json)) : std::string(json);
  return true;
}

bool IsSameRepresentation(const Type& from, const Type& to) {
  if (from.IsUnknown() || from == to) return true;
  if (from.IsText() && to.IsText()) return to.length == 0 || (from.length > 0 && from.length <= to.length);
  if (from.IsBinary() && to.IsBinary()) return to.length == 0;
  if (from.IsInteger() && to.IsInteger()) return from.kind <= to.kind;
  if (from.IsFloat() && to.IsFloat()) return true;
  return false;
}

bool CanCast(const Type& from, const Type& to) {
  if (from.IsUnknown() || from.kind == to.kind || from.IsText() || to.IsText()) return true;
  if (from.Is(TypeKind::kJson) || to.Is(TypeKind::kJson)) return true;
  if (from.IsNumeric() && to.IsNumeric()) return true;
  if (from.IsBinary() && to.IsBinary()) return true;
  const bool to_moment = to.Is(TypeKind::kTimestamp) || to.Is(TypeKind::kInterval);
  if ((from.IsInteger() && to_moment) || (from.Is(TypeKind::kTimestamp) && to.Is(TypeKind::kBigInt)))
    return true;
  if (from.Is(TypeKind::kInterval) && to.IsInteger()) return true;
  return (from.Is(TypeKind::kTimestamp) && to.IsTemporal()) || (from.Is(TypeKind::kDate) && to.IsTemporal());
}

bool CanAssign(const Type& from, const Type& to) {
  if (from.IsUnknown() || from.kind == to.kind) return true;
  if (from.IsText() && to.IsText()) return true;
  if (from.IsBinary() && to.IsBinary()) return true;
  if (from.IsNumeric() && to.IsNumeric()) return true;
  if (from.Is(TypeKind::kJson)) return true;
  if (to.IsText()) return !from.IsBinary();  // numbers and times go into texts
  if (to.Is(TypeKind::kJson)) return true;
  return from.Is(TypeKind::kDate) && to.Is(TypeKind::kTimestamp);
}

CastResult CastValue(const Value& in, const Type& from, const Type& to, bool truncate, Value& out) {
  if (in.is_null()) {
    out.SetNull();
    return CastResult::kOk;
  }
  if (to.IsText()) {
    if (from.IsText()) {
      if (&in != &out) out = in;
    } else {
      std::string text;
      if (from.Is(TypeKind::kJson)) {
        if (!JsonToPlainText(in.text(), text)) {
          out.SetNull();
          return CastResult::kOk;
        }
      } else {
        AppendText(in, from, text);
      }
      out.SetText(text);
    }
    return FitText(to, truncate, out);
  }
  if (from.kind == to.kind && !from.IsDecimal()) {
    if (&in != &out) out = in;
    return from.IsBinary() ? FitText(to, truncate, out) : CastResult::kOk;
  }
  if (from.IsBinary() && to.IsBinary()) {
    if (&in != &out) out = in;
    return FitText(to, truncate, out);
  }
  if (from.Is(TypeKind::kJson)) {
    std::string text;
    if (!JsonToPlainText(in.text(), text)) {
      out.SetNull();
      return CastResult::kOk;
    }
    return TextTo(text, to, out);
  }
  if (from.IsText()) {
    const std::string& text = in.text();
    return TextTo(text, to, out);
  }
  if (to.Is(TypeKind::kJson)) {
    std::string json;
    if (from.IsNumeric() || from.Is(TypeKind::kBoolean) || from.Is(TypeKind::kInterval)) {
      AppendText(in, from, json);
    } else {
      std::string text;
      AppendText(in, from, text);
      codec::AppendJsonString(text, json);
    }
    out.SetText(json);
    return CastResult::kOk;
  }
  if (from.IsTemporal() && to.IsTemporal()) {
    const std::int64_t day = FloorToUnit(in.as_int(), TimeUnit::kDay);
    out.SetInt(to.Is(TypeKind::kDate) ? day : to.Is(TypeKind::kTime) ? in.as_int() - day : in.as_int());
    return CastResult::kOk;
  }
  if (from.Is(TypeKind::kBoolean) || to.Is(TypeKind::kBoolean)) return CastResult::kInvalid;
  return NumberTo(in, from, to, out);
}

}  // namespace honryu::sql
