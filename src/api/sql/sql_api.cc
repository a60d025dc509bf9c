#include "honryu/api/sql/sql_api.h"

#include "honryu/api/keys/front.h"
#include "honryu/codec/json.h"
#include "honryu/sqlapp/catalog.h"
#include "honryu/sqlapp/program.h"
#include "honryu/sqlapp/query.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace honryu::api::sql_api {

namespace {

constexpr std::string_view kApps = "/v1/sql/apps/";
constexpr std::size_t kMaxProgram = 1 << 20;

using keys::ErrorAnswer;

http::Response Failed(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
      return ErrorAnswer(400, error.message());
    case ErrorCode::kNotFound:
      return ErrorAnswer(404, error.message());
    case ErrorCode::kFailedPrecondition:
      return ErrorAnswer(403, error.message());
    default:
      return ErrorAnswer(error.retryable() ? 503 : 500, error.message());
  }
}

/// The program: the body, or its member "sql" when that is JSON.
Result<std::string> ProgramOf(const http::Request& request) {
  const BytesView body = request.body.view();
  if (body.size() > kMaxProgram) return Error(ErrorCode::kTooLarge, "a program has at most 1 MiB");
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == BytesView::npos)
    return Error(ErrorCode::kInvalidArgument, "the body is empty: expected a program in SQL");
  if (body[first] != '{') return std::string(body);
  const Result<codec::Json> json = codec::Json::Parse(body);
  const codec::Json* sql = json.ok() ? json->Find("sql") : nullptr;
  if (sql == nullptr || !sql->is_string())
    return Error(ErrorCode::kInvalidArgument, "expected SQL, or JSON with the member \"sql\"");
  return std::string(sql->StringOr(""));
}

std::string ValueOr(const http::Request& request, std::string_view name, std::string fallback) {
  const std::string* value = request.Query(name);
  if (value == nullptr) return fallback;
  return *value;
}

void WriteDeployment(codec::JsonWriter& json, const sqlapp::Deployment& one, const client::Lease* lease,
                     bool with_sql, Timestamp now) {
  json.BeginObject();
  json.Key("name");
  json.String(one.name);
  json.Key("running");
  json.Bool(one.running);
  json.Key("source");
  json.PlainString(one.sql.empty() ? "file" : "catalogue");
  json.Key("version");
  json.Uint(one.version);
  json.Key("from");
  json.String(one.from);
  json.Key("changed");
  json.PlainString(FormatTimestamp(TimestampFromMs(one.changed_ms)));
  if (lease != nullptr) {
    const bool living = !lease->owner.empty() && lease->expires > now;
    json.Key("owner");
    if (living) {
      json.String(lease->owner);
    } else {
      json.Null();
    }
    if (const Result<codec::Json> state = codec::Json::Parse(lease->state); state.ok()) {
      for (const char* key :
           {"rows_in", "rows_out", "error_rows", "late_rows", "state_bytes", "state_entries"}) {
        json.Key(key);
        const codec::Json* member = state->Find(key);
        json.Int(member == nullptr ? 0 : member->IntOr(0));
      }
      if (const codec::Json* saved = state->Find("saved_ms"); saved != nullptr) {
        json.Key("saved");
        json.PlainString(FormatTimestamp(TimestampFromMs(saved->IntOr(0))));
      }
      json.Key("savepoints");
      json.BeginArray();
      if (const codec::Json* savepoints = state->Find("savepoints"); savepoints != nullptr) {
        for (const codec::Json& savepoint : savepoints->array()) {
          const codec::Json* name = savepoint.Find("name");
          json.String(name == nullptr ? "" : name->StringOr(""));
        }
      }
      json.EndArray();
    }
  }
  if (with_sql) {
    json.Key("sql");
    json.String(one.sql);
  }
  json.EndObject();
}

}  // namespace

