#pragma once

#include "honryu/sql/value.h"

namespace honryu::sql {

/// Largest 10^scale of a DECIMAL.
inline constexpr int kMaxScale = 18;
std::int64_t PowerOfTen(int exponent);

/// Appends a value that is not NULL as CAST to VARCHAR writes it.
void AppendText(const Value& value, const Type& type, std::string& out);

/// True if values of `from` can be cast to `to` at all.
bool CanCast(const Type& from, const Type& to);
/// True if they are assigned without an explicit cast (INSERT, arguments, comparison).
bool CanAssign(const Type& from, const Type& to);
/// True if the cast leaves every value as it is, so that none is needed.
bool IsSameRepresentation(const Type& from, const Type& to);

enum class CastResult : std::uint8_t { kOk, kInvalid, kOverflow };
/// Casts; NULL stays NULL. Texts become other things by being read; a text too long for its type is
/// kOverflow unless `truncate`. `in` and `out` may be the same.
CastResult CastValue(const Value& in, const Type& from, const Type& to, bool truncate, Value& out);

/// The content of a JSON text: a string's characters, anything else as it stands. False: JSON null.
bool JsonToPlainText(std::string_view json, std::string& out);

}  // namespace honryu::sql
