#include "search/store/bodies.h"

#include "honryu/search/api_error.h"
#include "search/query/parse_query.h"

namespace honryu::search {

Result<codec::Json> ParseBody(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return codec::Json(codec::Json::Object{});
  auto parsed = codec::Json::Parse(body);
  if (!parsed.ok()) return ParsingError("the request body is no JSON: " + parsed.error().message());
  if (!parsed->is_object()) return ParsingError("the request body must be an object");
  return parsed;
}

Result<Query> OnlyQuery(std::string_view body) {
  HONRYU_TRY(const auto json, ParseBody(body));
  for (const auto& [name, value] : json.object())
    if (name != "query") return ParsingError("request does not support [" + name + "]");
  const auto* query = json.Find("query");
  if (query == nullptr) return Query{MatchAllQuery{}, 1};
  return ParseQuery(*query);
}

}  // namespace honryu::search
