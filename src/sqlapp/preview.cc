#include "honryu/sqlapp/preview.h"

#include "honryu/codec/json.h"
#include "honryu/sql/parser.h"
#include "sqlapp/csv.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <utility>

namespace honryu::sqlapp {
namespace {

constexpr std::size_t kMostColumns = 1000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// What is known of a column after some of its values: which types all of them have.
class ColumnGuess {
 public:
  void AddText(std::string_view text, bool may_be_number) {
    if (text.empty()) return;
    any_ = true;
    const bool padded = text.size() > 1 && text[0] == '0' && IsDigit(text[1]);  // a postcode, a number of 007
    const bool numeric = may_be_number && !padded && (IsDigit(text[0]) || text[0] == '-' || text[0] == '.');
    const auto keep = [&](std::size_t type, bool plausible) {
      fits_[type] = fits_[type] && plausible && sql::ValueFromText(text, kTypes[type]).ok();
    };
    keep(0, numeric && text.find_first_of(".eE") == std::string_view::npos);
    keep(1, numeric);
    keep(2, may_be_number && text.size() >= 4 && !numeric);  // "true", "false"
    keep(3, text.size() == 10);
    keep(4, text.size() > 10);
  }
  void AddJson(const codec::Json& value) {
    if (value.is_null()) return;
    any_ = true;
    if (value.is_string()) {
      AddText(value.StringOr(""), false);
    } else if (value.is_object() || value.is_array()) {
      json_ = true;
    } else {
      AddText(value.Dump(), true);
    }
  }
  sql::Type Type() const {
    if (json_) return sql::JsonType();
    for (std::size_t i = 0; any_ && i < kTypes.size(); ++i)
      if (fits_[i]) return kTypes[i];
    return sql::VarcharType();
  }

 private:
  static constexpr std::array<sql::Type, 5> kTypes = {
      sql::BigIntType(), sql::DoubleType(), sql::BooleanType(), sql::DateType(), sql::TimestampType()};
  std::array<bool, 5> fits_ = {true, true, true, true, true};
  bool any_ = false, json_ = false;
};

/// Columns in the order in which they were first seen.
struct Guesses {
  std::vector<std::string> names;
  std::vector<ColumnGuess> columns;
  std::map<std::string, std::size_t, std::less<>> places;

  Result<std::size_t> PlaceOf(std::string_view name) {
    if (const auto found = places.find(name); found != places.end()) return found->second;
    if (names.size() == kMostColumns)
      return Error(ErrorCode::kTooLarge, "more than " + std::to_string(kMostColumns) + " columns");
    places.emplace(name, names.size());
    names.emplace_back(name);
    columns.emplace_back();
    return names.size() - 1;
  }
};

Result<void> GuessCsv(std::string_view text, Guesses& guesses) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> fields;
  std::vector<std::size_t> places;
  std::size_t lines = 0;
  HONRYU_TRY(bool more, TakeCsv(text, fields, lines));
  if (!more)
    return Error(ErrorCode::kInvalidArgument, "it is empty: expected a line with the columns' names");
  for (const std::string& name : fields) {
    if (name.empty())
      return Error(ErrorCode::kInvalidArgument, "the first line names the columns: one of them is empty");
    if (guesses.places.contains(name))
      return Error(ErrorCode::kInvalidArgument, "two columns have the name '" + name + "'");
    HONRYU_TRY(const std::size_t place, guesses.PlaceOf(name));
    places.push_back(place);
  }
  for (;;) {
    HONRYU_TRY(more, TakeCsv(text, fields, lines));
    if (!more) return Ok();
    for (std::size_t i = 0; i < std::min(fields.size(), places.size()); ++i)
      guesses.columns[places[i]].AddText(fields[i], true);
  }
}

Result<void> GuessObject(const codec::Json& object, Guesses& guesses) {
  for (const auto& [name, member] : object.object()) {
    HONRYU_TRY(const std::size_t place, guesses.PlaceOf(name));
    guesses.columns[place].AddJson(member);
  }
  return Ok();
}

// What is no JSON, or no object, is told by the parsing that follows.
Result<void> GuessJson(const std::string& format, std::string_view text, Guesses& guesses) {
  if (format == "json") {
    const Result<codec::Json> list = codec::Json::Parse(text);
    if (!list.ok()) return Ok();
    for (const codec::Json& object : list->array()) HONRYU_TRY_VOID(GuessObject(object, guesses));
    return Ok();
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Result<codec::Json> object = codec::Json::Parse(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (object.ok()) HONRYU_TRY_VOID(GuessObject(*object, guesses));
  }
  return Ok();
}

std::string Quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

/// A name that may be written without quotes: a parser must agree.
bool IsPlainName(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !good(name[0])) return false;
  if (!std::all_of(name.begin(), name.end(), [&good](char c) { return good(c) || IsDigit(c); })) return false;
  return sql::ParseScript("CREATE STREAM s (" + std::string(name) + " INT);").ok();
}

std::string NameFrom(const std::string& path) {
  std::string name;
  for (const char c : std::filesystem::path(path).stem().string()) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '_';
    name += good ? c : '_';
  }
  return IsPlainName(name) ? name : "t_" + name;
}

