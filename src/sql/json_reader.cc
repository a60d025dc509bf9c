#include "sql/json_reader.h"

#include "honryu/codec/json.h"
#include "sql/cast.h"
#include "sql/lexer.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace honryu::sql {
namespace {

using simdjson::ondemand::json_type;

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

// `raw` stands behind the quote of a key in a buffer that goes on to `end`.
bool SameKey(const char* raw, const char* end, const std::string& key, bool any_case) {
  // Where it would end decides about nearly all others.
  if (static_cast<std::size_t>(end - raw) <= key.size() || raw[key.size()] != '"') return false;
  if (std::memcmp(raw, key.data(), key.size()) == 0) return true;
  if (!any_case) return false;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char a = raw[i], b = key[i];
    if (a == b) continue;
    const char lower = static_cast<char>(a | 0x20);
    if (lower != static_cast<char>(b | 0x20) || lower < 'a' || lower > 'z') return false;
  }
  return true;
}

// True: `out` is set. False: the value is no value of this type.
bool ReadScalar(simdjson::ondemand::value value, json_type kind, const Type& type, std::string& scratch,
                Value& out) {
  if (kind == json_type::null) {
    out.SetNull();
    return true;
  }
  if (kind == json_type::string) {
    std::string_view text;
    if (type.Is(TypeKind::kJson)) {
      out.SetText(Trimmed(value.raw_json_token()));
      return true;
    }
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    if (type.IsText()) {
      out.SetText(text);
      return true;
    }
    scratch.assign(text);
    return CastValue(Value::Text(scratch), VarcharType(), type, false, out) == CastResult::kOk;
  }
  if (kind == json_type::array || kind == json_type::object) {
    if (!type.IsText() && !type.Is(TypeKind::kJson)) return false;
    std::string_view raw;
    if (simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS) return false;
    out.SetText(Trimmed(raw));
    return true;
  }
  if (type.IsText() || type.Is(TypeKind::kJson)) {
    out.SetText(Trimmed(value.raw_json_token()));
    return true;
  }
  if (kind == json_type::boolean) {
    bool truth = false;
    if (!type.Is(TypeKind::kBoolean) || value.get_bool().get(truth) != simdjson::SUCCESS) return false;
    out.SetBool(truth);
    return true;
  }
  if (type.IsFloat()) {
    double real = 0;
    if (value.get_double().get(real) != simdjson::SUCCESS) return false;
    out.SetDouble(real);
    return true;
  }
  if (type.IsInteger() || type.Is(TypeKind::kTimestamp)) {
    std::int64_t whole = 0;
    if (value.get_int64().get(whole) == simdjson::SUCCESS) {
      if (type.Is(TypeKind::kBigInt) || type.Is(TypeKind::kTimestamp)) {
        out.SetInt(whole);
        return true;
      }
      return CastValue(Value::Int(whole), BigIntType(), type, false, out) == CastResult::kOk;
    }
    double real = 0;  // 12.0 is a whole number, 12.5 is none
    if (value.get_double().get(real) != simdjson::SUCCESS || real != std::trunc(real)) return false;
    return CastValue(Value::Double(real), DoubleType(), type, false, out) == CastResult::kOk;
  }
  scratch.assign(Trimmed(value.raw_json_token()));
  return !type.Is(TypeKind::kBoolean) &&
         CastValue(Value::Text(scratch), VarcharType(), type, false, out) == CastResult::kOk;
}

}  // namespace

struct JsonReader::Parser {
  simdjson::ondemand::parser parser;
  std::string padded, scratch;
};

JsonReader::JsonReader(const StreamInfo& stream) : stream_(stream), parser_(std::make_unique<Parser>()) {
  for (std::size_t i = 0; i < stream.columns.size(); ++i) {
    if (stream.used[i] == 0) continue;
    const JsonPath& path = stream.paths[i];
    const auto each = std::find_if(path.begin(), path.end(),
                                   [](const JsonStep& step) { return step.kind == JsonStep::Kind::kEach; });
    if (each != path.end()) {
      each_.push_back(i);
      array_.assign(path.begin(), each);
      continue;
    }
    Wanted wanted{i, stream.json_keys[i], stream.any_case[i], {}, 0};
    if (!path.empty()) {
      wanted.key = path[0].member;
      wanted.any_case = false;
      wanted.rest.assign(path.begin() + 1, path.end());
    }
    wanted_.push_back(std::move(wanted));
  }
  rows_.emplace_back(stream.columns.size() + kMetadataColumns);
}

JsonReader::~JsonReader() = default;

