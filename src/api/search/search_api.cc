#include "honryu/api/search/search_api.h"

#include "api/search/filter_path.h"
#include "api/search/impl.h"
#include "api/search/uri_search.h"
#include "honryu/async/task_group.h"
#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/uri.h"
#include "honryu/obs/log.h"
#include "honryu/search/api_error.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace honryu::api::search {

namespace {

/// How often it is asked whether the peer of a search has gone.
constexpr Duration kPeerInterval = std::chrono::milliseconds(100);
/// Bodies that are worth packing, and those that are packed on the event loop (in about 0.3 ms).
constexpr std::size_t kPackedBytes = 1024, kPackedHereBytes = 16 << 10;
constexpr std::string_view kJsonType = "application/json; charset=UTF-8";

/// Kinds of requests, for metrics.
constexpr std::string_view kKinds[] = {"search", "count", "bulk", "document", "erase", "indices", "other"};

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Where the path names what is asked: first, or behind the names of indices. Dispatch looks nowhere else,
/// and neither may what decides who may ask.
std::size_t PlaceOfWhat(const Call& call) {
  // "_all" and a leading wildcard are names of indices.
  return call.Part(0).starts_with('_') && call.Part(0) != "_all" ? 0 : 1;
}

std::string_view KindOf(const Call& call) {
  const std::string_view what = call.Part(PlaceOfWhat(call));
  if (IsOneOf(what, {"_search", "_msearch", "_field_caps"})) return "search";
  if (what == "_count") return "count";
  if (what == "_bulk") return "bulk";
  if (IsOneOf(what, {"_doc", "_create", "_source", "_mget", "_update"})) return "document";
  if (what == "_delete_by_query") return "erase";
  if (IsOneOf(what, {"_mapping", "_mappings", "_cat", "_stats", "_settings", "_refresh"})) return "indices";
  return "other";
}

/// What a key must be for.
std::string_view ScopeOf(const Call& call) {
  const std::string_view what = call.Part(PlaceOfWhat(call));
  if (what == "_delete_by_query") return "admin";
  if (call.method == "GET" || call.method == "HEAD") return "read";
  if (IsOneOf(what,
              {"_search", "_msearch", "_count", "_field_caps", "_mget", "_analyze", "_pit", "_validate"}))
    return "read";
  if (what == "_aliases") {
    const auto body = ParseObject(call.request.body.view());
    if (body.ok() && RemovesIndex(*body)) return "admin";
  }
  const bool writes = IsOneOf(what, {"_bulk", "_doc", "_create", "_update"});
  if (call.method == "DELETE" && !writes) return "admin";
  return "write";
}

Answer WrongMethod(const Call& call, std::string_view allowed) {
  std::string body;
  codec::JsonWriter out(body);
  out.BeginObject();
  out.Key("error");
  out.String("Incorrect HTTP method for uri [" + call.request.target + "] and method [" + call.method +
             "], allowed: [" + std::string(allowed) + "]");
  out.Key("status");
  out.Int(405);
  out.EndObject();
  return Answer::Json(std::move(body), 405);
}

Answer NoHandler(const Call& call) {
  return Answer::Failed(
      400, "illegal_argument_exception",
      "no handler found for uri [" + call.request.target + "] and method [" + call.method + "]");
}

/// The path's parts, each percent-decoded by itself: an id may hold an escaped slash.
Result<std::vector<std::string>> PartsOf(std::string_view target) {
  const auto query = target.find('?');
  std::string_view path = target.substr(0, query);
  std::vector<std::string> parts;
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const auto end = path.find('/');
    HONRYU_TRY(auto part, codec::PercentDecode(path.substr(0, end), false));
    parts.push_back(std::move(part));
    path.remove_prefix(end == std::string_view::npos ? path.size() : end);
  }
  return parts;
}

/// The secret of "Basic" (any user's password) and of Elasticsearch's "ApiKey" (base64 of "id:key"); empty
/// when the header is of another kind.
std::string DecodedKey(std::string_view header) {
  for (const std::string_view scheme : {"Basic ", "ApiKey "}) {
    if (!header.starts_with(scheme)) continue;
    const auto decoded = codec::Base64Decode(header.substr(scheme.size()));
    if (!decoded.ok()) return {};
    const auto colon = decoded->find(':');
    return colon == std::string::npos ? *decoded : decoded->substr(colon + 1);
  }
  return {};
}

