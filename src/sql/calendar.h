#pragma once

#include "honryu/sql/type.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Times are milliseconds since 1970, UTC, and may lie before it.
namespace honryu::sql {

/// First moment of the unit that holds `ms`. Weeks begin on Monday (ISO 8601).
std::int64_t FloorToUnit(std::int64_t ms, TimeUnit unit);
/// `ms` if it is a first moment, else the next one.
std::int64_t CeilToUnit(std::int64_t ms, TimeUnit unit);
/// First moment of the unit behind the one that begins at `start_ms`.
std::int64_t NextUnit(std::int64_t start_ms, TimeUnit unit);
/// EXTRACT: the field's number. Seconds are whole; DOW is 1 (Sunday) to 7; EPOCH is seconds.
std::int64_t ExtractUnit(std::int64_t ms, TimeUnit unit);
/// Same day of a later (or earlier) month; days that the month has not become its last.
std::int64_t AddMonths(std::int64_t ms, std::int64_t months);

/// "2026-11-21 10:00:00.000".
void AppendTimestamp(std::int64_t ms, std::string& out);
/// "2026-11-21".
void AppendDate(std::int64_t ms, std::string& out);
/// "10:00:00.000".
void AppendTimeOfDay(std::int64_t ms, std::string& out);
/// ISO 8601 in the common spellings (see ParseTimestamp of base).
std::optional<std::int64_t> ReadTimestamp(std::string_view text);
std::optional<std::int64_t> ReadDate(std::string_view text);
std::optional<std::int64_t> ReadTimeOfDay(std::string_view text);

/// Letters of Java's SimpleDateFormat: y M d H h m s S a E D k K Z X z, texts in '…'.
std::optional<std::string> FormatByPattern(std::string_view pattern, std::int64_t ms);
std::optional<std::int64_t> ParseByPattern(std::string_view pattern, std::string_view text);

}  // namespace honryu::sql