bool JsonReader::Bad(std::string_view name, std::string message) {
  error_name_ = name;
  error_ = std::move(message);
  count_ = 0;
  return false;
}

bool JsonReader::FromText(std::string_view json, const Column& column, Value& out) {
  if (json == "null") {
    out.SetNull();
    return true;
  }
  if (CastValue(Value::Text(json), JsonType(), column.type, false, out) == CastResult::kOk) return true;
  return Bad("TypeMismatch", "column '" + column.name + "' is no " + column.type.ToString());
}

// A time for which something else may stand in.
bool JsonReader::MayBeMissing(std::size_t column) const {
  const auto& others = stream_.time_else;
  if (column == stream_.time_column) return stream_.time_arrival || !others.empty();
  return std::find(others.begin(), others.end(), column) != others.end();
}

bool JsonReader::ReadObject(std::string_view json, std::vector<Value>& row) {
  ++records_;
  for (const Wanted& wanted : wanted_) row[wanted.column].SetNull();
  parser_->padded.resize(json.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(parser_->padded.data(), json.data(), json.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser_->parser.iterate(parser_->padded.data(), json.size(), parser_->padded.size()).get(document) !=
          simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS)
    return Bad("BadJson", "the record is no JSON object");
  const char* const end = parser_->padded.data() + parser_->padded.size();
  std::size_t left = wanted_.size();
  if (left == 0) return true;
  for (auto field : object) {
    simdjson::ondemand::raw_json_string key;
    if (field.key().get(key) != simdjson::SUCCESS) return Bad("BadJson", "the record is broken JSON");
    const char* raw = key.raw();
    std::string_view composite;
    for (Wanted& wanted : wanted_) {
      if (!SameKey(raw, end, wanted.key, wanted.any_case)) continue;
      if (wanted.seen == records_) {  // of members of one name the first counts
        if (wanted.rest.empty()) break;
        continue;
      }
      wanted.seen = records_;
      const Column& column = stream_.columns[wanted.column];
      simdjson::ondemand::value value;
      json_type kind{};
      if (!wanted.rest.empty() || !composite.empty()) {  // several columns may come out of one member
        if (composite.empty() && (field.value().get(value) != simdjson::SUCCESS ||
                                  simdjson::to_json_string(value).get(composite) != simdjson::SUCCESS))
          return Bad("BadJson", "the record is broken JSON");
        const auto inner = FollowJsonPath(Trimmed(composite), wanted.rest);
        if (inner.has_value() && !FromText(*inner, column, row[wanted.column])) return false;
        --left;
        continue;
      }
      if (field.value().get(value) != simdjson::SUCCESS || value.type().get(kind) != simdjson::SUCCESS)
        return Bad("BadJson", "the record is broken JSON");
      if (!ReadScalar(value, kind, column.type, parser_->scratch, row[wanted.column]) &&
          !(row[wanted.column].SetNull(), MayBeMissing(wanted.column)))
        return Bad("TypeMismatch", "column '" + column.name + "' is no " + column.type.ToString());
      --left;
      break;
    }
    if (left == 0) break;
  }
  return true;
}

// One row for every element of the array; none: one row without it.
bool JsonReader::Flatten(std::string_view json) {
  const auto text = FollowJsonPath(json, array_);
  codec::Json::Array elements;
  if (text.has_value()) {
    auto parsed = codec::Json::Parse(*text);
    if (!parsed.ok()) return Bad("BadJson", "the record is broken JSON");
    elements = parsed->array();
  }
  const JsonPath& path = stream_.paths[each_[0]];
  const std::size_t first = std::min<std::size_t>(path[array_.size()].index, elements.size());
  count_ = std::max<std::size_t>(elements.size() - first, 1);
  while (rows_.size() < count_) rows_.emplace_back(rows_[0].size());
  for (std::size_t number = 0; number < count_; ++number) {
    if (number > 0) rows_[number] = rows_[0];
    const std::string element =
        first + number < elements.size() ? elements[first + number].Dump() : std::string();
    for (const std::size_t column : each_) {
      Value& out = rows_[number][column];
      out.SetNull();
      const JsonPath& whole = stream_.paths[column];
      const JsonPath rest(whole.begin() + static_cast<std::ptrdiff_t>(array_.size()) + 1, whole.end());
      const auto found = element.empty() ? std::nullopt : FollowJsonPath(element, rest);
      if (found.has_value() && !FromText(*found, stream_.columns[column], out)) return false;
    }
  }
  return true;
}

bool JsonReader::Read(std::string_view json) {
  count_ = 1;
  if (!ReadObject(json, rows_[0])) return false;
  return each_.empty() || Flatten(json);
}

}  // namespace honryu::sql
