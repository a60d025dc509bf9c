#include "honryu/sqlapp/program.h"

#include "honryu/base/units.h"
#include "honryu/sql/parser.h"
#include "honryu/sqlapp/preview.h"
#include "honryu/sqlapp/query.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace honryu::sqlapp {
namespace {

// What can be read without being declared. Names of columns are quoted: so they are found in any case, and as
// Kinesis Analytics programs write them.
constexpr std::string_view kEventColumns = R"( (
  "event_id" VARCHAR, "event_type" VARCHAR, "event_time" TIMESTAMP, "timestamp" TIMESTAMP, "received_at" TIMESTAMP,
  "user_id" VARCHAR, "session_id" VARCHAR, "device" JSON, "location" JSON, "properties" JSON)";
constexpr struct {
  std::string_view name, stream, columns, tail;
} kKnown[] = {
    {"events", "events", kEventColumns,
     R"(, WATERMARK FOR "event_time" AS "event_time" - INTERVAL '1' MINUTE) WITH (timestamp_else = 'timestamp, arrival'))"},
    {"SOURCE_SQL_STREAM", "events", kEventColumns, ")"},
    {"SOURCE_SQL_STREAM_001", "events", kEventColumns, ")"},
    {"kpi", "kpi", R"( ("id" VARCHAR, "metric" VARCHAR, "window" VARCHAR, "start" BIGINT, "end" BIGINT,
  "group" VARCHAR, "value" DOUBLE, "final" BOOLEAN, "revision" BIGINT)",
     ")"},
};

std::string Upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string PropertyOf(const sql::Properties& with, std::string_view key) {
  for (const auto& [name, value] : with)
    if (Upper(name) == Upper(key)) return value;
  return {};
}

std::vector<std::string> SplitList(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view word = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

/// Which streams a query reads, however deep.
class Reads {
 public:
  Reads(std::set<std::string>& names, std::set<std::string>& side) : names_(names), side_(side) {}
  void Of(const sql::Query& query) {
    if (query.lateness.stream.has_value()) side_.insert(query.lateness.stream->Folded());
    for (const sql::Select& select : query.selects) {
      Of(select.from);
      for (const sql::Join& join : select.joins) Of(join.source);
    }
  }

 private:
  void Of(const sql::Source& source) {
    if (!source.name.empty()) names_.insert(Upper(source.name.back().text));
    if (source.query) Of(*source.query);
    if (source.call) Of(*source.call);
  }
  void Of(const sql::Expr& expr) {
    if (expr.query) Of(*expr.query);
    if ((expr.kind == sql::ExprKind::kTable || expr.kind == sql::ExprKind::kColumn) && !expr.path.empty())
      names_.insert(Upper(expr.path.back().text));
    for (const sql::ExprPtr& arg : expr.args) Of(*arg);
  }
  std::set<std::string>& names_;  ///< In upper case.
  std::set<std::string>& side_;   ///< Streams of late rows, as they are called.
};

/// What the statements of a program say about its streams.
struct Survey {
  std::map<std::string, const sql::Properties*> declared;  ///< By name in upper case.
  std::map<std::string, std::string> written;              ///< Upper case -> folded.
  std::set<std::string> inner;                             ///< Views: nothing goes out unless it says so.
  std::set<std::string> read;
  std::map<std::string, std::string> settings;
  std::vector<const sql::Statement*> tables;  ///< Reference tables.
  std::vector<const sql::AlterPump*> resets;
};

Survey Look(const sql::Script& script) {
  Survey survey;
  std::set<std::string> side;
  Reads reads(survey.read, side);
  int unnamed = 0;
  for (const sql::Statement& statement : script.statements) {
    const sql::Statement* body = &statement;
    while (const auto* explain = std::get_if<sql::Explain>(&body->body)) body = explain->statement.get();
    if (const auto* stream = std::get_if<sql::CreateStream>(&body->body)) {
      survey.declared[Upper(stream->name.text)] = &stream->with;
    } else if (const auto* table = std::get_if<sql::CreateTable>(&body->body)) {
      if (table->reference || !PropertyOf(table->with, "source").empty()) {
        survey.tables.push_back(body);
      } else {
        survey.declared[Upper(table->name.text)] = &table->with;
      }
    } else if (const auto* pump = std::get_if<sql::CreatePump>(&body->body)) {
      survey.written[Upper(pump->insert.target.text)] = pump->insert.target.Folded();
      reads.Of(*pump->insert.query);
    } else if (const auto* insert = std::get_if<sql::InsertSelect>(&body->body)) {
      survey.written[Upper(insert->target.text)] = insert->target.Folded();
      reads.Of(*insert->query);
      ++unnamed;
    } else if (const auto* view = std::get_if<sql::CreateView>(&body->body)) {
      survey.written[Upper(view->name.text)] = view->name.Folded();
      survey.declared[Upper(view->name.text)] = &view->with;
      if (!view->materialized) survey.inner.insert(Upper(view->name.text));
      reads.Of(*view->query);
    } else if (const auto* query = std::get_if<sql::QueryPtr>(&body->body)) {
      const std::string name = "query_" + std::to_string(++unnamed);
      survey.written[Upper(name)] = name;
      reads.Of(**query);
    } else if (const auto* alter = std::get_if<sql::AlterPump>(&body->body)) {
      if (alter->action == sql::AlterAction::kReset) survey.resets.push_back(alter);
    } else if (const auto* set = std::get_if<sql::Set>(&body->body)) {
      survey.settings[Lower(set->key)] = set->value;
    }
  }
  for (const std::string& name : side) survey.written.emplace(Upper(name), name);
  return survey;
}

bool IsStreamName(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), good);
}

