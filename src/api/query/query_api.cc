#include "honryu/api/query/query_api.h"

#include "api/query/live_feed.h"
#include "api/query/parameters.h"
#include "honryu/api/keys/front.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <utility>

namespace honryu::api::query {

namespace {

using keys::ErrorAnswer;

http::Response StoreFailed(const Error& error) {
  const int status = error.retryable() ? 503 : 500;
  return ErrorAnswer(status, "the key figures cannot be read: " + std::string(ErrorCodeName(error.code())));
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
        front(FrontOf(config), source, registry),
        rows_sent(registry.MakeCounter("honryu_query_rows_total", "Rows answered")),
        overflows(registry.MakeCounter("honryu_query_live_overflows_total",
                                       "Live connections that got a snapshot because they were too slow")),
        live(registry.MakeGauge("honryu_query_live_connections", "Open live connections")) {}
  static keys::FrontConfig FrontOf(const QueryConfig& config) {
    keys::FrontConfig front;
    front.api_keys = config.api_keys;
    front.origins = config.cors_origins;
    front.refuse_others = false;  // nothing is changed here, and browsers keep the answers from other pages
    front.counter = "honryu_query_requests_total";
    front.help = "Queries by outcome";
    return front;
  }

  using Method = async::Task<http::Response> (Impl::*)(async::Context, const http::Request&);
  async::Task<http::Response> Rows(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Metrics(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Live(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Preflight(async::Context ctx, const http::Request& request);
  static async::Task<void> Feed(Impl* impl, std::shared_ptr<Subscriber> subscriber, http::BodyWriter& writer);

  std::vector<views::KpiRow> Snapshot(const LiveFilter& filter) const;

  const QueryConfig config;
  views::KpiStore& store;
  async::Runtime& runtime;
  const Clock& clock;
  keys::Front front;
  obs::Counter rows_sent, overflows;
  obs::Gauge live;
  LiveFeed feed;
};

async::Task<http::Response> QueryApi::Impl::Rows(async::Context /*ctx*/, const http::Request& request) {
  views::KpiStore* const from = &store;
  const std::vector<views::KpiMetric> known = store.Names();
  const Result<views::KpiQuery> query = ReadKpiQuery(request, config, known, clock.Now());
  if (!query.ok()) co_return ErrorAnswer(400, query.error().message());
  Result<std::vector<views::KpiRow>> rows =
      co_await runtime.Blocking([from, asked = *query] { return from->Find(asked); });
  if (!rows.ok() && rows.error().code() == ErrorCode::kTooLarge) {
    co_return ErrorAnswer(400, "limit: more than " + std::to_string(query->limit) +
                                   " rows; ask for less time or fewer groups, or "
                                   "raise limit (at most " +
                                   std::to_string(config.max_limit) + ")");
  }
  if (!rows.ok()) co_return StoreFailed(rows.error());
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
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<http::Response> QueryApi::Impl::Metrics(async::Context /*ctx*/, const http::Request& request) {
  views::KpiStore* const from = &store;
  Result<std::vector<views::KpiMetric>> known = co_await runtime.Blocking([from] { return from->Metrics(); });
  if (!known.ok()) co_return StoreFailed(known.error());
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
  co_return http::Response::JsonText(200, std::move(text));
}

std::vector<views::KpiRow> QueryApi::Impl::Snapshot(const LiveFilter& filter) const {
  std::vector<views::KpiRow> rows = store.Open();
  std::erase_if(rows, [&filter](const views::KpiRow& row) { return !filter.Takes(row); });
  return rows;
}

async::Task<http::Response> QueryApi::Impl::Live(async::Context /*ctx*/, const http::Request& request) {
  const std::vector<views::KpiMetric> known = store.Names();
  Result<LiveFilter> filter = ReadLiveFilter(request, config, known);
  if (!filter.ok()) co_return ErrorAnswer(400, filter.error().message());
  std::shared_ptr<Subscriber> subscriber =
      feed.Subscribe(std::move(*filter), config.max_live, config.max_live_rows);
  if (subscriber == nullptr) {
    http::Response full = ErrorAnswer(503, "too many live connections: " + std::to_string(config.max_live));
    full.headers.Set("Retry-After", "5");
    co_return full;
  }
  live.Set(static_cast<double>(feed.size()));
  http::Response response;
  response.headers.Set("Content-Type", "text/event-stream");
  response.headers.Set("X-Accel-Buffering", "no");  // or nginx holds events back
  response.stream = [self = this, subscriber](http::BodyWriter& writer) {
    return Feed(self, subscriber, writer);
  };
  co_return response;
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
  co_return response;
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
  const auto add = [this, &router](const char* verb, const char* path, Impl::Method method,
                                   std::string_view scope) {
    impl_->front.Add(router, verb, path, scope,
                     [impl = impl_.get(), method](async::Context ctx, const http::Request& request) {
                       return (impl->*method)(std::move(ctx), request);
                     });
  };
  const std::pair<const char*, Impl::Method> routes[] = {
      {"/v1/kpi", &Impl::Rows}, {"/v1/kpi/metrics", &Impl::Metrics}, {"/v1/kpi/live", &Impl::Live}};
  for (const auto& [path, method] : routes) {
    add("GET", path, method, "read");
    add("OPTIONS", path, &Impl::Preflight, keys::Front::kOpen);
  }
}

}  // namespace honryu::api::query
