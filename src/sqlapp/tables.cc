#include "honryu/sqlapp/tables.h"

#include "honryu/base/crc32c.h"
#include "honryu/codec/json.h"
#include "sqlapp/csv.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace honryu::sqlapp {
namespace {

using Rows = std::vector<std::vector<sql::Value>>;

constexpr std::size_t kMaxFile = 1ULL << 30;  // as Kinesis Analytics allows

std::string Upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

Error Wrong(const Table& table, const std::string& what) {
  return Error(ErrorCode::kInvalidArgument, table.path + ": " + what);
}

std::optional<std::size_t> ColumnOf(const sql::Columns& columns, std::string_view name) {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == name) return i;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (Upper(columns[i].name) == Upper(name)) return i;
  return std::nullopt;
}

Result<Rows> ReadCsv(const Table& table, const sql::Columns& columns, std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> fields;
  std::size_t lines = 0;
  std::vector<std::optional<std::size_t>> places;
  const auto take = [&]() -> Result<bool> {
    Result<bool> more = TakeCsv(text, fields, lines);
    if (!more.ok()) return Wrong(table, more.error().message());
    return more;
  };
  HONRYU_TRY(bool more, take());
  if (more)
    for (const std::string& name : fields) places.push_back(ColumnOf(columns, name));
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (std::find(places.begin(), places.end(), std::optional<std::size_t>(i)) == places.end())
      return Wrong(table, "its first line does not name the column '" + columns[i].name + "'");
  Rows rows;
  for (;;) {
    HONRYU_TRY(more, take());
    if (!more) return rows;
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (fields.size() > places.size())
      return Wrong(table, "line " + std::to_string(lines) + " has more fields than the first one");
    auto& row = rows.emplace_back(columns.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!places[i].has_value() || fields[i].empty()) continue;
      const sql::Column& column = columns[*places[i]];
      const Result<sql::Value> value = sql::ValueFromText(fields[i], column.type);
      if (!value.ok())
        return Wrong(table, "line " + std::to_string(lines) + ", column '" + column.name +
                                "': " + value.error().message());
      row[*places[i]] = *value;
    }
  }
}

Result<void> AddObject(const Table& table, const sql::Columns& columns, const codec::Json& object,
                       Rows& rows) {
  const std::string where = "row " + std::to_string(rows.size() + 1);
  if (!object.is_object()) return Wrong(table, where + " is no JSON object");
  auto& row = rows.emplace_back(columns.size());
  for (const auto& [name, member] : object.object()) {
    const std::optional<std::size_t> place = ColumnOf(columns, name);
    if (!place.has_value() || member.is_null()) continue;
    const sql::Column& column = columns[*place];
    const std::string text = member.is_string() && !column.type.Is(sql::TypeKind::kJson)
                                 ? std::string(member.StringOr(""))
                                 : member.Dump();
    const Result<sql::Value> value = sql::ValueFromText(text, column.type);
    if (!value.ok())
      return Wrong(table, where + ", column '" + column.name + "': " + value.error().message());
    row[*place] = *value;
  }
  return Ok();
}

Result<Rows> ReadJson(const Table& table, const sql::Columns& columns, std::string_view text) {
  Rows rows;
  if (table.format == "json") {
    const Result<codec::Json> list = codec::Json::Parse(text);
    if (!list.ok() || !list->is_array()) return Wrong(table, "expected a JSON array of objects");
    for (const codec::Json& object : list->array()) HONRYU_TRY_VOID(AddObject(table, columns, object, rows));
    return rows;
  }
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Result<codec::Json> object = codec::Json::Parse(one);
    if (!object.ok()) return Wrong(table, "line " + std::to_string(line) + " is no JSON");
    HONRYU_TRY_VOID(AddObject(table, columns, *object, rows));
  }
  return rows;
}

}  // namespace

std::string TableStamp(const Table& table) {
  struct stat status{};
  if (::stat(table.path.c_str(), &status) != 0) return {};
  return std::to_string(status.st_size) + "/" + std::to_string(status.st_ino) + "/" +
         std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

Result<std::string> ReadTableFile(const Table& table) {
  std::error_code failed;
  const std::filesystem::file_status status = std::filesystem::status(table.path, failed);
  if (failed || !std::filesystem::exists(status)) return Error(ErrorCode::kIo, "cannot open " + table.path);
  if (!std::filesystem::is_regular_file(status)) return Error(ErrorCode::kIo, table.path + " is no file");
  const std::string stamp = TableStamp(table);
  std::ifstream file(table.path, std::ios::binary | std::ios::ate);
  if (!file) return Error(ErrorCode::kIo, "cannot open " + table.path);
  const std::streamoff size = file.tellg();
  if (size < 0) return Error(ErrorCode::kIo, "cannot read " + table.path);
  if (static_cast<std::uint64_t>(size) > kMaxFile)
    return Error(ErrorCode::kTooLarge, table.path + " is larger than 1 GiB");
  std::string text(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(text.data(), size);
  // Half of a file may look like a whole one: it counts when nobody wrote to it meanwhile.
  if (file.gcount() != size || TableStamp(table) != stamp)
    return Error(ErrorCode::kUnavailable, table.path + " was being written while it was read");
  return text;
}

Result<Rows> ParseTable(const Table& table, const sql::Columns& columns, std::string_view text) {
  return table.format == "csv" ? ReadCsv(table, columns, text) : ReadJson(table, columns, text);
}

Result<Rows> LoadTable(const Table& table, const sql::Columns& columns) {
  HONRYU_TRY(const std::string text, ReadTableFile(table));
  return ParseTable(table, columns, text);
}

std::uint64_t ContentId(std::string_view text) { return Hash64(text) >> 1; }

}  // namespace honryu::sqlapp