Result<Output> OutputFrom(const std::string& name, const sql::Properties* with, bool inner) {
  const auto wrong = [&name](std::string_view what) {
    return Error(ErrorCode::kInvalidArgument, "stream '" + name + "': " + std::string(what));
  };
  Output output;
  if (!inner) output.stream = Lower(name);
  if (with != nullptr) {
    if (const std::string stream = PropertyOf(*with, "stream"); !stream.empty())
      output.stream = stream == "none" ? "" : stream;
    const std::string format = Lower(PropertyOf(*with, "format"));
    if (format == "kpi") {
      output.format = OutputFormat::kKpi;
    } else if (!format.empty() && format != "json") {
      return wrong("format is 'json' or 'kpi', found '" + format + "'");
    }
    if (const std::string shards = PropertyOf(*with, "shards"); !shards.empty()) {
      const auto [end, error] = std::from_chars(shards.data(), shards.data() + shards.size(), output.shards);
      if (error != std::errc() || end != shards.data() + shards.size() || output.shards < 1 ||
          output.shards > 10'000)
        return wrong("shards is a number from 1 to 10000, found '" + shards + "'");
    }
    output.partition_key = SplitList(PropertyOf(*with, "partition_key"));
    for (const std::string& word : SplitList(PropertyOf(*with, "approximate_above"))) {
      const std::size_t colon = word.find(':');
      double limit = 0;
      const char* const last = word.data() + word.size();
      const auto [end, error] =
          std::from_chars(word.data() + std::min(colon, word.size() - 1) + 1, last, limit);
      if (colon == std::string::npos || error != std::errc() || end != last)
        return wrong("approximate_above is a list of column:number, found '" + word + "'");
      output.approximate_above[Upper(word.substr(0, colon))] = limit;
    }
  }
  if (!output.stream.empty() && !IsStreamName(output.stream))
    return wrong("'" + output.stream + "' is no name for a stream of the log: WITH (stream = '…')");
  return output;
}

Result<Opening> OpeningFrom(const std::string& source, const std::string& said) {
  if (said.empty() || said == "all") return Opening::kAll;
  if (said == "packed") return Opening::kPacked;
  if (said == "none") return Opening::kNone;
  return Error(ErrorCode::kInvalidArgument,
               "stream '" + source + "': opening is 'all', 'packed' or 'none', found '" + said + "'");
}

Result<Table> TableFrom(const sql::CreateTable& create) {
  Table table;
  table.name = create.name.Folded();
  const auto wrong = [&](std::string_view what) {
    return Error(ErrorCode::kInvalidArgument, "table '" + create.name.text + "': " + std::string(what));
  };
  std::string source = PropertyOf(create.with, "source");
  if (!source.starts_with("file:")) return wrong("its rows come from WITH (source = 'file:PATH')");
  table.path = source.substr(5);
  if (table.path.starts_with("//")) table.path.erase(0, 2);
  table.format = Lower(PropertyOf(create.with, "format"));
  if (table.format.empty()) table.format = FormatOfPath(table.path);
  if (table.format != "csv" && table.format != "json" && table.format != "ndjson")
    return wrong("format is 'csv', 'json' or 'ndjson', found '" + table.format + "'");
  if (const std::string refresh = PropertyOf(create.with, "refresh"); !refresh.empty()) {
    const Result<Duration> parsed = ParseDuration(refresh);
    if (!parsed.ok() || *parsed < std::chrono::milliseconds(100))
      return wrong("refresh is a time of 100ms or more, such as '10s'; found '" + refresh + "'");
    table.refresh = *parsed;
  }
  return table;
}

std::string StreamSetting(const Survey& survey, const char* key, std::string otherwise) {
  const auto found = survey.settings.find(key);
  if (found == survey.settings.end()) return otherwise;
  return found->second == "none" ? std::string() : found->second;
}

/// The pumps of a program share its shards, and so the place where it begins.
Result<std::string> BeginFrom(const std::vector<const sql::AlterPump*>& resets) {
  std::string begin;
  for (const sql::AlterPump* reset : resets) {
    std::string position = reset->position;
    const std::string lower = Lower(position);
    if (lower == "earliest" || lower == "trim_horizon") position = "trim_horizon";
    if (lower == "latest") position = lower;
    if (position.find_first_not_of("0123456789") == std::string::npos) position.insert(0, "at:");
    if (position.starts_with("savepoint:") || !ParseFrom(position, Timestamp()).ok())
      return Error(ErrorCode::kInvalidArgument,
                   "pump '" + reset->name.text +
                       "': RESET TO takes EARLIEST, LATEST, a time, ms since 1970 " +
                       "or a span back such as '-15m', not '" + reset->position.substr(0, 100) + "'");
    if (!begin.empty() && begin != position)
      return Error(ErrorCode::kInvalidArgument,
                   "the pumps of a program begin at one place, and pump '" + reset->name.text +
                       "' is reset to another than one before it: make it a program of its own");
    begin = std::move(position);
  }
  return begin;
}

}  // namespace

