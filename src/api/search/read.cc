#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <utility>

namespace honryu::api::search {

namespace {

using codec::Json;
using codec::JsonWriter;

/// Cuts {"value":n,"relation":…} of hits.total to the number that clients of the older kind want.
void TotalAsNumber(std::string& answer) {
  constexpr std::string_view kBefore = R"("hits":{"total":{"value":)";
  const auto at = answer.find(kBefore);
  if (at == std::string::npos) return;
  const auto number = at + kBefore.size();
  const auto end = answer.find(',', number);
  const auto close = answer.find('}', number);
  if (end == std::string::npos || close == std::string::npos) return;
  answer = answer.substr(0, at) + R"("hits":{"total":)" + answer.substr(number, end - number) +
           answer.substr(close + 1);
}

/// The answer with a member put in front.
std::string WithMember(std::string_view answer, std::string_view name, std::string_view value) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key(name);
  json.String(value);
  out += ',';
  out += answer.substr(1);
  return out;
}

/// Sorts of a body made total: a scroll or a point in time goes on behind its last hit.
void AddTieBreaker(Json& body, std::string_view field) {
  const Json* sort = body.Find("sort");
  Json::Array fields;
  if (sort == nullptr) {
    if (body.Find("query") != nullptr) fields.emplace_back(Json::Object{{"_score", JsonString("desc")}});
  } else if (sort->is_array()) {
    fields = sort->array();
  } else {
    fields.push_back(*sort);
  }
  for (const Json& one : fields) {
    const std::string_view name = one.is_string()        ? one.StringOr("")
                                  : one.object().empty() ? std::string_view()
                                                         : std::string_view(one.object()[0].first);
    if (name == "_doc" || name == "_shard_doc") return;
  }
  fields.emplace_back(Json::Object{{std::string(field), JsonString("asc")}});
  SetMember(body, "sort", Json(std::move(fields)));
}

/// `sort` of the last hit of an answer; null without hits.
Json LastSort(const Json& answer) {
  const Json* hits = answer.Find("hits");
  const Json* list = hits != nullptr ? hits->Find("hits") : nullptr;
  if (list == nullptr || list->array().empty()) return Json();
  const Json* sort = list->array().back().Find("sort");
  return sort != nullptr ? *sort : Json();
}

}  // namespace

SearchApi::Impl::Target SearchApi::Impl::TargetOf(const async::Context& ctx, std::string_view indices,
                                                  const Missing& missing) const {
  Target target;
  auto reached = settings.Reach(indices);
  target.names = std::move(reached.names);
  target.options.filters = std::move(reached.filters);
  target.options.ignore_unavailable = missing.ignore;
  target.options.allow_no_indices = missing.allow_none;
  // The rest of the request's time, less what writing the answer takes.
  target.options.timeout = std::min(config.search_timeout, ctx.remaining() / 10 * 9);
  return target;
}

async::Task<Result<std::string>> SearchApi::Impl::RunSearch(RequestContext ctx, std::string indices,
                                                            Json body, Missing missing, bool allow_partial) {
  const CancelFlag cancel(ctx);
  running.Add(1);
  Result<std::string> found =
      co_await searches.Run([this, target = TargetOf(ctx, indices, missing), text = body.Dump(),
                             flag = cancel.flag(), allow_partial]() mutable -> Result<std::string> {
        target.options.cancelled = flag.get();
        target.options.allow_partial = allow_partial;
        return store.Search(target.names, text, target.options);
      });
  running.Add(-1);
  co_return found;
}

async::Task<Result<std::string>> SearchApi::Impl::RunOnSnapshot(RequestContext ctx,
                                                                std::shared_ptr<const engine::Snapshot> on,
                                                                std::string body, bool allow_partial) {
  const CancelFlag cancel(ctx);
  running.Add(1);
  Result<std::string> found =
      co_await searches.Run([this, on, body, flag = cancel.flag(), target = TargetOf(ctx, "", kIgnoreMissing),
                             allow_partial]() mutable -> Result<std::string> {
        target.options.cancelled = flag.get();
        target.options.allow_partial = allow_partial;
        return store.Search(*on, body, target.options);
      });
  running.Add(-1);
  co_return found;
}