/// Whether Accept-Encoding names gzip, or everything, and not with a weight of zero (RFC 9110, 12.5.3).
bool TakesGzip(std::string_view accept) {
  bool any = false;
  while (!accept.empty()) {
    const auto end = std::min(accept.find(','), accept.size());
    std::string_view coding = accept.substr(0, end);
    accept.remove_prefix(std::min(end + 1, accept.size()));
    const auto parameters = coding.find(';');
    const std::string_view weight = parameters == std::string_view::npos ? "" : coding.substr(parameters);
    coding = coding.substr(0, parameters);
    coding.remove_prefix(std::min(coding.find_first_not_of(" \t"), coding.size()));
    coding = coding.substr(0, coding.find_last_not_of(" \t") + 1);
    const auto q = weight.find("q=");
    const bool none = q != std::string_view::npos &&
                      weight.substr(q + 2).find_first_of("123456789") == std::string_view::npos;
    if (coding == "gzip" || coding == "x-gzip") return !none;
    if (coding == "*" && !none) any = true;
  }
  return any;
}

/// What the parts of the API take, for those that would otherwise do something else than was asked. The
/// first row that fits counts.
struct Methods {
  std::string_view name;  ///< The part with an underscore.
  std::string_view next;  ///< The part behind it; "": any.
  std::string_view allowed;
};
constexpr Methods kMethods[] = {{"_search", "scroll", "GET, POST, DELETE"},
                                {"_search", "point_in_time", "GET, POST, DELETE"},
                                {"_search", "", "GET, POST"},
                                {"_msearch", "", "GET, POST"},
                                {"_count", "", "GET, POST"},
                                {"_mget", "", "GET, POST"},
                                {"_validate", "", "GET, POST"},
                                {"_field_caps", "", "GET, POST"},
                                {"_analyze", "", "GET, POST"},
                                {"_bulk", "", "POST, PUT"},
                                {"_refresh", "", "GET, POST"},
                                {"_flush", "", "GET, POST"},
                                {"_forcemerge", "", "POST"},
                                {"_rollover", "", "POST"},
                                {"_pit", "", "POST, DELETE"},
                                {"_stats", "", "GET"},
                                {"_create", "", "PUT, POST"},
                                {"_doc", "", "GET, HEAD, PUT, POST, DELETE"},
                                {"_license", "", "GET"},
                                {"_nodes", "", "GET"},
                                {"_resolve", "", "GET"},
                                {"_data_stream", "", "GET, HEAD, PUT, DELETE"},
                                {"_settings", "", "GET, PUT"},
                                {"_mapping", "field", "GET"},
                                {"_mapping", "", "GET, HEAD, PUT, POST"},
                                {"_mappings", "", "GET, HEAD, PUT, POST"},
                                {"_aliases", "", "GET, HEAD, PUT, POST, DELETE"},
                                {"_alias", "", "GET, HEAD, PUT, POST, DELETE"},
                                {"_index_template", "", "GET, HEAD, PUT, POST, DELETE"},
                                {"_component_template", "", "GET, HEAD, PUT, POST, DELETE"},
                                {"_template", "", "GET, HEAD, PUT, POST, DELETE"}};

/// The methods that the request's path takes when its own is none of them; empty when it is.
std::string_view OtherMethods(const Call& call) {
  const std::size_t at = PlaceOfWhat(call);
  // Without the names of indices these only tell.
  if (at == 0 && IsOneOf(call.Part(0), {"_alias", "_mapping", "_mappings", "_settings"}))
    return call.method == "GET" || call.method == "HEAD" ? "" : "GET, HEAD";
  for (const auto& [name, next, allowed] : kMethods) {
    if (call.Part(at) != name || (!next.empty() && call.Part(at + 1) != next)) continue;
    for (std::string_view rest = allowed;;) {
      const auto end = std::min(rest.find(", "), rest.size());
      if (rest.substr(0, end) == call.method) return {};
      if (end == rest.size()) return allowed;
      rest.remove_prefix(end + 2);
    }
  }
  return {};
}

}  // namespace

Result<void> SearchConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, "search: " + std::move(message));
  };
  if (search_threads < 1) return wrong("search_threads must be 1 or more");
  if (max_searches < 1 || max_contexts < 1) return wrong("max_searches and max_contexts must be 1 or more");
  if (search_timeout <= Duration::zero() || put_timeout <= Duration::zero() ||
      visible_timeout <= Duration::zero() || max_keep_alive <= Duration::zero())
    return wrong("timeouts must be above zero");
  for (const std::string& pattern : cors_origins) HONRYU_TRY_VOID(http::OriginList::CheckPattern(pattern));
  return keys::CheckApiKeys(api_keys);
}

