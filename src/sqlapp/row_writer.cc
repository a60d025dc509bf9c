#include "honryu/sqlapp/row_writer.h"

#include "honryu/codec/json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace honryu::sqlapp {
namespace {

constexpr std::size_t kLongestKey = 256;    // characters of a partition key
constexpr std::size_t kLongestGroup = 200;  // bytes of a value in a group's name; longer ones count as other

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string Upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

std::string IdOf(const sql::Row& row, std::uint64_t run, std::uint64_t cut, std::uint64_t ordinal) {
  char text[64];
  if (row.id != 0) {
    std::snprintf(text, sizeof text, "w%016llx", static_cast<unsigned long long>(row.id));
  } else {
    std::snprintf(text, sizeof text, "r%llx-%llx-%llx", static_cast<unsigned long long>(run),
                  static_cast<unsigned long long>(cut), static_cast<unsigned long long>(ordinal));
  }
  std::string id(text);
  if (row.revision > 0) id += "." + std::to_string(row.revision);
  return id;
}

// A partition key has at least one character, and at most kLongestKey; bytes are no fewer than characters.
std::string KeyFrom(std::string text, std::string_view otherwise) {
  if (text.empty()) text = otherwise;
  if (text.size() > kLongestKey) {
    text.resize(kLongestKey);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0U) text.pop_back();
  }
  return text;
}

void WriteJsonRow(const Output& binding, const sql::OutputRow& output, std::uint64_t run, std::uint64_t cut,
                  std::uint64_t ordinal, std::vector<OutputRecord>& out) {
  OutputRecord record;
  record.stream = binding.stream;
  const std::string id = output.stream + "/" + IdOf(output.row, run, cut, ordinal);
  codec::JsonWriter json(record.json);
  json.BeginObject();
  json.Key("_id");
  json.String(id);
  json.Key("_time");
  json.Int(output.row.time);
  json.Key("_final");
  json.Bool(output.row.final);
  if (output.row.revision > 0) {
    json.Key("_revision");
    json.Uint(output.row.revision);
  }
  const std::string row = sql::RowToJson(output.columns, output.row.values);
  if (row.size() > 2) {
    record.json += ',';
    record.json.append(row, 1, row.size() - 2);
  }
  record.json += '}';
  std::string key;
  for (const std::string& column : binding.partition_key) {
    for (std::size_t i = 0; i < output.columns.size(); ++i)
      if (Upper(output.columns[i].name) == Upper(column))
        key += (key.empty() ? "" : "/") + sql::ValueToText(output.row.values[i], output.columns[i].type);
  }
  record.partition_key = KeyFrom(std::move(key), id);
  out.push_back(std::move(record));
}

std::optional<double> NumberOf(const sql::Value& value, const sql::Type& type) {
  if (value.tag() == sql::Value::Tag::kDouble) return value.as_double();
  if (value.tag() != sql::Value::Tag::kInt) return std::nullopt;
  double number = static_cast<double>(value.as_int());
  if (type.IsDecimal()) number /= std::pow(10.0, type.scale);
  return number;
}

/// A row taken apart: its window, its group, its numbers.
struct KpiParts {
  std::int64_t start = 0, end = 0;
  std::string group;
  std::int64_t revision = 0;
  std::vector<std::size_t> metrics;  ///< Columns.
};

std::optional<KpiParts> TakeApart(const sql::OutputRow& output) {
  KpiParts parts;
  parts.revision = output.row.revision;
  bool has_start = false;
  parts.end = output.row.time;
  for (std::size_t i = 0; i < output.columns.size(); ++i) {
    const sql::Column& column = output.columns[i];
    const sql::Value& value = output.row.values[i];
    const std::string name = Lower(column.name);
    if (name == "window_start" || name == "window_end") {
      if (value.tag() != sql::Value::Tag::kInt) return std::nullopt;
      (name == "window_start" ? parts.start : parts.end) = value.as_int();
      has_start = has_start || name == "window_start";
    } else if (name == "revision") {
      if (value.tag() == sql::Value::Tag::kInt) parts.revision += value.as_int();
    } else if (column.type.IsNumeric()) {
      parts.metrics.push_back(i);
    } else if (column.type.IsText()) {
      std::string text = value.is_null() ? "__none__" : value.text();
      if (text.empty()) text = "__none__";
      if (text.size() > kLongestGroup || text.find('\0') != std::string::npos) text = "__other__";
      parts.group += (parts.group.empty() ? "" : ",") + name + "=" + text;
    }
  }
  if (!has_start || parts.end <= parts.start || parts.metrics.empty()) return std::nullopt;
  return parts;
}

bool WriteKpiRow(const Output& binding, const sql::OutputRow& output, std::vector<OutputRecord>& out) {
  const std::optional<KpiParts> parts = TakeApart(output);
  if (!parts.has_value()) return false;
  const std::string window = WindowName(parts->end - parts->start);
  const std::string start = FormatTimestamp(TimestampFromMs(parts->start));
  for (const std::size_t column : parts->metrics) {
    const std::optional<double> number = NumberOf(output.row.values[column], output.columns[column].type);
    if (!number.has_value() || !std::isfinite(*number)) continue;  // of no events there is no rate
    const std::string metric = Lower(output.columns[column].name);
    const std::string place = metric + "/" + parts->group;
    OutputRecord record;
    record.stream = binding.stream;
    record.partition_key = KeyFrom(place, metric);
    codec::JsonWriter json(record.json);
    json.BeginObject();
    json.Key("id");
    json.String(window + "/" + start + "/" + place);
    json.Key("metric");
    json.String(metric);
    json.Key("window");
    json.String(window);
    json.Key("start");
    json.Int(parts->start);
    json.Key("end");
    json.Int(parts->end);
    json.Key("group");
    json.String(parts->group);
    json.Key("value");
    constexpr double kExact = 9007199254740992;  // 2^53
    if (std::floor(*number) == *number && std::abs(*number) <= kExact) {
      json.Int(static_cast<std::int64_t>(*number));
    } else {
      json.Double(*number);
    }
    const auto limit = binding.approximate_above.find(Upper(output.columns[column].name));
    if (limit != binding.approximate_above.end() && *number > limit->second) {
      json.Key("approximate");
      json.Bool(true);
    }
    json.Key("final");
    json.Bool(output.row.final);
    json.Key("revision");
    json.Int(parts->revision);
    json.EndObject();
    out.push_back(std::move(record));
  }
  return true;
}

}  // namespace

void WriteRow(const Program& program, const sql::OutputRow& output, std::uint64_t run, std::uint64_t cut,
              std::uint64_t ordinal, std::vector<OutputRecord>& out) {
  const Output* binding = program.OutputOf(output.stream);
  if (binding == nullptr) return;
  if (binding->format == OutputFormat::kKpi && WriteKpiRow(*binding, output, out)) return;
  WriteJsonRow(*binding, output, run, cut, ordinal, out);
}

std::string RowForReading(const sql::OutputRow& output, bool with_stream) {
  std::string row = sql::RowToJson(output.columns, output.row.values);
  std::string head = "{";
  if (with_stream) {
    head += "\"_stream\":";
    codec::AppendJsonString(output.stream, head);
    head += ',';
  }
  if (!output.row.final) head += "\"_final\":false,";
  if (head.size() == 1) return row;
  if (row.size() == 2) head.pop_back();
  return head + row.substr(1);
}

}  // namespace honryu::sqlapp