async::Task<Answer> SearchApi::Impl::Search(const Call& call) {
  Result<Json> body = SearchBody(call.request);
  if (!body.ok()) co_return Answer::Failed(body.error());
  const std::string indices(call.Part(0).starts_with('_') && call.Part(0) != "_all" ? "" : call.Part(0));
  const bool allow_partial = call.Param("allow_partial_search_results", "true") != "false";
  Result<std::string> found = Error();
  if (const Json* pit = body->Find("pit"); pit != nullptr) {
    const Json* id_json = pit->Find("id");
    const std::string id(id_json != nullptr ? id_json->StringOr("") : "");
    Duration keep_alive = Duration::zero();
    if (const Json* keep = pit->Find("keep_alive"); keep != nullptr) {
      Result<Duration> parsed = ParseKeepAlive(keep->StringOr(""));
      if (!parsed.ok()) co_return Answer::Failed(parsed.error());
      keep_alive = std::min(*parsed, config.max_keep_alive);
    }
    Result<SearchContext> context = contexts.Use(id, keep_alive);
    if (!context.ok()) co_return Answer::Failed(context.error());
    if (body->Find("sort") != nullptr) AddTieBreaker(*body, "_shard_doc");
    RemoveMember(*body, "pit");
    found = co_await RunOnSnapshot(call.ctx, context->snapshot, body->Dump(), allow_partial);
    if (found.ok()) found = WithMember(*found, "pit_id", id);
  } else if (const std::string* scroll = call.request.Query("scroll"); scroll != nullptr) {
    Result<Duration> keep_alive = ParseKeepAlive(*scroll);
    if (!keep_alive.ok()) co_return Answer::Failed(keep_alive.error());
    Result<std::shared_ptr<const engine::Snapshot>> snapshot =
        co_await searches.Run([this, target = TargetOf(call.ctx, indices, call.missing())] {
          return store.Pin(target.names, target.options);
        });
    if (!snapshot.ok()) co_return Answer::Failed(snapshot.error());
    AddTieBreaker(*body, "_doc");
    found = co_await RunOnSnapshot(call.ctx, *snapshot, body->Dump(), allow_partial);
    if (!found.ok()) co_return Answer::Failed(found.error());
    const Result<Json> answer = ParseAnswer(*found);
    RemoveMember(*body, "from");
    RemoveMember(*body, "aggs");
    RemoveMember(*body, "aggregations");
    if (answer.ok()) SetMember(*body, "search_after", LastSort(*answer));
    Result<std::string> id = contexts.Open(
        {*snapshot, std::min(*keep_alive, config.max_keep_alive), std::move(*body), NamesOrNone(indices)});
    if (!id.ok()) co_return Answer::Failed(id.error());
    found = WithMember(*found, "_scroll_id", *id);
  } else {
    found = co_await RunSearch(call.ctx, indices, std::move(*body), call.missing(), allow_partial);
  }
  if (!found.ok()) co_return Answer::Failed(found.error());
  if (call.Flag("rest_total_hits_as_int")) TotalAsNumber(*found);
  co_return Answer::Json(std::move(*found));
}