Answer Answer::Failed(const Error& error, std::string_view index) {
  const engine::ApiError api = engine::ToApiError(error);
  return Json(engine::ErrorBody(api, index), api.status);
}

Answer Answer::Failed(int status, std::string_view type, std::string_view reason, std::string_view index) {
  engine::ApiError api;
  api.status = status;
  api.type = type;
  api.reason = reason;
  return Json(engine::ErrorBody(api, index), status);
}

Answer Acknowledged() { return Answer::Json(R"({"acknowledged":true})"); }

SearchApi::Impl::Impl(SearchConfig config_in, engine::Store& search_store,
                      client::StreamClient& stream_client, AwaitVisible await, async::Runtime& runtime,
                      const Clock& source, obs::Registry& registry)
    : config(std::move(config_in)),
      store(search_store),
      client(stream_client),
      await_visible(std::move(await)),
      clock(source),
      api_keys(config.api_keys, source),
      origins(config.cors_origins),
      cluster_uuid("honryu-" + config.cluster_name),
      settings(store),
      contexts(config.max_contexts, source),
      documents(registry.MakeCounter("honryu_search_documents_total", "Documents acknowledged")),
      rejected(registry.MakeCounter("honryu_search_rejected_documents_total", "Documents refused")),
      running(registry.MakeGauge("honryu_search_running", "Searches running or waiting")),
      id_counter(static_cast<std::uint64_t>(ToMs(source.Now())) << 20),
      searches(runtime, config.search_threads, config.max_searches),
      upkeep(runtime, "search indices") {
  for (const std::string_view kind : kKinds) {
    requests.emplace(kind, registry.MakeCounter("honryu_search_requests_total", "Requests by kind",
                                                {{"kind", std::string(kind)}}));
    seconds.emplace(kind, registry.MakeHistogram("honryu_search_request_seconds", "Time to answer, by kind",
                                                 obs::LatencyBuckets(), {{"kind", std::string(kind)}}));
  }
  store.SetNewIndex([this](std::string_view index) {
    {
      const std::lock_guard lock(fresh_mutex);
      fresh.emplace_back(index);
    }
    has_fresh = true;
    return honryu::search::NewIndex{settings.MappingFor(index), settings.RetentionOf(index)};
  });
  ApplyRetention();
}

void SearchApi::Impl::Settle() {
  std::vector<std::string> names;
  {
    const std::lock_guard lock(fresh_mutex);
    names.swap(fresh);
    has_fresh = false;
  }
  for (const std::string& name : names) settings.AddTemplateAliases(name);
  ApplyRetention();
}

void SearchApi::Impl::ApplyRetention() {
  for (const std::string& name : NamesOrNone("*")) store.SetRetention(name, settings.RetentionOf(name));
}

std::optional<http::Response> SearchApi::Impl::TurnAway(const Call& call) const {
  using Verdict = keys::ApiKeys::Verdict;
  const std::string_view origin = call.request.headers.Get("Origin");
  if (!origin.empty() && !origins.Allows(origin)) {
    Answer answer = Answer::Failed(403, "security_exception", "this origin may not call");
    return Finish(call, std::move(answer));
  }
  const std::string_view scope = ScopeOf(call);
  const std::string decoded = DecodedKey(call.request.headers.Get("Authorization"));
  const auto identify = [&](std::string_view wanted) {
    return decoded.empty() ? api_keys.Identify(call.request, wanted).verdict
                           : api_keys.Identify(std::string_view(decoded), wanted).verdict;
  };
  Verdict verdict = identify(scope);
  // Writers ask who we are before they write, and whether their index and template are there.
  const bool harmless =
      scope == "read" && (call.parts.empty() || call.method == "HEAD" ||
                          IsOneOf(call.Part(0), {"_license", "_cluster", "_nodes", "_xpack"}) ||
                          IsOneOf(call.Part(0), {"_index_template", "_component_template", "_template"}));
  if (verdict == Verdict::kForbidden && harmless) verdict = identify("write");
  if (verdict == Verdict::kAllowed) return std::nullopt;
  if (verdict == Verdict::kForbidden)
    return Finish(call, Answer::Failed(403, "security_exception",
                                       "the API key lacks the scope \"" + std::string(scope) + "\""));
  http::Response response = Finish(
      call,
      Answer::Failed(401, "security_exception",
                     verdict == Verdict::kMissing
                         ? "missing authentication credentials for REST request [" + call.request.path + "]"
                         : "unknown API key"));
  response.headers.Add("WWW-Authenticate", "Basic realm=\"security\" charset=\"UTF-8\"");
  response.headers.Add("WWW-Authenticate", "Bearer realm=\"security\"");
  response.headers.Add("WWW-Authenticate", "ApiKey");
  return response;
}

