// ParseScript and ToSql: any bytes give a tree or an error that can be shown; a printed tree parses to the
// same.
#include "honryu/base/check.h"
#include "honryu/sql/parser.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sql = honryu::sql;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  sql::ParseLimits limits;
  limits.max_bytes = 64 * 1024;
  const auto script = sql::ParseScript(input, limits);
  if (!script.ok()) {
    HONRYU_CHECK(!script.error().message().empty(), "an error says nothing");
    return 0;
  }
  const std::string printed = sql::ToSql(*script);
  limits.max_bytes = 1024 * 1024;
  limits.max_nesting = 2000;  // the printed form has parentheses around every operator
  const auto again = sql::ParseScript(printed, limits);
  HONRYU_CHECK(again.ok(), "a printed program does not parse");
  HONRYU_CHECK(sql::ToSql(*again) == printed, "a printed program parses to another");
  return 0;
}