async::Task<Answer> SearchApi::Impl::Scroll(const Call& call) {
  Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  std::string id(call.Part(2));
  if (const std::string* given = call.request.Query("scroll_id")) id = *given;
  if (const Json* given = body->Find("scroll_id")) id = given->StringOr("");
  std::string scroll(call.Param("scroll"));
  if (const Json* given = body->Find("scroll")) scroll = given->StringOr("");
  Duration keep_alive = Duration::zero();
  if (!scroll.empty()) {
    Result<Duration> parsed = ParseKeepAlive(scroll);
    if (!parsed.ok()) co_return Answer::Failed(parsed.error());
    keep_alive = std::min(*parsed, config.max_keep_alive);
  }
  Result<SearchContext> context = contexts.Use(id, keep_alive);
  if (!context.ok()) co_return Answer::Failed(context.error());
  if (context->body.is_null())
    co_return Answer::Failed(400, "illegal_argument_exception", "the id is not of a scroll");
  const Json* after = context->body.Find("search_after");
  Json search = context->body;
  // At the end of a scroll its last sort is null: nothing comes any more.
  if (after == nullptr) {
    RemoveMember(search, "search_after");
    SetMember(search, "query", Json(Json::Object{{"match_none", Json(Json::Object{})}}));
  }
  Result<std::string> found = co_await RunOnSnapshot(call.ctx, context->snapshot, search.Dump());
  if (!found.ok()) co_return Answer::Failed(found.error());
  const Result<Json> answer = ParseAnswer(*found);
  if (answer.ok()) {
    SetMember(search, "search_after", LastSort(*answer));
    contexts.Replace(id, std::move(search));
  }
  std::string text = WithMember(*found, "_scroll_id", id);
  if (call.Flag("rest_total_hits_as_int")) TotalAsNumber(text);
  co_return Answer::Json(std::move(text));
}

async::Task<Answer> SearchApi::Impl::ClearScroll(const Call& call) {
  std::vector<std::string> ids = NamesOf(call.Part(2));
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  if (const Json* given = body->Find("scroll_id")) {
    if (given->is_string()) ids.emplace_back(given->StringOr(""));
    for (const Json& one : given->array()) ids.emplace_back(one.StringOr(""));
  }
  std::size_t freed = 0;
  for (const std::string& id : ids) freed += id == "_all" ? contexts.CloseAll() : contexts.Close(id) ? 1 : 0;
  co_return Answer::Json(R"({"succeeded":true,"num_freed":)" + std::to_string(freed) + "}",
                         freed > 0 ? 200 : 404);
}

async::Task<Answer> SearchApi::Impl::OpenPit(const Call& call) {
  Result<Duration> keep_alive = ParseKeepAlive(call.Param("keep_alive", "1m"));
  if (!keep_alive.ok()) co_return Answer::Failed(keep_alive.error());
  Result<std::shared_ptr<const engine::Snapshot>> snapshot =
      co_await searches.Run([this, target = TargetOf(call.ctx, call.Part(0), call.missing())] {
        return store.Pin(target.names, target.options);
      });
  if (!snapshot.ok()) co_return Answer::Failed(snapshot.error(), call.Part(0));
  Result<std::string> id = contexts.Open(
      {*snapshot, std::min(*keep_alive, config.max_keep_alive), Json(), NamesOrNone(call.Part(0))});
  if (!id.ok()) co_return Answer::Failed(id.error());
  std::string body;
  JsonWriter out(body);
  out.BeginObject();
  const bool opensearch = call.Part(1) == "_search";
  out.Key(opensearch ? "pit_id" : "id");
  out.String(*id);
  out.Key("_shards");
  out.Raw(R"({"total":1,"successful":1,"skipped":0,"failed":0})");
  out.Key("creation_time");
  out.Int(ToMs(clock.Now()));
  out.EndObject();
  co_return Answer::Json(std::move(body));
}

async::Task<Answer> SearchApi::Impl::ClosePit(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  const bool opensearch = call.Part(0) == "_search";
  std::vector<std::string> ids;
  for (const char* name : {"pit_id", "id"})
    if (const Json* given = body->Find(name)) {
      if (given->is_string()) ids.emplace_back(given->StringOr(""));
      for (const Json& one : given->array()) ids.emplace_back(one.StringOr(""));
    }
  if (call.Part(2) == "_all")
    for (const auto& [id, context] : contexts.All())
      if (context.body.is_null()) ids.push_back(id);  // scrolls stay
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  std::size_t freed = 0;
  if (opensearch) {
    out.Key("pits");
    out.BeginArray();
  }
  for (const std::string& id : ids) {
    const bool closed = contexts.Close(id);
    freed += closed ? 1 : 0;
    if (!opensearch) continue;
    out.BeginObject();
    out.Key("pit_id");
    out.String(id);
    out.Key("successful");
    out.Bool(closed);
    out.EndObject();
  }
  if (opensearch) {
    out.EndArray();
  } else {
    out.Key("succeeded");
    out.Bool(true);
    out.Key("num_freed");
    out.Uint(freed);
  }
  out.EndObject();
  co_return Answer::Json(std::move(text), freed > 0 || ids.empty() ? 200 : 404);
}