std::string DeclarationOf(const TablePreview& preview) {
  std::string text = "CREATE REFERENCE TABLE " + preview.name + " (";
  for (const sql::Column& column : preview.columns) {
    if (text.back() != '(') text += ", ";
    text += IsPlainName(column.name) ? column.name : Quoted(column.name, '"');
    text += " " + column.type.ToString();
  }
  return text + ") WITH (source = " + Quoted("file:" + preview.path, '\'') + ", format = '" + preview.format +
         "');";
}

}  // namespace

std::string FormatOfPath(std::string_view path) {
  return path.ends_with(".csv") ? "csv" : path.ends_with(".json") ? "json" : "ndjson";
}

Result<TablePreview> PreviewFile(std::string path, std::string format, std::string_view text,
                                 std::size_t rows) {
  TablePreview preview;
  preview.path = std::move(path);
  preview.format = format.empty() ? FormatOfPath(preview.path) : std::move(format);
  preview.name = NameFrom(preview.path);
  preview.inferred = true;
  const auto wrong = [&preview](const Error& error) { return error.WithContext(preview.path); };
  if (preview.format != "csv" && preview.format != "json" && preview.format != "ndjson")
    return Error(ErrorCode::kInvalidArgument,
                 "format is 'csv', 'json' or 'ndjson', found '" + preview.format + "'");
  Guesses guesses;
  const Result<void> guessed =
      preview.format == "csv" ? GuessCsv(text, guesses) : GuessJson(preview.format, text, guesses);
  if (!guessed.ok()) return wrong(guessed.error());
  for (std::size_t i = 0; i < guesses.names.size(); ++i)
    preview.columns.push_back({guesses.names[i], guesses.columns[i].Type()});
  Table table;
  table.path = preview.path;
  table.format = preview.format;
  HONRYU_TRY(preview.rows, ParseTable(table, preview.columns, text));
  if (preview.columns.empty())
    return wrong(Error(ErrorCode::kInvalidArgument, "it has no rows, so no columns are known"));
  preview.row_count = preview.rows.size();
  preview.rows.resize(std::min(rows, preview.rows.size()));
  preview.declaration = DeclarationOf(preview);
  return preview;
}

Result<std::vector<TablePreview>> PreviewProgram(std::string_view program,
                                                 const sql::TableFunctionRegistry& functions,
                                                 const TableReader& read, std::size_t rows) {
  HONRYU_TRY(const Program loaded, LoadProgram("preview", program, functions));
  sql::EngineOptions options;
  options.functions = functions;
  HONRYU_TRY(const std::unique_ptr<sql::Engine> engine,
             sql::Engine::Create(loaded.prelude, loaded.text, options, [](const sql::OutputRow&) {}));
  std::vector<TablePreview> previews;
  for (const Table& table : loaded.tables) {
    TablePreview& preview = previews.emplace_back();
    preview.name = table.name;
    preview.path = table.path;
    preview.format = table.format;
    preview.declaration = table.declaration;
    HONRYU_TRY(preview.columns, engine->TableColumns(table.name));
    const Result<std::string> text = read(table);
    if (!text.ok()) return text.error().WithContext("reference table " + table.name);
    Result<TableRows> parsed = ParseTable(table, preview.columns, *text);
    if (!parsed.ok()) return parsed.error().WithContext("reference table " + table.name);
    preview.row_count = parsed->size();
    parsed->resize(std::min(rows, parsed->size()));
    preview.rows = std::move(*parsed);
  }
  return previews;
}

std::string ToJson(const TablePreview& preview) {
  std::string out;
  codec::JsonWriter json(out);
  json.BeginObject();
  json.Key("table");
  json.String(preview.name);
  json.Key("source");
  json.String("file:" + preview.path);
  json.Key("format");
  json.String(preview.format);
  json.Key("inferred");
  json.Bool(preview.inferred);
  json.Key("columns");
  json.BeginArray();
  for (const sql::Column& column : preview.columns) {
    json.BeginObject();
    json.Key("name");
    json.String(column.name);
    json.Key("type");
    json.String(column.type.ToString());
    json.EndObject();
  }
  json.EndArray();
  json.Key("row_count");
  json.Uint(preview.row_count);
  json.Key("rows");
  json.BeginArray();
  for (const auto& row : preview.rows) json.Raw(sql::RowToJson(preview.columns, row));
  json.EndArray();
  json.Key("declaration");
  json.String(preview.declaration);
  json.EndObject();
  return out;
}

}  // namespace honryu::sqlapp
