#include "honryu/sql/type.h"

#include "sql/lexer.h"

#include <array>
#include <utility>

namespace honryu::sql {
namespace {

constexpr std::array<std::pair<std::string_view, TypeKind>, 36> kNames = {{
    {"BOOLEAN", TypeKind::kBoolean},
    {"TINYINT", TypeKind::kTinyInt},
    {"SMALLINT", TypeKind::kSmallInt},
    {"INTEGER", TypeKind::kInteger},
    {"BIGINT", TypeKind::kBigInt},
    {"DECIMAL", TypeKind::kDecimal},
    {"REAL", TypeKind::kReal},
    {"DOUBLE", TypeKind::kDouble},
    {"CHAR", TypeKind::kChar},
    {"VARCHAR", TypeKind::kVarchar},
    {"BINARY", TypeKind::kBinary},
    {"VARBINARY", TypeKind::kVarbinary},
    {"DATE", TypeKind::kDate},
    {"TIME", TypeKind::kTime},
    {"TIMESTAMP", TypeKind::kTimestamp},
    {"JSON", TypeKind::kJson},
    {"BOOL", TypeKind::kBoolean},
    {"INT", TypeKind::kInteger},
    {"INT4", TypeKind::kInteger},
    {"INT8", TypeKind::kBigInt},
    {"LONG", TypeKind::kBigInt},
    {"DEC", TypeKind::kDecimal},
    {"NUMERIC", TypeKind::kDecimal},
    {"FLOAT", TypeKind::kReal},
    {"CHARACTER", TypeKind::kChar},
    {"STRING", TypeKind::kVarchar},
    {"TEXT", TypeKind::kVarchar},
    {"BYTES", TypeKind::kVarbinary},
    {"BYTEA", TypeKind::kVarbinary},
    {"TIMESTAMP_LTZ", TypeKind::kTimestamp},
    {"TIMESTAMPTZ", TypeKind::kTimestamp},
    {"JSONB", TypeKind::kJson},
    {"ARRAY", TypeKind::kJson},
    {"MAP", TypeKind::kJson},
    {"STRUCT", TypeKind::kJson},
    {"ROW", TypeKind::kJson},
}};

constexpr std::array<std::pair<std::string_view, TimeUnit>, 15> kUnits = {{
    {"MILLISECOND", TimeUnit::kMillisecond},
    {"SECOND", TimeUnit::kSecond},
    {"MINUTE", TimeUnit::kMinute},
    {"HOUR", TimeUnit::kHour},
    {"DAY", TimeUnit::kDay},
    {"WEEK", TimeUnit::kWeek},
    {"MONTH", TimeUnit::kMonth},
    {"QUARTER", TimeUnit::kQuarter},
    {"YEAR", TimeUnit::kYear},
    {"DOW", TimeUnit::kDayOfWeek},
    {"DOY", TimeUnit::kDayOfYear},
    {"EPOCH", TimeUnit::kEpoch},
    {"DAYOFWEEK", TimeUnit::kDayOfWeek},
    {"DAYOFYEAR", TimeUnit::kDayOfYear},
    {"MS", TimeUnit::kMillisecond},
}};

}  // namespace

std::string Type::ToString() const {
  std::string out = "UNKNOWN";
  if (kind == TypeKind::kInterval) out = "INTERVAL";
  for (const auto& [name, named] : kNames) {
    if (named == kind) {
      out = name;
      break;
    }
  }
  if (kind == TypeKind::kDecimal)
    return out + "(" + std::to_string(length) + "," + std::to_string(scale) + ")";
  if (length > 0) out += "(" + std::to_string(length) + ")";
  return out;
}

std::optional<Type> Type::FromName(std::string_view name, std::optional<int> first,
                                   std::optional<int> second) {
  if (name == "UUID") return Type{TypeKind::kVarchar, 36};
  for (const auto& [known, kind] : kNames) {
    if (known != name) continue;
    Type type{kind};
    if (type.IsDecimal()) {
      type.length = first.value_or(18);
      type.scale = second.value_or(0);
      if (type.length < 1 || type.length > 19 || type.scale < 0 || type.scale > type.length) return {};
      if (type.length == 19) type.length = 18;  // what 64 bits hold whole
      if (type.scale > type.length) return {};
    } else if (type.IsText() || type.IsBinary()) {
      if (first.has_value() && (*first < 1 || *first > 65535)) return {};
      type.length = first.value_or(kind == TypeKind::kChar || kind == TypeKind::kBinary ? 1 : 0);
    }
    return type;
  }
  return {};
}

std::string_view TimeUnitName(TimeUnit unit) {
  for (const auto& [name, known] : kUnits)
    if (known == unit) return name;
  return "";
}

std::optional<TimeUnit> TimeUnitFromName(std::string_view name) {
  std::string upper = UpperCase(name);
  for (const bool plural : {false, true}) {
    if (plural && (upper.size() < 2 || upper.back() != 'S')) break;
    if (plural) upper.pop_back();
    for (const auto& [known, unit] : kUnits)
      if (known == upper) return unit;
  }
  return {};
}

std::int64_t TimeUnitMs(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kMillisecond:
      return 1;
    case TimeUnit::kSecond:
      return 1000;
    case TimeUnit::kMinute:
      return 60'000;
    case TimeUnit::kHour:
      return 3'600'000;
    case TimeUnit::kDay:
      return 86'400'000;
    case TimeUnit::kWeek:
      return 604'800'000;
    default:
      return 0;
  }
}

}  // namespace honryu::sql