async::Task<Answer> SearchApi::Impl::ListPits() {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("pits");
  out.BeginArray();
  for (const auto& [id, context] : contexts.All()) {
    if (!context.body.is_null()) continue;  // a scroll
    out.BeginObject();
    out.Key("pit_id");
    out.String(id);
    out.Key("keep_alive");
    out.Int(ToMs(context.keep_alive));
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  co_return Answer::Json(std::move(text));
}

async::Task<Answer> SearchApi::Impl::MultiSearch(const Call& call) {
  const MonoTime begin = std::chrono::steady_clock::now();
  const std::string_view path_index =
      call.Part(0).starts_with('_') && call.Part(0) != "_all" ? "" : call.Part(0);
  struct Part {
    std::string indices;
    Missing missing;
    Result<Json> body = Json();
  };
  std::vector<Part> parts;
  BytesView rest = call.request.body.view();
  const auto next_line = [&rest](BytesView& line) {
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      line = rest.substr(0, end);
      rest.remove_prefix(end == BytesView::npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      return true;
    }
    return false;
  };
  BytesView header_line, body_line;
  while (next_line(header_line)) {
    if (header_line.empty() && rest.empty()) break;
    const Result<Json> header = ParseObject(header_line);
    if (!header.ok()) co_return Answer::Failed(header.error());
    if (!next_line(body_line))
      co_return Answer::Failed(400, "action_request_validation_exception",
                               "Validation Failed: 1: the last search has no body;");
    if (parts.size() == config.max_searches_of_request)
      co_return Answer::Failed(
          400, "illegal_argument_exception",
          "more than " + std::to_string(config.max_searches_of_request) + " searches in one request");
    Part part;
    part.indices = path_index;
    part.missing = call.missing();
    if (const Json* index = header->Find("index")) {
      part.indices.clear();
      if (index->is_string()) part.indices = index->StringOr("");
      for (const Json& one : index->array())
        part.indices += (part.indices.empty() ? "" : ",") + std::string(one.StringOr(""));
    }
    Result<std::string> plain = engine::ExpandIndexDates(part.indices, ToMs(clock.Now()));
    if (!plain.ok()) co_return Answer::Failed(plain.error());
    part.indices = std::move(*plain);
    if (const Json* ignore = header->Find("ignore_unavailable")) part.missing.ignore = ignore->BoolOr(false);
    if (const Json* allow = header->Find("allow_no_indices")) part.missing.allow_none = allow->BoolOr(true);
    part.body = ParseObject(body_line);
    parts.push_back(std::move(part));
  }
  if (parts.empty())
    co_return Answer::Failed(400, "action_request_validation_exception",
                             "Validation Failed: 1: no requests added;");
  std::string responses;
  for (Part& part : parts) {
    Result<std::string> found = part.body.ok() ? Result<std::string>(std::string()) : part.body.error();
    if (part.body.ok())
      found = co_await RunSearch(call.ctx, part.indices, std::move(*part.body), part.missing);
    if (!found.ok() && found.error().code() == ErrorCode::kCancelled && call.ctx.expired())
      co_return Answer::Failed(found.error());
    if (!responses.empty()) responses += ',';
    if (found.ok()) {
      if (call.Flag("rest_total_hits_as_int")) TotalAsNumber(*found);
      responses.append(*found, 0, found->size() - 1);
      responses += R"(,"status":200})";
    } else {
      responses += engine::ErrorBody(engine::ToApiError(found.error()));
    }
  }
  std::string body = R"({"took":)" + std::to_string(ToMs(std::chrono::steady_clock::now() - begin)) +
                     R"(,"responses":[)" + responses + "]}";
  co_return Answer::Json(std::move(body));
}

async::Task<Answer> SearchApi::Impl::Count(const Call& call) {
  Result<Json> body = SearchBody(call.request);
  if (!body.ok()) co_return Answer::Failed(body.error());
  const std::string indices(call.Part(0).starts_with('_') && call.Part(0) != "_all" ? "" : call.Part(0));
  Json query{Json::Object{}};
  for (const auto& [name, value] : body->object()) {
    if (name == "query")
      SetMember(query, name, value);
    else if (name != "terminate_after")
      co_return Answer::Failed(400, "parsing_exception", "request does not support [" + name + "]");
  }
  struct Counted {
    std::uint64_t matches = 0, lost = 0;
  };
  const CancelFlag cancel(call.ctx);
  Result<Counted> count =
      co_await searches.Run([this, target = TargetOf(call.ctx, indices, call.missing()), text = query.Dump(),
                             flag = cancel.flag()]() mutable -> Result<Counted> {
        target.options.cancelled = flag.get();
        Counted counted;
        HONRYU_TRY(counted.matches, store.Count(target.names, text, target.options, &counted.lost));
        return counted;
      });
  if (!count.ok()) co_return Answer::Failed(count.error(), indices);
  co_return Answer::Json(R"({"count":)" + std::to_string(count->matches) + R"(,"_shards":{"total":)" +
                         std::to_string(1 + count->lost) + R"(,"successful":1,"skipped":0,"failed":)" +
                         std::to_string(count->lost) + "}}");
}

async::Task<Answer> SearchApi::Impl::ValidateQuery(const Call& call) {
  Result<Json> body = SearchBody(call.request);
  if (!body.ok()) co_return Answer::Failed(body.error());
  SetMember(*body, "size", Json(Json::Value(std::int64_t{0})));
  SetMember(*body, "terminate_after", Json(Json::Value(std::int64_t{1})));
  Result<std::string> found = co_await RunSearch(call.ctx, "", std::move(*body), kIgnoreMissing);
  co_return Answer::Json(std::string(R"({"_shards":{"total":1,"successful":1,"failed":0},"valid":)") +
                         (found.ok() ? "true}" : "false}"));
}

async::Task<Result<std::string>> SearchApi::Impl::FindDocument(async::Context ctx, std::string index,
                                                               std::string id, std::string source_filter) {
  Json body{Json::Object{}};
  Json::Object ids;
  ids.emplace_back("values", Json(Json::Array{JsonString(id)}));
  SetMember(body, "query", Json(Json::Object{{"ids", Json(std::move(ids))}}));
  SetMember(body, "size", Json(Json::Value(std::int64_t{1})));
  SetMember(body, "sort", Json(Json::Array{Json(Json::Object{{"_sequence", JsonString("desc")}})}));
  if (!source_filter.empty()) {
    Result<Json> filter = Json::Parse(source_filter);
    if (filter.ok()) SetMember(body, "_source", std::move(*filter));
  }
  Result<std::string> found =
      co_await RunSearch(std::move(ctx), settings.Resolve(index), std::move(body), {});
  if (!found.ok()) co_return found;
  const Result<Json> answer = ParseAnswer(*found);
  if (!answer.ok()) co_return answer.error();
  const Json* hits = answer->Find("hits");
  const Json* list = hits != nullptr ? hits->Find("hits") : nullptr;
  if (list == nullptr || list->array().empty()) co_return std::string();
  co_return list->array()[0].Dump();
}

namespace {

/// A hit in the shape of GET _doc.
std::string DocumentOf(const Json& hit) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  for (const auto& [name, value] : hit.object())
    if (name == "_index" || name == "_id") {
      out.Key(name);
      value.DumpTo(out);
    }
  const Json* sort = hit.Find("sort");
  out.Key("_version");
  out.Int(1);
  out.Key("_seq_no");
  out.Int(sort != nullptr && !sort->array().empty() ? sort->array()[0].IntOr(0) : 0);
  out.Key("_primary_term");
  out.Int(1);
  out.Key("found");
  out.Bool(true);
  if (const Json* source = hit.Find("_source")) {
    out.Key("_source");
    source->DumpTo(out);
  }
  out.EndObject();
  return text;
}

std::string MissingDocument(std::string_view index, std::string_view id) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("_index");
  out.String(index);
  out.Key("_id");
  out.String(id);
  out.Key("found");
  out.Bool(false);
  out.EndObject();
  return text;
}

}  // namespace

