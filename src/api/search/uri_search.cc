#include "api/search/uri_search.h"

#include "honryu/base/units.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <charconv>

namespace honryu::api::search {

namespace {

namespace engine = honryu::search;
using codec::Json;

bool True(std::string_view text) { return text != "false"; }

Json ListOf(std::string_view text) {
  Json::Array items;
  while (!text.empty()) {
    const auto end = text.find(',');
    if (end != 0) items.push_back(JsonString(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return Json(std::move(items));
}

Json SortOf(std::string_view text) {
  Json::Array fields;
  while (!text.empty()) {
    const auto end = text.find(',');
    const auto one = text.substr(0, end);
    const auto colon = one.rfind(':');
    if (colon == std::string_view::npos)
      fields.push_back(JsonString(one));
    else
      fields.emplace_back(
          Json::Object{{std::string(one.substr(0, colon)), JsonString(one.substr(colon + 1))}});
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return Json(std::move(fields));
}

Result<Json> NumberOf(std::string_view name, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return Json(number);
  return engine::IllegalArgument("Failed to parse int parameter [" + std::string(name) + "] with value [" +
                                 std::string(text) + "]");
}

}  // namespace

Json JsonString(std::string_view text) { return Json(Json::Value(std::string(text))); }

void RemoveMember(Json& object, std::string_view name) {
  Json::Object members = object.object();
  std::erase_if(members, [name](const auto& member) { return member.first == name; });
  object = Json(std::move(members));
}

void SetMember(Json& object, std::string_view name, Json value) {
  Json::Object members = object.object();
  std::erase_if(members, [name](const auto& member) { return member.first == name; });
  members.emplace_back(std::string(name), std::move(value));
  object = Json(std::move(members));
}

Result<Json> ParseObject(BytesView body) {
  if (body.find_first_not_of(" \t\r\n") == BytesView::npos) return Json(Json::Object{});
  auto parsed = Json::Parse(body, 1'000'000);
  if (!parsed.ok()) return engine::ParsingError("the request body is no JSON: " + parsed.error().message());
  if (!parsed->is_object()) return engine::ParsingError("the request body must be an object");
  return parsed;
}

Result<Json> SearchBody(const http::Request& request) {
  Result<Json> body = Json();
  if (const std::string* source = request.Query("source"); source != nullptr && request.body.empty())
    body = ParseObject(*source);
  else
    body = ParseObject(request.body.view());
  if (!body.ok()) return body;
  if (const std::string* q = request.Query("q")) {
    Json::Object query;
    query.emplace_back("query", JsonString(*q));
    if (const std::string* field = request.Query("df"))
      query.emplace_back("default_field", JsonString(*field));
    if (const std::string* op = request.Query("default_operator"))
      query.emplace_back("default_operator", JsonString(*op));
    if (const std::string* wildcard = request.Query("analyze_wildcard"))
      query.emplace_back("analyze_wildcard", Json(Json::Value(True(*wildcard))));
    if (const std::string* lenient = request.Query("lenient"))
      query.emplace_back("lenient", Json(Json::Value(True(*lenient))));
    SetMember(*body, "query", Json(Json::Object{{"query_string", Json(std::move(query))}}));
  }
  Json::Object source;
  for (const auto& [name, value] : request.query) {
    if (name == "from" || name == "size" || name == "terminate_after") {
      HONRYU_TRY(auto number, NumberOf(name, value));
      SetMember(*body, name, std::move(number));
    } else if (name == "sort") {
      SetMember(*body, name, SortOf(value));
    } else if (name == "timeout") {
      SetMember(*body, name, JsonString(value));
    } else if (name == "docvalue_fields" || name == "stored_fields") {
      SetMember(*body, name, ListOf(value));
    } else if (name == "track_total_hits") {
      if (value == "true" || value == "false" || value.empty()) {
        SetMember(*body, name, Json(Json::Value(value != "false")));
      } else {
        HONRYU_TRY(auto number, NumberOf(name, value));
        SetMember(*body, name, std::move(number));
      }
    } else if (name == "_source") {
      if (value == "true" || value == "false")
        SetMember(*body, name, Json(Json::Value(value == "true")));
      else
        SetMember(*body, name, ListOf(value));
    } else if (name == "_source_includes" || name == "_source_include") {
      source.emplace_back("includes", ListOf(value));
    } else if (name == "_source_excludes" || name == "_source_exclude") {
      source.emplace_back("excludes", ListOf(value));
    }
  }
  if (!source.empty()) SetMember(*body, "_source", Json(std::move(source)));
  return body;
}

Result<Duration> ParseKeepAlive(std::string_view text) {
  const auto parsed = ParseDuration(text);
  if (parsed.ok() && *parsed > Duration::zero()) return *parsed;
  return engine::IllegalArgument("failed to parse setting [keep_alive] with value [" + std::string(text) +
                                 "] as a time value");
}

}  // namespace honryu::api::search