http::Response SearchApi::Impl::Finish(const Call& call, Answer answer) const {
  http::Response response;
  response.status = answer.status;
  std::string type(answer.text ? "text/plain; charset=UTF-8" : kJsonType);
  if (!answer.text) {
    // Clients of the newer kind ask for a type of their own and read no other.
    const std::string_view accept = call.request.headers.Get("Accept");
    for (const std::string_view vendor :
         {"application/vnd.elasticsearch+json", "application/vnd.opensearch+json"})
      if (accept.find(vendor) != std::string_view::npos) {
        const auto version = accept.find("compatible-with=");
        type = vendor;
        if (version != std::string_view::npos) type += ";" + std::string(accept.substr(version, 17));
      }
    if (const std::string* patterns = call.request.Query("filter_path");
        patterns != nullptr && !patterns->empty() && answer.status < 400)
      answer.body = FilterPath(answer.body, *patterns);
  }
  if (!answer.text && call.Flag("pretty") && !answer.body.empty()) answer.body = PrettyJson(answer.body);
  response.headers.Set("Content-Type", type);
  response.headers.Set("X-Elastic-Product", "Elasticsearch");
  const std::string_view origin = call.request.headers.Get("Origin");
  if (!origin.empty() && origins.Allows(origin)) {
    response.headers.Set("Access-Control-Allow-Origin", std::string(origin));
    response.headers.Add("Vary", "Origin");
  }
  response.body = Bytes(std::move(answer.body));
  return response;
}