async::Task<Answer> SearchApi::Impl::GetDocument(const Call& call) {
  const std::string index(call.Part(0)), id(call.Part(2));
  if (id.empty()) co_return Answer::Failed(400, "illegal_argument_exception", "the id is missing");
  // A document is there as soon as it was acknowledged, also before the next refresh.
  Result<void> caught_up = co_await CatchUp(call.ctx);
  if (!caught_up.ok()) co_return Answer::Failed(caught_up.error());
  const Result<Json> filter = SearchBody(call.request);
  const Json* source = filter.ok() ? filter->Find("_source") : nullptr;
  Result<std::string> hit =
      co_await FindDocument(call.ctx, index, id, source != nullptr ? source->Dump() : std::string());
  if (!hit.ok()) co_return Answer::Failed(hit.error(), index);
  if (hit->empty()) {
    if (call.Part(1) == "_source")
      co_return Answer::Failed(404, "resource_not_found_exception",
                               "Document not found [" + index + "]/[_doc]/[" + id + "]");
    co_return Answer::Json(MissingDocument(index, id), 404);
  }
  const Result<Json> parsed = ParseAnswer(*hit);
  if (!parsed.ok()) co_return Answer::Failed(parsed.error());
  if (call.Part(1) == "_source") {
    const Json* whole = parsed->Find("_source");
    co_return Answer::Json(whole != nullptr ? whole->Dump() : "{}");
  }
  co_return Answer::Json(DocumentOf(*parsed));
}