struct SqlApi::Impl {
  Impl(SqlApiConfig settings, client::StreamClient& stream_client, async::Runtime& threads,
       const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        runtime(threads),
        clock(source),
        front(FrontOf(config), source, registry),
        catalog(client, config.state_stream),
        asking(registry.MakeGauge("honryu_sql_queries", "Queries under way that were asked by hand")) {
    sql::AddBuiltInTableFunctions(functions);
  }
  static keys::FrontConfig FrontOf(const SqlApiConfig& config) {
    keys::FrontConfig front;
    front.api_keys = config.api_keys;
    front.counter = "honryu_sql_requests_total";
    front.help = "Requests to /v1/sql by outcome";
    return front;
  }

  using Method = async::Task<http::Response> (Impl::*)(async::Context, const http::Request&);
  async::Task<http::Response> Explain(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Ask(async::Context ctx, const http::Request& request);
  async::Task<http::Response> List(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Show(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Apply(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Act(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Remove(async::Context ctx, const http::Request& request);
  async::Task<Result<std::optional<client::Lease>>> LeaseOf(async::Context ctx, std::string name);
  static async::Task<void> Feed(Impl* impl, std::shared_ptr<sqlapp::Query> query, http::BodyWriter& writer);

  const SqlApiConfig config;
  client::StreamClient& client;
  async::Runtime& runtime;
  const Clock& clock;
  keys::Front front;
  sqlapp::Catalog catalog;
  sql::TableFunctionRegistry functions;
  obs::Gauge asking;
  std::atomic<std::size_t> queries = 0;
};

async::Task<http::Response> SqlApi::Impl::Explain(async::Context /*ctx*/, const http::Request& request) {
  const Result<std::string> program = ProgramOf(request);
  if (!program.ok()) co_return Failed(program.error());
  const Result<sqlapp::Program> loaded = sqlapp::LoadProgram("query", *program, functions);
  if (!loaded.ok()) co_return Failed(loaded.error());
  const Result<std::string> plan = sql::Engine::Explain(loaded->prelude, loaded->text, functions);
  if (!plan.ok()) co_return Failed(plan.error());
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("plan");
  json.String(*plan);
  json.Key("reads");
  json.BeginArray();
  for (const std::string& stream : loaded->InputStreams()) json.String(stream);
  json.EndArray();
  json.Key("writes");
  json.BeginObject();
  for (const auto& [name, output] : loaded->outputs) {
    if (output.stream.empty()) continue;
    json.Key(name);
    json.String(output.stream);
  }
  json.EndObject();
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<void> SqlApi::Impl::Feed(Impl* impl, std::shared_ptr<sqlapp::Query> query,
                                     http::BodyWriter& writer) {
  http::BodyWriter* const out = &writer;
  const sqlapp::Query::Writer write = [out](std::string lines) {
    return out->Write(Bytes(std::move(lines)));
  };
  Result<void> done = co_await query->Run(write);
  if (!done.ok() && done.error().code() != ErrorCode::kCancelled) {
    std::string line = "{\"_error\":";
    codec::AppendJsonString(done.error().message(), line);
    line += "}\n";
    Result<void> told = co_await writer.Write(Bytes(std::move(line)));
    (void)told;
  }
  impl->asking.Set(static_cast<double>(--impl->queries));
}

async::Task<http::Response> SqlApi::Impl::Ask(async::Context /*ctx*/, const http::Request& request) {
  Result<std::string> program = ProgramOf(request);
  if (!program.ok()) co_return Failed(program.error());
  sqlapp::QueryOptions options;
  options.sql = std::move(*program);
  Result<std::string> from = sqlapp::ParseFrom(ValueOr(request, "from", "latest"), clock.Now());
  if (!from.ok()) co_return Failed(from.error());
  options.from = std::move(*from);
  options.to_end = ValueOr(request, "to_end", "false") == "true";
  const std::string limit = ValueOr(request, "limit", "0");
  const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), options.limit);
  if (error != std::errc() || end != limit.data() + limit.size())
    co_return ErrorAnswer(400, "limit: expected a number, found \"" + limit.substr(0, 100) + "\"");
  options.files = front.keys().Identify(request, "admin").verdict == keys::ApiKeys::Verdict::kAllowed;
  options.idle_timeout = config.idle_timeout;
  options.lanes = config.lanes;
  Result<std::unique_ptr<sqlapp::Query>> query =
      sqlapp::Query::Prepare(std::move(options), client, runtime, clock);
  if (!query.ok()) co_return Failed(query.error());
  const std::size_t now = ++queries;
  if (now > config.max_queries) {
    --queries;
    http::Response full =
        ErrorAnswer(503, "too many queries at a time: " + std::to_string(config.max_queries));
    full.headers.Set("Retry-After", "5");
    co_return full;
  }
  asking.Set(static_cast<double>(now));
  http::Response response;
  response.headers.Set("Content-Type", "application/x-ndjson");
  response.headers.Set("X-Accel-Buffering", "no");  // or nginx holds rows back
  response.stream = [self = this, held = std::shared_ptr<sqlapp::Query>(std::move(*query))](
                        http::BodyWriter& writer) { return Feed(self, held, writer); };
  co_return response;
}

async::Task<Result<std::optional<client::Lease>>> SqlApi::Impl::LeaseOf(async::Context ctx,
                                                                        std::string name) {
  Result<std::vector<client::Lease>> leases =
      co_await client.ListLeases(std::move(ctx), sqlapp::ApplicationLease(name), config.state_stream);
  std::optional<client::Lease> found;
  if (!leases.ok() && leases.error().code() != ErrorCode::kNotFound) co_return leases.error();
  if (leases.ok()) {
    for (client::Lease& lease : *leases)
      if (lease.application == sqlapp::ApplicationLease(name) && lease.shard_id == client::kStreamSlot)
        found = std::move(lease);
  }
  co_return found;
}

async::Task<http::Response> SqlApi::Impl::List(async::Context ctx, const http::Request& /*request*/) {
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  if (!listed.ok()) co_return Failed(listed.error());
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("applications");
  json.BeginArray();
  for (const auto& [name, one] : *listed) {
    Result<std::optional<client::Lease>> lease = co_await LeaseOf(ctx, name);
    if (!lease.ok()) co_return Failed(lease.error());
    WriteDeployment(json, one, lease->has_value() ? &**lease : nullptr, false, clock.Now());
  }
  json.EndArray();
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<http::Response> SqlApi::Impl::Show(async::Context ctx, const http::Request& request) {
  const std::string name = request.path.substr(kApps.size());
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  if (!listed.ok()) co_return Failed(listed.error());
  const auto found = listed->find(name);
  if (found == listed->end()) co_return ErrorAnswer(404, "no application '" + name.substr(0, 100) + "'");
  Result<std::optional<client::Lease>> lease = co_await LeaseOf(ctx, name);
  if (!lease.ok()) co_return Failed(lease.error());
  std::string text;
  codec::JsonWriter json(text);
  WriteDeployment(json, found->second, lease->has_value() ? &**lease : nullptr, true, clock.Now());
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<http::Response> SqlApi::Impl::Apply(async::Context ctx, const http::Request& request) {
  sqlapp::Deployment next;
  next.name = request.path.substr(kApps.size());
  const Result<void> good = sqlapp::CheckApplicationName(next.name);
  if (!good.ok()) co_return Failed(good.error());
  Result<std::string> program = ProgramOf(request);
  if (!program.ok()) co_return Failed(program.error());
  next.sql = std::move(*program);
  const Result<sqlapp::Program> loaded = sqlapp::LoadProgram(next.name, next.sql, functions);
  if (!loaded.ok()) co_return Failed(loaded.error());
  const std::string* said = request.Query("from");
  Result<std::string> from = sqlapp::ParseFrom(said == nullptr ? "trim_horizon" : *said, clock.Now());
  if (!from.ok()) co_return Failed(from.error());
  next.from = std::move(*from);
  next.changed_ms = ToMs(clock.Now());
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  if (!listed.ok()) co_return Failed(listed.error());
  const auto known = listed->find(next.name);
  std::uint64_t version = 0;
  if (said == nullptr && known != listed->end() && known->second.sql == next.sql) {
    // The same once more: it goes on where it is.
    version = known->second.version;
    if (!known->second.running) {
      Result<void> started = co_await catalog.SetRunning(ctx, next.name, true);
      if (!started.ok()) co_return Failed(started.error());
    }
  } else {
    Result<std::uint64_t> applied = co_await catalog.Apply(ctx, next);
    if (!applied.ok()) co_return Failed(applied.error());
    version = *applied;
  }
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("name");
  json.String(next.name);
  json.Key("version");
  json.Uint(version);
  json.Key("from");
  json.String(next.from);
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

// POST /v1/sql/apps/NAME/stop, start, savepoint
async::Task<http::Response> SqlApi::Impl::Act(async::Context ctx, const http::Request& request) {
  const std::string rest = request.path.substr(kApps.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string::npos) co_return co_await Apply(std::move(ctx), request);
  const std::string name = rest.substr(0, slash);
  const std::string what = rest.substr(slash + 1);
  Result<void> done = Error(ErrorCode::kNotFound, "no such action: expected stop, start or savepoint");
  std::string savepoint;
  if (what == "stop" || what == "start") {
    done = co_await catalog.SetRunning(std::move(ctx), name, what == "start");
  } else if (what == "savepoint") {
    savepoint = ValueOr(request, "name", "sp-" + std::to_string(ToMs(clock.Now())));
    done = sqlapp::CheckApplicationName(savepoint);
    if (done.ok()) done = co_await catalog.AskSavepoint(std::move(ctx), name, savepoint);
  }
  if (!done.ok()) co_return Failed(done.error());
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("name");
  json.String(name);
  if (!savepoint.empty()) {
    json.Key("savepoint");
    json.String(savepoint);
  }
  json.EndObject();
  co_return http::Response::JsonText(202, std::move(text));
}

async::Task<http::Response> SqlApi::Impl::Remove(async::Context ctx, const http::Request& request) {
  Result<void> done = co_await catalog.Remove(std::move(ctx), request.path.substr(kApps.size()));
  if (!done.ok()) co_return Failed(done.error());
  co_return http::Response::JsonText(200, "{}");
}

SqlApi::SqlApi(SqlApiConfig config, client::StreamClient& client, async::Runtime& runtime, const Clock& clock,
               obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, runtime, clock, metrics)) {}

SqlApi::~SqlApi() = default;

void SqlApi::Register(http::Router& router) {
  struct Route {
    const char* method;
    const char* path;
    Impl::Method handler;
    std::string_view scope;
  };
  const Route routes[] = {
      {"POST", "/v1/sql/explain", &Impl::Explain, "read"}, {"POST", "/v1/sql/query", &Impl::Ask, "read"},
      {"GET", "/v1/sql/apps", &Impl::List, "read"},        {"GET", "/v1/sql/apps/*", &Impl::Show, "read"},
      {"PUT", "/v1/sql/apps/*", &Impl::Apply, "admin"},    {"POST", "/v1/sql/apps/*", &Impl::Act, "admin"},
      {"DELETE", "/v1/sql/apps/*", &Impl::Remove, "admin"}};
  for (const Route& route : routes) {
    impl_->front.Add(
        router, route.method, route.path, route.scope,
        [impl = impl_.get(), handler = route.handler](async::Context ctx, const http::Request& request) {
          return (impl->*handler)(std::move(ctx), request);
        });
  }
}

}  // namespace honryu::api::sql_api