async::Task<Answer> SearchApi::Impl::Dispatch(const Call& call) {
  if (has_fresh.exchange(false)) {
    Result<void> settled = co_await upkeep.RunInTurn([this]() -> Result<void> {
      Settle();
      return Ok();
    });
    if (!settled.ok()) has_fresh = true;
  }
  if (call.parts.empty()) {
    if (call.method != "GET" && call.method != "HEAD") co_return WrongMethod(call, "GET, HEAD");
    co_return Root(call);
  }
  if (const auto allowed = OtherMethods(call); !allowed.empty()) co_return WrongMethod(call, allowed);
  if (PlaceOfWhat(call) == 0) {
    Answer answer = co_await DispatchGlobal(call);
    co_return answer;
  }
  Answer answer = co_await DispatchIndex(call);
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::DispatchGlobal(const Call& call) {
  const std::string_view what = call.Part(0), next = call.Part(1);
  const bool get = call.method == "GET" || call.method == "HEAD";
  if (what == "_cluster" && next == "health") co_return ClusterHealth(call);
  if (what == "_cluster" && next == "settings") co_return ClusterSettings(call);
  if (what == "_cluster" && next == "state") co_return ClusterState();
  if (what == "_cat" && next == "count" && get) {
    Answer counted = co_await CatCount(call);
    co_return counted;
  }
  if (what == "_cat") co_return get ? Cat(call) : WrongMethod(call, "GET");
  if (what == "_nodes") co_return Nodes(call);
  if (what == "_license") co_return License();
  if (what == "_xpack") co_return Xpack();
  if (what == "_analyze") co_return Analyze(call);
  Task task = [&]() -> Task {
    if (what == "_stats" || (what == "_cluster" && next == "stats")) return Stats(call);
    if (what == "_bulk") return Bulk(call);
    if (what == "_search" && next == "scroll")
      return call.method == "DELETE" ? ClearScroll(call) : Scroll(call);
    if ((what == "_search" && next == "point_in_time") || what == "_pit")
      return get ? ListPits() : ClosePit(call);
    if (what == "_search" && next.empty()) return Search(call);
    if (what == "_msearch" && next.empty()) return MultiSearch(call);
    if (what == "_count") return Count(call);
    if (what == "_mget") return MultiGet(call);
    if (what == "_validate") return ValidateQuery(call);
    if (what == "_refresh" || what == "_flush" || what == "_forcemerge") return Refresh(call);
    if (what == "_mapping" || what == "_mappings")
      return next == "field" ? GetFieldMapping(call) : GetMapping(call);
    if (what == "_field_caps") return FieldCaps(call);
    if (what == "_settings") return GetSettings(call);
    if (what == "_aliases") return get ? GetAlias(call) : Aliases(call);
    if (what == "_alias") return GetAlias(call);
    if (what == "_index_template") return Template(call, "index_template", "index_templates");
    if (what == "_component_template") return Template(call, "component_template", "component_templates");
    if (what == "_template") return Template(call, "template", "");
    if (what == "_ilm" || what == "_plugins" || what == "_opendistro") return Policy(call);
    if (what == "_resolve") return Resolve(call);
    if (what == "_data_stream") return DataStream(call);
    return [](Answer none) -> Task {
      co_return none;
    }(what == "_ingest" && get && call.parts.size() == 2 ? Answer::Json("{}")
                           : what == "_ingest"
                               ? Answer::Failed(404, "resource_not_found_exception", "there are no pipelines")
                           : what == "_tasks" ? Answer::Json(R"({"nodes":{}})")
                                              : NoHandler(call));
  }();
  Answer answer = co_await std::move(task);
  co_return answer;
}

async::Task<Answer> SearchApi::Impl::DispatchIndex(const Call& call) {
  const std::string_view what = call.Part(1), next = call.Part(2);
  const std::string& method = call.method;
  const bool get = method == "GET" || method == "HEAD";
  if (what == "_analyze") co_return Analyze(call);
  Task task = [&]() -> Task {
    const auto refuse = [](Answer answer) -> Task { co_return answer; };
    if (what.empty()) {
      if (get) return GetIndex(call);
      if (method == "PUT") return CreateIndex(call);
      if (method == "DELETE") return DropIndex(call);
      return refuse(WrongMethod(call, "GET, HEAD, PUT, DELETE"));
    }
    if (what == "_bulk") return Bulk(call);
    if (what == "_stats") return Stats(call);
    if (what == "_search" && next == "point_in_time") return OpenPit(call);
    if (what == "_pit") return OpenPit(call);
    if (what == "_search" && next.empty()) return Search(call);
    if (what == "_msearch" && next.empty()) return MultiSearch(call);
    if (what == "_count") return Count(call);
    if (what == "_mget") return MultiGet(call);
    if (what == "_validate") return ValidateQuery(call);
    if (what == "_rollover") return Rollover(call);
    if (what == "_delete_by_query")
      return method == "POST" ? DeleteByQuery(call) : refuse(WrongMethod(call, "POST"));
    if (what == "_refresh" || what == "_flush" || what == "_forcemerge") return Refresh(call);
    if (what == "_mapping" || what == "_mappings") {
      if (next == "field") return GetFieldMapping(call);
      return get ? GetMapping(call) : PutMapping(call);
    }
    if (what == "_field_caps") return FieldCaps(call);
    if (what == "_settings") return get ? GetSettings(call) : PutSettings(call);
    if (what == "_alias" || what == "_aliases") return get ? GetAlias(call) : ChangeAlias(call);
    if (what == "_doc" || what == "_create") {
      if (get) return GetDocument(call);
      if (method == "DELETE") return DeleteDocument(call);
      return WriteDocument(call);
    }
    if (what == "_source") return get ? GetDocument(call) : refuse(WrongMethod(call, "GET, HEAD"));
    if (what == "_update") return method == "POST" ? UpdateDocument(call) : refuse(WrongMethod(call, "POST"));
    if (what == "_update_by_query" || what == "_reindex")
      return refuse(
          Answer::Failed(400, "illegal_argument_exception",
                         "[" + std::string(what) + "] is not supported: update documents by their _id"));
    return refuse(NoHandler(call));
  }();
  Answer answer = co_await std::move(task);
  co_return answer;
}

Result<std::vector<std::string>> SearchApi::Impl::Names(std::string_view indices, Missing missing) const {
  return NamesAmong(settings.Resolve(indices), missing);
}

Result<std::vector<std::string>> SearchApi::Impl::NamesAmong(std::string_view resolved,
                                                             Missing missing) const {
  engine::SearchOptions options;
  options.ignore_unavailable = missing.ignore;
  options.allow_no_indices = missing.allow_none;
  return store.IndexNames(resolved, options);
}

std::vector<std::string> SearchApi::Impl::NamesOrNone(std::string_view indices) const {
  auto names = Names(indices, kIgnoreMissing);
  return names.ok() ? std::move(*names) : std::vector<std::string>();
}

SearchApi::SearchApi(SearchConfig config, engine::Store& store, client::StreamClient& client,
                     AwaitVisible await_visible, async::Runtime& runtime, const Clock& clock,
                     obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), store, client, std::move(await_visible), runtime, clock,
                                   metrics)) {}

