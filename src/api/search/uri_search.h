#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "honryu/http/message.h"

#include <string>
#include <string_view>

namespace honryu::api::search {

/// The member `name` of an object, made or replaced.
void SetMember(codec::Json& object, std::string_view name, codec::Json value);
void RemoveMember(codec::Json& object, std::string_view name);
codec::Json JsonString(std::string_view text);

/// The body of a search with what the query string says put into it: q, df, default_operator,
/// analyze_wildcard, sort=f:desc,g, from, size, _source, _source_includes, _source_excludes, docvalue_fields,
/// stored_fields, track_total_hits, terminate_after, timeout, search_after. Errors carry a type of the API.
Result<codec::Json> SearchBody(const http::Request& request);
/// A JSON object; {} for nothing at all.
Result<codec::Json> ParseObject(BytesView body);
/// Seconds and the like of "1m", "30s", "500ms", "2h", "1d".
Result<Duration> ParseKeepAlive(std::string_view text);

}  // namespace honryu::api::search
