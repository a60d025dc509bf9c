#include "honryu/api/query/query_api.h"

#include "api/query/live_feed.h"
#include "api/query/parameters.h"

#include <algorithm>
#include <utility>

namespace honryu::api::query {

namespace {

http::Response ErrorAnswer(int status, std::string_view message) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("error");
  json.String(message);
  json.EndObject();
  return http::Response::JsonText(status, std::move(text));
}

http::Response StoreFailed(const Error& error) {
  const int status = error.retryable() ? 503 : 500;
  return ErrorAnswer(status, "the key figures cannot be read: " + std::string(ErrorCodeName(error.code())));
}

bool IsLoopback(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view host = origin.substr(scheme + 3);
  for (const std::string_view name : {"localhost", "127.0.0.1", "[::1]"}) {
    if (host.starts_with(name) && (host.size() == name.size() || host[name.size()] == ':')) return true;
  }
  return false;
}

std::string SseEvent(const std::vector<views::KpiRow>& rows, bool snapshot) {
  std::string text = "event: kpi\ndata: ";
  codec::JsonWriter json(text);
  json.BeginObject();
  if (snapshot) {
    json.Key("snapshot");
    json.Bool(true);
  }
  json.Key("rows");
  json.BeginArray();
  for (const views::KpiRow& row : rows) WriteRow(row, true, json);
  json.EndArray();
  json.EndObject();
  text += "\n\n";
  return text;
}

}  // namespace

struct QueryApi::Impl {
  Impl(QueryConfig settings, views::KpiStore& kpi_store, async::Runtime& threads, const Clock& source,
       obs::Registry& registry)
      : config(std::move(settings)),
        store(kpi_store),
        runtime(threads),
        clock(source),
        api_keys(config.api_keys, source),
        rows_sent(registry.MakeCounter("honryu_query_rows_total", "Rows answered")),
        overflows(registry.MakeCounter("honryu_query_live_overflows_total",
                                       "Live connections that got a snapshot because they were too slow")),
        live(registry.MakeGauge("honryu_query_live_connections", "Open live connections")) {
    for (const char* outcome : {"ok", "refused", "failed"})
      requests.emplace(outcome, registry.MakeCounter("honryu_query_requests_total", "Queries by outcome",
                                                     {{"outcome", outcome}}));
  }