SearchApi::~SearchApi() { impl_->store.SetNewIndex(nullptr); }

namespace {

async::Task<void> WatchPeer(const http::Request* request, std::shared_ptr<PeerWatch> peer) {
  for (;;) {
    Result<void> slept = co_await async::SleepFor(kPeerInterval);
    if (!slept.ok()) co_return;
    if (!request->peer_gone()) continue;
    peer->gone = true;
    if (peer->running != nullptr) peer->running->store(true);
    co_return;
  }
}

}  // namespace

async::Task<Answer> SearchApi::Impl::DispatchWatched(Call& call) {
  if (!call.request.peer_gone) {
    Answer answer = co_await Dispatch(call);
    co_return answer;
  }
  call.ctx.peer = std::make_shared<PeerWatch>();
  const async::Executor here = co_await async::CurrentExecutor();
  async::TaskGroup watch;
  watch.Spawn(here, "watch the peer", WatchPeer(&call.request, call.ctx.peer));
  Answer answer;
  std::exception_ptr thrown;
  try {
    answer = co_await Dispatch(call);
  } catch (...) {
    thrown = std::current_exception();  // for the server, once nothing uses the request any more
  }
  watch.Cancel();
  while (watch.running() > 0) {
    Result<void> joined = co_await watch.Join();
    if (!joined.ok()) co_await async::ClearCancellation();  // we are being cancelled ourselves
  }
  if (thrown) std::rethrow_exception(thrown);
  co_return answer;
}

async::Task<http::Response> SearchApi::Impl::Pack(const Call& call, http::Response response) {
  const std::string_view accept = call.request.headers.Get("Accept-Encoding");
  if (response.body.size() < kPackedBytes || !TakesGzip(accept)) co_return response;
  const auto pack = [body = response.body]() -> Result<Bytes> {
    HONRYU_TRY(auto packed, codec::Compress(codec::Compression::kGzip, body.view(), 1));
    return Bytes(std::move(packed));
  };
  Result<Bytes> packed = Error();
  if (response.body.size() < kPackedHereBytes)
    packed = pack();
  else
    packed = co_await upkeep.Run(pack);
  if (!packed.ok()) co_return response;
  response.body = std::move(*packed);
  response.headers.Set("Content-Encoding", "gzip");
  response.headers.Add("Vary", "Accept-Encoding");
  co_return response;
}

async::Task<http::Response> SearchApi::Handle(async::Context ctx, const http::Request& request) {
  Call call{request, std::move(ctx), request.method, {}};
  Result<std::vector<std::string>> parts = PartsOf(request.target);
  if (!parts.ok()) {
    Answer answer = Answer::Failed(400, "illegal_argument_exception", parts.error().message());
    co_return impl_->Finish(call, std::move(answer));
  }
  call.parts = std::move(*parts);
  if (call.Part(0).find('<') != std::string_view::npos) {
    Result<std::string> names = engine::ExpandIndexDates(call.Part(0), ToMs(impl_->clock.Now()));
    if (!names.ok()) co_return impl_->Finish(call, Answer::Failed(names.error()));
    // No name at all would stand for every index.
    if (names->empty())
      co_return impl_->Finish(call,
                              Answer::Failed(400, "illegal_argument_exception", "the index's name is empty"));
    call.parts[0] = std::move(*names);
  }
  if (call.method == "OPTIONS") {
    Answer nothing;
    http::Response response = impl_->Finish(call, std::move(nothing));
    response.headers.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    response.headers.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key");
    co_return response;
  }
  if (std::optional<http::Response> refusal = impl_->TurnAway(call); refusal.has_value()) co_return *refusal;
  const MonoTime begin = std::chrono::steady_clock::now();
  const std::string_view kind = KindOf(call);
  Answer answer;
  if (kind == "search" || kind == "count")
    answer = co_await impl_->DispatchWatched(call);
  else
    answer = co_await impl_->Dispatch(call);
  impl_->requests.find(kind)->second.Add();
  impl_->seconds.find(kind)->second.Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  if (answer.status >= 500)
    LOG_LIMITED(warn, "search request failed", {"method", call.method}, {"path", request.path},
                {"status", answer.status}, {"request", request.request_id});
  http::Response response = impl_->Finish(call, std::move(answer));
  if (call.method == "HEAD") co_return response;
  http::Response packed = co_await impl_->Pack(call, std::move(response));
  co_return packed;
}

}  // namespace honryu::api::search