async::Task<Answer> SearchApi::Impl::MultiGet(const Call& call) {
  const Result<Json> body = ParseObject(call.request.body.view());
  if (!body.ok()) co_return Answer::Failed(body.error());
  Result<void> caught_up = co_await CatchUp(call.ctx);
  if (!caught_up.ok()) co_return Answer::Failed(caught_up.error());
  const std::string path_index(call.Part(0).starts_with('_') ? "" : call.Part(0));
  std::vector<std::pair<std::string, std::string>> wanted;
  if (const Json* ids = body->Find("ids"))
    for (const Json& id : ids->array()) wanted.emplace_back(path_index, id.StringOr(""));
  if (const Json* docs = body->Find("docs"))
    for (const Json& doc : docs->array()) {
      const Json* index = doc.Find("_index");
      const Json* id = doc.Find("_id");
      wanted.emplace_back(index != nullptr ? std::string(index->StringOr("")) : path_index,
                          id != nullptr ? std::string(id->StringOr("")) : std::string());
    }
  if (wanted.size() > config.max_searches_of_request * 10)
    co_return Answer::Failed(400, "illegal_argument_exception", "too many documents in one _mget");
  std::string docs;
  for (const auto& [index, id] : wanted) {
    Result<std::string> hit = co_await FindDocument(call.ctx, index, id, std::string());
    if (!docs.empty()) docs += ',';
    if (!hit.ok()) {
      if (hit.error().code() != ErrorCode::kNotFound) co_return Answer::Failed(hit.error());
      const Answer failed = Answer::Failed(hit.error(), index);
      docs += R"({"_index":)";
      codec::AppendJsonString(index, docs);
      docs += R"(,"_id":)";
      codec::AppendJsonString(id, docs);
      docs += ',' + failed.body.substr(1);
      continue;
    }
    const Result<Json> parsed = hit->empty() ? Result<Json>(Json()) : ParseAnswer(*hit);
    docs += parsed.ok() && !hit->empty() ? DocumentOf(*parsed) : MissingDocument(index, id);
  }
  co_return Answer::Json(R"({"docs":[)" + docs + "]}");
}

}  // namespace honryu::api::search