  using Method = async::Task<http::Response> (Impl::*)(async::Context, const http::Request&);
  /// What `method` answers, to those who may read.
  async::Task<http::Response> Answer(Method method, async::Context ctx, const http::Request& request);
  async::Task<http::Response> Rows(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Metrics(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Live(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Preflight(async::Context ctx, const http::Request& request);
  static async::Task<void> Feed(Impl* impl, std::shared_ptr<Subscriber> subscriber, http::BodyWriter& writer);

  /// The refusal of a request whose key does not let it read; nullopt when it may.
  std::optional<http::Response> TurnAway(const http::Request& request);
  /// Counts and adds what browsers need.
  http::Response Finish(const http::Request& request, http::Response response);
  std::vector<views::KpiRow> Snapshot(const LiveFilter& filter) const;

  const QueryConfig config;
  views::KpiStore& store;
  async::Runtime& runtime;
  const Clock& clock;
  const keys::ApiKeys api_keys;
  obs::Counter rows_sent, overflows;
  obs::Gauge live;
  std::map<std::string, obs::Counter, std::less<>> requests;
  LiveFeed feed;
};

http::Response QueryApi::Impl::Finish(const http::Request& request, http::Response response) {
  const char* outcome = response.status < 400 ? "ok" : response.status < 500 ? "refused" : "failed";
  requests.find(outcome)->second.Add();
  const auto listed = [this](std::string_view name) {
    return std::find(config.cors_origins.begin(), config.cors_origins.end(), name) !=
           config.cors_origins.end();
  };
  const std::string_view origin = request.headers.Get("Origin");
  const bool any = listed("*");
  if (!any) response.headers.Add("Vary", "Origin");
  if (!origin.empty() && (any || listed(origin) || (listed("loopback") && IsLoopback(origin))))
    response.headers.Set("Access-Control-Allow-Origin", any ? "*" : std::string(origin));
  response.headers.Set("Cache-Control", "no-store");
  return response;
}

std::optional<http::Response> QueryApi::Impl::TurnAway(const http::Request& request) {
  using Verdict = keys::ApiKeys::Verdict;
  const Verdict verdict = api_keys.Identify(request, "read").verdict;
  if (verdict == Verdict::kAllowed) return std::nullopt;
  if (verdict == Verdict::kForbidden)
    return Finish(request, ErrorAnswer(403, "the API key lacks the scope \"read\""));
  http::Response response =
      ErrorAnswer(401, verdict == Verdict::kMissing ? "an API key is required" : "unknown API key");
  response.headers.Set("WWW-Authenticate", "Bearer");
  return Finish(request, std::move(response));
}

async::Task<http::Response> QueryApi::Impl::Answer(Method method, async::Context ctx,
                                                   const http::Request& request) {
  if (std::optional<http::Response> refusal = TurnAway(request); refusal.has_value()) co_return *refusal;
  http::Response response = co_await (this->*method)(std::move(ctx), request);
  co_return response;
}

async::Task<http::Response> QueryApi::Impl::Rows(async::Context /*ctx*/, const http::Request& request) {
  views::KpiStore* const from = &store;
  const std::vector<views::KpiMetric> known = store.Names();
  const Result<views::KpiQuery> query = ReadKpiQuery(request, config, known, clock.Now());
  if (!query.ok()) co_return Finish(request, ErrorAnswer(400, query.error().message()));
  Result<std::vector<views::KpiRow>> rows =
      co_await runtime.Blocking([from, asked = *query] { return from->Find(asked); });
  if (!rows.ok() && rows.error().code() == ErrorCode::kTooLarge) {
    co_return Finish(request, ErrorAnswer(400, "limit: more than " + std::to_string(query->limit) +
                                                   " rows; ask for less time or fewer groups, or "
                                                   "raise limit (at most " +
                                                   std::to_string(config.max_limit) + ")"));
  }
  if (!rows.ok()) co_return Finish(request, StoreFailed(rows.error()));
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("metric");
  json.String(query->metric);
  json.Key("window");
  json.String(query->window);
  json.Key("from");
  json.PlainString(FormatTimestamp(query->from));
  json.Key("to");
  json.PlainString(FormatTimestamp(query->to));
  json.Key("rows");
  json.BeginArray();
  for (const views::KpiRow& row : *rows) WriteRow(row, false, json);
  json.EndArray();
  json.EndObject();
  rows_sent.Add(static_cast<double>(rows->size()));
  co_return Finish(request, http::Response::JsonText(200, std::move(text)));
}

async::Task<http::Response> QueryApi::Impl::Metrics(async::Context /*ctx*/, const http::Request& request) {
  views::KpiStore* const from = &store;
  Result<std::vector<views::KpiMetric>> known = co_await runtime.Blocking([from] { return from->Metrics(); });
  if (!known.ok()) co_return Finish(request, StoreFailed(known.error()));
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("metrics");
  json.BeginArray();
  for (const views::KpiMetric& metric : *known) {
    json.BeginObject();
    json.Key("metric");
    json.String(metric.metric);
    json.Key("windows");
    json.BeginArray();
    for (const std::string& window : metric.windows) json.String(window);
    json.EndArray();
    json.Key("groups");
    json.BeginArray();
    for (const std::string& group : metric.groups) json.String(group);
    json.EndArray();
    if (metric.groups_cut) {
      json.Key("groups_cut");
      json.Bool(true);
    }
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  co_return Finish(request, http::Response::JsonText(200, std::move(text)));
}

std::vector<views::KpiRow> QueryApi::Impl::Snapshot(const LiveFilter& filter) const {
  std::vector<views::KpiRow> rows = store.Open();
  std::erase_if(rows, [&filter](const views::KpiRow& row) { return !filter.Takes(row); });
  return rows;
}

async::Task<http::Response> QueryApi::Impl::Live(async::Context /*ctx*/, const http::Request& request) {
  const std::vector<views::KpiMetric> known = store.Names();
  Result<LiveFilter> filter = ReadLiveFilter(request, config, known);
  if (!filter.ok()) co_return Finish(request, ErrorAnswer(400, filter.error().message()));
  std::shared_ptr<Subscriber> subscriber =
      feed.Subscribe(std::move(*filter), config.max_live, config.max_live_rows);
  if (subscriber == nullptr) {
    http::Response full = ErrorAnswer(503, "too many live connections: " + std::to_string(config.max_live));
    full.headers.Set("Retry-After", "5");
    co_return Finish(request, std::move(full));
  }
  live.Set(static_cast<double>(feed.size()));
  http::Response response;
  response.headers.Set("Content-Type", "text/event-stream");
  response.headers.Set("X-Accel-Buffering", "no");  // or nginx holds events back
  response.stream = [self = this, subscriber](http::BodyWriter& writer) {
    return Feed(self, subscriber, writer);
  };
  co_return Finish(request, std::move(response));
}

async::Task<void> QueryApi::Impl::Feed(Impl* impl, std::shared_ptr<Subscriber> subscriber,
                                       http::BodyWriter& writer) {
  bool snapshot = true;
  Duration silent = Duration::zero();
  for (;;) {
    Subscriber::Waiting waiting = subscriber->Take();
    if (waiting.overflowed) {
      impl->overflows.Add();
      snapshot = true;
    }
    std::string text;
    if (snapshot) {
      text = SseEvent(impl->Snapshot(subscriber->filter()), true);
    } else if (!waiting.rows.empty()) {
      text = SseEvent(waiting.rows, false);
    } else if (silent >= impl->config.live_heartbeat) {
      text = ": still here\n\n";
    }
    snapshot = false;
    if (text.empty()) {
      silent += impl->config.live_interval;
    } else {
      silent = Duration::zero();
      Result<void> written = co_await writer.Write(Bytes(std::move(text)));
      if (!written.ok()) break;
    }
    Result<void> slept = co_await async::SleepFor(impl->config.live_interval);
    if (!slept.ok()) break;
  }
  subscriber.reset();
  impl->live.Set(static_cast<double>(impl->feed.size()));
}

async::Task<http::Response> QueryApi::Impl::Preflight(async::Context /*ctx*/, const http::Request& request) {
  http::Response response;
  response.status = 204;
  response.headers.Set("Access-Control-Allow-Methods", "GET, OPTIONS");
  response.headers.Set("Access-Control-Allow-Headers", "Authorization, X-Api-Key");
  response.headers.Set("Access-Control-Max-Age", "600");
  co_return Finish(request, std::move(response));
}

Result<void> QueryConfig::Validate() const {
  const auto wrong = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, "query: " + std::move(message));
  };
  if (default_limit < 1 || max_limit < default_limit)
    return wrong("max_limit must not be below default_limit, both 1 or more");
  if (live_interval <= Duration::zero() || live_heartbeat < live_interval)
    return wrong("live_interval must be above zero, live_heartbeat not below it");
  if (max_live_rows < 1) return wrong("max_live_rows must be 1 or more");
  HONRYU_TRY_VOID(keys::CheckApiKeys(api_keys));
  return Ok();
}

QueryApi::QueryApi(QueryConfig config, views::KpiStore& store, async::Runtime& runtime, const Clock& clock,
                   obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), store, runtime, clock, metrics)) {
  store.SetListener(
      [impl = impl_.get()](const std::vector<views::KpiRow>& rows) { impl->feed.Publish(rows); });
}

QueryApi::~QueryApi() { impl_->store.SetListener(nullptr); }

void QueryApi::Register(http::Router& router) {
  const std::pair<const char*, Impl::Method> routes[] = {
      {"/v1/kpi", &Impl::Rows}, {"/v1/kpi/metrics", &Impl::Metrics}, {"/v1/kpi/live", &Impl::Live}};
  for (const auto& [path, method] : routes) {
    router.Add("GET", path,
               [impl = impl_.get(), call = method](async::Context ctx, const http::Request& request) {
                 return impl->Answer(call, std::move(ctx), request);
               });
    router.Add("OPTIONS", path, [impl = impl_.get()](async::Context ctx, const http::Request& request) {
      return impl->Preflight(std::move(ctx), request);
    });
  }
}

}  // namespace honryu::api::query
