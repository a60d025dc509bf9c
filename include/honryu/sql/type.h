#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::sql {

/// The kinds of values. On disk in snapshots: never renumber.
enum class TypeKind : std::uint8_t {
  kUnknown = 0,  ///< Of a bare NULL: goes with every type.
  kBoolean = 1,
  kTinyInt = 2,
  kSmallInt = 3,
  kInteger = 4,
  kBigInt = 5,
  kDecimal = 6,  ///< At most 18 digits; kept as a whole number of units of 10^-scale.
  kReal = 7,
  kDouble = 8,
  kChar = 9,
  kVarchar = 10,
  kBinary = 11,
  kVarbinary = 12,
  kDate = 13,       ///< Midnight UTC, in ms since 1970.
  kTime = 14,       ///< Milliseconds since midnight.
  kTimestamp = 15,  ///< UTC, in ms since 1970.
  kInterval = 16,   ///< Milliseconds.
  kJson = 17,       ///< Any JSON value, as its text. Also arrays and maps.
};

/// A column's or expression's type. Value type.
struct Type {
  TypeKind kind = TypeKind::kUnknown;
  int length = 0;  ///< Of texts and binaries: most characters or bytes, 0: no limit. Of DECIMAL: its digits.
  int scale = 0;   ///< Of DECIMAL: digits behind the point.

  friend bool operator==(const Type&, const Type&) = default;
  bool IsInteger() const { return kind >= TypeKind::kTinyInt && kind <= TypeKind::kBigInt; }
  bool IsFloat() const { return kind == TypeKind::kReal || kind == TypeKind::kDouble; }
  bool IsDecimal() const { return kind == TypeKind::kDecimal; }
  bool IsNumeric() const { return kind >= TypeKind::kTinyInt && kind <= TypeKind::kDouble; }
  bool IsText() const { return kind == TypeKind::kChar || kind == TypeKind::kVarchar; }
  bool IsBinary() const { return kind == TypeKind::kBinary || kind == TypeKind::kVarbinary; }
  bool IsTemporal() const { return kind >= TypeKind::kDate && kind <= TypeKind::kTimestamp; }
  bool IsUnknown() const { return kind == TypeKind::kUnknown; }
  bool Is(TypeKind other) const { return kind == other; }

  /// As one writes it in a column definition: "VARCHAR(16)", "DECIMAL(10,2)", "TIMESTAMP".
  std::string ToString() const;
  /// The type of a name with its parameters, in any spelling that sql.md section 3 lists (and the common ones
  /// of Flink SQL and ksqlDB): "double precision" comes as "DOUBLE". nullopt: no such type.
  static std::optional<Type> FromName(std::string_view upper_case_name, std::optional<int> first,
                                      std::optional<int> second);
};

constexpr Type BooleanType() { return {TypeKind::kBoolean}; }
constexpr Type BigIntType() { return {TypeKind::kBigInt}; }
constexpr Type IntegerType() { return {TypeKind::kInteger}; }
constexpr Type DoubleType() { return {TypeKind::kDouble}; }
constexpr Type VarcharType() { return {TypeKind::kVarchar}; }
constexpr Type TimestampType() { return {TypeKind::kTimestamp}; }
constexpr Type DateType() { return {TypeKind::kDate}; }
constexpr Type IntervalType() { return {TypeKind::kInterval}; }
constexpr Type JsonType() { return {TypeKind::kJson}; }

/// Units of time in EXTRACT, FLOOR … TO, intervals.
enum class TimeUnit : std::uint8_t {
  kMillisecond,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kQuarter,
  kYear,
  kDayOfWeek,
  kDayOfYear,
  kEpoch
};

/// "MINUTE".
std::string_view TimeUnitName(TimeUnit unit);
/// Also in the plural ("MINUTES") and in any case.
std::optional<TimeUnit> TimeUnitFromName(std::string_view name);
/// Milliseconds of a unit of fixed length; 0 for months, quarters and years.
std::int64_t TimeUnitMs(TimeUnit unit);

}  // namespace honryu::sql