const Output* Program::OutputOf(const std::string& sql_stream) const {
  const auto found = outputs.find(sql_stream);
  if (found == outputs.end() || found->second.stream.empty()) return nullptr;
  return &found->second;
}

Opening Program::OpeningOf(const std::string& source) const {
  const auto found = openings.find(source);
  return found == openings.end() ? Opening::kAll : found->second;
}

std::vector<std::string> Program::InputStreams() const {
  std::set<std::string> streams;
  for (const auto& [name, stream] : sources) streams.insert(stream);
  return {streams.begin(), streams.end()};
}

Result<Program> LoadProgram(std::string_view name, std::string_view text,
                            const sql::TableFunctionRegistry& functions) {
  HONRYU_TRY(const sql::Script script, sql::ParseScript(text));
  const Survey survey = Look(script);
  Program program;
  program.text = text;
  HONRYU_TRY(program.begin, BeginFrom(survey.resets));
  for (const auto& known : kKnown) {
    const std::string upper = Upper(known.name);
    if (survey.declared.contains(upper) || survey.written.contains(upper)) continue;
    program.prelude += "CREATE STREAM \"" + std::string(known.name) + "\"";
    program.prelude += known.columns;
    program.prelude += known.tail;
    program.prelude += ";\n";
  }
  sql::EngineOptions options;
  options.functions = functions;
  HONRYU_TRY(const std::unique_ptr<sql::Engine> engine,
             sql::Engine::Create(program.prelude, text, options, [](const sql::OutputRow&) {}));
  for (const std::string& source : engine->Sources()) {
    const std::string upper = Upper(source);
    std::string stream = Lower(source);
    for (const auto& known : kKnown)
      if (Upper(known.name) == upper) stream = known.stream;
    const auto declared = survey.declared.find(upper);
    if (declared != survey.declared.end()) {
      const std::string said = PropertyOf(*declared->second, "stream");
      if (!said.empty()) stream = said;
      const std::string how = Lower(PropertyOf(*declared->second, "opening"));
      HONRYU_TRY(const Opening opening, OpeningFrom(source, how));
      if (opening != Opening::kAll) program.openings[source] = opening;
    }
    if (!IsStreamName(stream))
      return Error(ErrorCode::kInvalidArgument,
                   "stream '" + source + "': '" + stream + "' is no stream of the log: WITH (stream = '…')");
    program.sources[source] = stream;
  }
  for (const auto& [upper, folded] : survey.written) {
    const auto declared = survey.declared.find(upper);
    const bool inner = survey.read.contains(upper) || survey.inner.contains(upper);
    HONRYU_TRY(program.outputs[folded],
               OutputFrom(folded, declared == survey.declared.end() ? nullptr : declared->second, inner));
  }
  program.error_stream = StreamSetting(survey, "error.stream", std::string(name) + "-errors");
  program.late_stream = StreamSetting(survey, "late.stream", std::string(name) + "-late");
  program.outputs["ERROR_STREAM"].stream = program.error_stream;
  program.outputs["LATE_ROWS"].stream = program.late_stream;
  for (const sql::Statement* table : survey.tables) {
    HONRYU_TRY(Table made, TableFrom(std::get<sql::CreateTable>(table->body)));
    made.declaration = sql::ToSql(*table) + ";";
    program.tables.push_back(std::move(made));
  }
  program.epochs = StreamSetting(survey, "epochs", "false") == "true";
  program.uses_sequence_numbers = Upper(text).find("SEQUENCE_NUMBER") != std::string::npos;
  for (const auto& [sql_stream, output] : program.outputs) {
    for (const auto& [source, stream] : program.sources)
      if (!output.stream.empty() && output.stream == stream)
        return Error(ErrorCode::kInvalidArgument, "stream '" + sql_stream + "' would go to '" + stream +
                                                      "', which the program reads: it would feed itself");
  }
  return program;
}

std::string WindowName(std::int64_t ms) {
  if (ms % 1000 != 0) return std::to_string(ms) + "ms";
  const std::int64_t seconds = ms / 1000;
  if (seconds % 86'400 == 0) return std::to_string(seconds / 86'400) + "d";
  if (seconds % 3600 == 0) return std::to_string(seconds / 3600) + "h";
  if (seconds % 60 == 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds) + "s";
}

}  // namespace honryu::sqlapp
