#include "honryu/sqlapp/tables.h"

#include "honryu/codec/json.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
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

// One record of CSV; false at the end. A quoted field may run over several lines.
bool TakeCsv(std::string_view& text, std::vector<std::string>& fields, std::size_t& lines) {
  fields.clear();
  if (text.empty()) return false;
  std::string field;
  bool quoted = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') ++lines;
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        field += text[++at];
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::move(field));
      field.clear();
    } else if (c == '\n') {
      break;
    } else {
      field += c;
    }
  }
  if (!field.empty() && field.back() == '\r') field.pop_back();
  fields.push_back(std::move(field));
  text.remove_prefix(std::min(at + 1, text.size()));
  return true;
}

Result<Rows> ReadCsv(const Table& table, const sql::Columns& columns, std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> fields;
  std::size_t lines = 0;
  std::vector<std::optional<std::size_t>> places;
  if (TakeCsv(text, fields, lines))
    for (const std::string& name : fields) places.push_back(ColumnOf(columns, name));
  if (std::none_of(places.begin(), places.end(), [](const auto& place) { return place.has_value(); }))
    return Wrong(table, "its first line names none of the table's columns");
  Rows rows;
  while (TakeCsv(text, fields, lines)) {
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
  return rows;
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

Result<Rows> LoadTable(const Table& table, const sql::Columns& columns) {
  std::ifstream file(table.path, std::ios::binary);
  if (!file) return Error(ErrorCode::kIo, "cannot open " + table.path);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return Error(ErrorCode::kIo, "cannot read " + table.path);
  if (text.size() > kMaxFile) return Error(ErrorCode::kTooLarge, table.path + " is larger than 1 GiB");
  return table.format == "csv" ? ReadCsv(table, columns, text) : ReadJson(table, columns, text);
}

}  // namespace honryu::sqlapp
