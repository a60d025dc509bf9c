#include "honryu/codec/json.h"
#include "sql/bound.h"
#include "sql/lexer.h"

#include <array>
#include <charconv>
#include <optional>

// The log parsers of Kinesis Analytics. They give a row, which is a JSON object here: t.r."COLUMN1".
namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

struct LogColumn {
  std::string name;
  std::size_t start = 0, length = 0;  ///< Of FIXED_COLUMN_LOG_PARSE, from 1.
};

std::string_view TakeWord(std::string_view* text) {
  while (!text->empty() && (*text)[0] == ' ') text->remove_prefix(1);
  if (!text->empty() && (*text)[0] == '"') {
    const std::size_t end = std::min(text->find('"', 1), text->size() - 1);
    const std::string_view word = text->substr(1, end - 1);
    text->remove_prefix(end + 1);
    return word;
  }
  const std::size_t end = std::min(text->find_first_of(" ,"), text->size());
  const std::string_view word = text->substr(0, end);
  text->remove_prefix(end);
  return word;
}

std::size_t TakeCount(std::string_view* text) {
  const std::string_view word = TakeWord(text);
  std::size_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

// 'A TYPE VARCHAR(16), "b" TYPE INTEGER START 1 FOR 4': unquoted names become upper case.
std::vector<LogColumn> ReadColumns(std::string_view text) {
  std::vector<LogColumn> columns;
  while (!text.empty()) {
    LogColumn column;
    while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    const bool quoted = !text.empty() && text[0] == '"';
    const std::string_view name = TakeWord(&text);
    column.name = quoted ? std::string(name) : UpperCase(name);
    while (!text.empty() && text[0] != ',') {
      if (text[0] == '(') {  // VARCHAR(16), DECIMAL(10, 2)
        text.remove_prefix(std::min(text.find(')'), text.size() - 1) + 1);
        continue;
      }
      const std::string word = UpperCase(TakeWord(&text));
      if (const std::size_t open = word.find('(');
          open != std::string::npos && word.find(')') == std::string::npos)
        text.remove_prefix(std::min(text.find(')'), text.size() - 1) + 1);
      if (word == "START") column.start = TakeCount(&text);
      if (word == "FOR") column.length = TakeCount(&text);
      while (!text.empty() && text[0] == ' ') text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    if (!column.name.empty()) columns.push_back(std::move(column));
  }
  return columns;
}

class RowWriter {
 public:
  explicit RowWriter(std::string& out) : writer_(out) { writer_.BeginObject(); }
  void Add(std::string_view name, std::optional<std::string_view> value) {
    ++count_;
    writer_.Key(name.empty() ? "COLUMN" + std::to_string(count_) : std::string(name));
    if (value.has_value()) {
      writer_.String(*value);
    } else {
      writer_.Null();
    }
  }
  void End() { writer_.EndObject(); }

 private:
  codec::JsonWriter writer_;
  int count_ = 0;
};

bool ParseByRegex(EvalContext& context, const std::string& text, std::string_view pattern,
                  const std::vector<LogColumn>& columns, Value& out) {
  const Regex* regex = context.regexes.Get(pattern);
  if (regex == nullptr) {
    context.Fail("InvalidRegex", "this is no regular expression: '" + std::string(pattern) + "'");
    return false;
  }
  const auto match = regex->Search(text);
  if (!match.has_value()) return false;
  std::string json;
  RowWriter row(json);
  for (std::size_t i = 1; i < match->size(); ++i) {
    const auto [from, to] = (*match)[i];
    const std::string_view name =
        i <= columns.size() ? std::string_view(columns[i - 1].name) : std::string_view();
    if (from == std::string_view::npos) {
      row.Add(name, std::nullopt);
    } else {
      row.Add(name, std::string_view(text).substr(from, to - from));
    }
  }
  row.End();
  out.SetText(json);
  return true;
}

void RegexLogParse(EvalContext& context, Args args, Value& out) {
  const auto columns = ReadColumns(args.size() > 2 ? args[2]->text() : "");
  if (!ParseByRegex(context, args[0]->text(), args[1]->text(), columns, out)) out.SetNull();
}

// Formats of web servers' logs, as the documentation of Apache HTTP Server has them.
void W3cLogParse(EvalContext& context, Args args, Value& out) {
  constexpr std::string_view kCommon = R"re((\S+) (\S+) (\S+) \[([^\]]*)\] "([^"]*)" (\S+) (\S+))re";
  const std::string format = args.size() > 1 ? UpperCase(args[1]->text()) : "COMMON";
  std::string pattern;
  if (format == "COMMON") {
    pattern = kCommon;
  } else if (format == "COMMON WITH VHOST") {
    pattern = "(\\S+) " + std::string(kCommon);
  } else if (format == "NCSA EXTENDED") {
    pattern = std::string(kCommon) + R"re( "([^"]*)" "([^"]*)")re";
  } else if (format == "REFERER") {
    pattern = R"re((\S+) -> (\S+))re";
  } else if (format == "AGENT") {
    pattern = "(.*)";
  } else {
    return context.Fail("InvalidArgument", "'" + format + "' is no log format");
  }
  if (!ParseByRegex(context, args[0]->text(), pattern, {}, out)) out.SetNull();
}

// RFC 3164: <priority>time host tag: message
void SysLogParse(EvalContext& context, Args args, Value& out) {
  constexpr std::string_view kPattern =
      R"re(^<(\d+)>([A-Za-z]{3} +\d+ \d+:\d+:\d+) (\S+) ([^:\[ ]+)(?:\[(\d+)\])?: ?(.*)$)re";
  if (!ParseByRegex(context, args[0]->text(), kPattern, {}, out)) out.SetNull();
}

// VARIABLE_COLUMN_LOG_PARSE(text, columns, delimiter [, escape [, quote]])
void VariableColumns(EvalContext& context, Args args, Value& out) {
  const auto columns = ReadColumns(args[1]->text());
  const std::string mark = args.size() > 2 ? args[2]->text() : ",";
  if (mark.empty()) return context.Fail("InvalidArgument", "an empty delimiter");
  const char quote = args.size() > 4 && !args[4]->text().empty() ? args[4]->text()[0] : '"';
  std::string json;
  RowWriter row(json);
  const std::string& text = args[0]->text();
  std::size_t at = 0;
  bool more = true;
  for (const LogColumn& column : columns) {
    if (!more) {
      row.Add(column.name, std::nullopt);
      continue;
    }
    std::string field;
    if (at < text.size() && text[at] == quote) {
      for (++at; at < text.size(); ++at) {
        if (text[at] == quote && at + 1 < text.size() && text[at + 1] == quote)
          ++at;
        else if (text[at] == quote)
          break;
        field += text[at];
      }
      at = std::min(at + 1, text.size());
    }
    const std::size_t end = text.find(mark, at);
    field.append(text, at, end == std::string::npos ? end : end - at);
    more = end != std::string::npos;
    at = more ? end + mark.size() : text.size();
    row.Add(column.name, field);
  }
  row.End();
  out.SetText(json);
}

void FixedColumns(EvalContext&, Args args, Value& out) {
  const std::string& text = args[0]->text();
  std::string json;
  RowWriter row(json);
  for (const LogColumn& column : ReadColumns(args[1]->text())) {
    if (column.start == 0 || column.start > text.size()) {
      row.Add(column.name, std::nullopt);
    } else {
      row.Add(column.name, std::string_view(text).substr(column.start - 1, column.length));
    }
  }
  row.End();
  out.SetText(json);
}

constexpr FunctionDefinition kFunctions[] = {
    {"REGEX_LOG_PARSE", "TTT?:J", RegexLogParse},
    {"FAST_REGEX_LOG_PARSE", "TTT?:J", RegexLogParse},
    {"W3C_LOG_PARSE", "TT?:J", W3cLogParse},
    {"SYS_LOG_PARSE", "T:J", SysLogParse},
    {"VARIABLE_COLUMN_LOG_PARSE", "TTT?T?T?:J", VariableColumns},
    {"FIXED_COLUMN_LOG_PARSE", "TT:J", FixedColumns},
};

}  // namespace

std::span<const FunctionDefinition> LogFunctions() { return kFunctions; }

}  // namespace honryu::sql
