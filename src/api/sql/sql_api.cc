#include "honryu/api/sql/sql_api.h"

#include "honryu/api/keys/front.h"
#include "honryu/codec/compression.h"
#include "honryu/codec/json.h"
#include "honryu/sqlapp/catalog.h"
#include "honryu/sqlapp/preview.h"
#include "honryu/sqlapp/program.h"
#include "honryu/sqlapp/query.h"
#include "honryu/sqlapp/state_store.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <utility>

namespace honryu::api::sql_api {

namespace {

constexpr std::string_view kApps = "/v1/sql/apps/";
constexpr std::size_t kMaxProgram = 1 << 20;
constexpr std::size_t kMaxTable = 1ULL << 30;  // as a file may be
constexpr std::size_t kMaxPreviews = 2;        // at a time: each may hold a whole table
constexpr std::size_t kPreviewRows = 10, kMostPreviewRows = 10'000;

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

/// A number in the query string.
Result<std::uint64_t> NumberOf(const http::Request& request, std::string_view name, std::uint64_t fallback,
                               std::uint64_t most) {
  const std::string* text = request.Query(name);
  if (text == nullptr) return fallback;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc() && end == text->data() + text->size() && number <= most) return number;
  return Error(ErrorCode::kInvalidArgument, std::string(name) + ": expected a number from 0 to " +
                                                std::to_string(most) + ", found \"" + text->substr(0, 100) +
                                                "\"");
}

/// What is previewed: the tables of a program, or one file.
struct PreviewRequest {
  std::string program;
  std::string path, format;
};

Result<PreviewRequest> PreviewOf(const http::Request& request) {
  PreviewRequest wanted;
  const Result<codec::Json> json = codec::Json::Parse(request.body.view());
  const codec::Json* source = json.ok() ? json->Find("source") : nullptr;
  if (source == nullptr) {
    HONRYU_TRY(wanted.program, ProgramOf(request));
    return wanted;
  }
  wanted.path = source->StringOr("");
  if (!wanted.path.starts_with("file:") || wanted.path.size() == 5)
    return Error(ErrorCode::kInvalidArgument, "source: expected \"file:PATH\"");
  wanted.path.erase(0, 5);
  if (const codec::Json* format = json->Find("format"); format != nullptr)
    wanted.format = format->StringOr("");
  return wanted;
}

/// A reference table of a running application, as its lease tells of it.
struct KeptTable {
  std::string declaration, since;
  sqlapp::StatePlace place;
};

Result<std::vector<KeptTable>> TablesOf(const client::Lease& lease) {
  std::vector<KeptTable> tables;
  const Result<codec::Json> state = codec::Json::Parse(lease.state);
  const codec::Json* kept = state.ok() ? state->Find("tables") : nullptr;
  if (kept == nullptr) return tables;
  for (const codec::Json& one : kept->array()) {
    const codec::Json* current = one.Find("current");
    const codec::Json* place = one.Find("place");
    const codec::Json* declaration = one.Find("declaration");
    const codec::Json* since = one.Find("since_ms");
    if (current == nullptr || !current->BoolOr(false) || place == nullptr || declaration == nullptr) continue;
    KeptTable& table = tables.emplace_back();
    HONRYU_TRY(table.place, sqlapp::ReadPlace(*place));
    table.declaration = declaration->StringOr("");
    table.since = FormatTimestamp(TimestampFromMs(since == nullptr ? 0 : since->IntOr(0)));
  }
  return tables;
}

http::Response PreviewAnswer(const std::vector<std::string>& previews) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("tables");
  json.BeginArray();
  for (const std::string& preview : previews) json.Raw(preview);
  json.EndArray();
  json.EndObject();
  return http::Response::JsonText(200, std::move(text));
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
  async::Task<http::Response> Preview(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Tables(async::Context ctx, const http::Request& request, std::string name);
  async::Task<Result<std::string>> TableOf(std::string application, KeptTable table, std::size_t rows);
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
  std::atomic<std::size_t> previews = 0;
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

/// One of the few previews at a time.
class PreviewSlot {
 public:
  explicit PreviewSlot(std::atomic<std::size_t>& count) : count_(count), taken_(++count_ <= kMaxPreviews) {}
  ~PreviewSlot() { --count_; }
  PreviewSlot(const PreviewSlot&) = delete;
  PreviewSlot& operator=(const PreviewSlot&) = delete;
  bool taken() const { return taken_; }
  static http::Response Full() {
    http::Response full = ErrorAnswer(503, "too many previews at a time: " + std::to_string(kMaxPreviews));
    full.headers.Set("Retry-After", "2");
    return full;
  }

 private:
  std::atomic<std::size_t>& count_;
  const bool taken_;
};

async::Task<http::Response> SqlApi::Impl::Preview(async::Context /*ctx*/, const http::Request& request) {
  const PreviewSlot slot(previews);
  if (!slot.taken()) co_return PreviewSlot::Full();
  Result<PreviewRequest> wanted = PreviewOf(request);
  if (!wanted.ok()) co_return Failed(wanted.error());
  const Result<std::uint64_t> rows = NumberOf(request, "rows", kPreviewRows, kMostPreviewRows);
  if (!rows.ok()) co_return Failed(rows.error());
  using Found = Result<std::vector<std::string>>;
  Found found =
      co_await runtime.Blocking([what = std::move(*wanted), most = *rows, known = functions]() -> Found {
        std::vector<std::string> previews_found;
        if (!what.path.empty()) {
          sqlapp::Table table;
          table.path = what.path;
          HONRYU_TRY(const std::string text, sqlapp::ReadTableFile(table));
          HONRYU_TRY(const sqlapp::TablePreview one, sqlapp::PreviewFile(what.path, what.format, text, most));
          previews_found.push_back(sqlapp::ToJson(one));
          return previews_found;
        }
        HONRYU_TRY(const std::vector<sqlapp::TablePreview> all,
                   sqlapp::PreviewProgram(what.program, known, sqlapp::ReadTableFile, most));
        for (const sqlapp::TablePreview& one : all) previews_found.push_back(sqlapp::ToJson(one));
        return previews_found;
      });
  if (!found.ok() && found.error().code() == ErrorCode::kIo)
    co_return ErrorAnswer(400, found.error().message());
  if (!found.ok()) co_return Failed(found.error());
  co_return PreviewAnswer(*found);
}

async::Task<Result<std::string>> SqlApi::Impl::TableOf(std::string application, KeptTable table,
                                                       std::size_t rows) {
  sqlapp::StateStore store(client, config.state_stream, std::move(application));
  HONRYU_CO_TRY(std::string packed, co_await store.Get(MonoTime::max(), table.place));
  Result<std::string> preview =
      co_await runtime.Blocking([packed = std::move(packed), table = std::move(table), rows,
                                 known = functions]() -> Result<std::string> {
        HONRYU_TRY(const std::string text, codec::Decompress(codec::Compression::kZstd, packed, kMaxTable));
        HONRYU_TRY(const std::vector<sqlapp::TablePreview> all,
                   sqlapp::PreviewProgram(
                       table.declaration, known,
                       [&text](const sqlapp::Table&) -> Result<std::string> { return text; }, rows));
        if (all.empty()) return Error(ErrorCode::kCorrupt, "the declaration of the table is damaged");
        std::string json = sqlapp::ToJson(all.front());
        json.pop_back();
        return json + ",\"since\":\"" + table.since + "\"}";
      });
  co_return preview;
}

// What an application joins at present: not the files, which may have changed since.
async::Task<http::Response> SqlApi::Impl::Tables(async::Context ctx, const http::Request& request,
                                                 std::string name) {
  const PreviewSlot slot(previews);
  if (!slot.taken()) co_return PreviewSlot::Full();
  const Result<std::uint64_t> rows = NumberOf(request, "rows", kPreviewRows, kMostPreviewRows);
  if (!rows.ok()) co_return Failed(rows.error());
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  if (!listed.ok()) co_return Failed(listed.error());
  if (!listed->contains(name)) co_return ErrorAnswer(404, "no application '" + name.substr(0, 100) + "'");
  Result<std::optional<client::Lease>> lease = co_await LeaseOf(ctx, name);
  if (!lease.ok()) co_return Failed(lease.error());
  std::vector<KeptTable> tables;
  if (lease->has_value()) {
    Result<std::vector<KeptTable>> kept = TablesOf(**lease);
    if (!kept.ok()) co_return Failed(kept.error());
    tables = std::move(*kept);
  }
  std::vector<std::string> found;
  for (KeptTable& table : tables) {
    Result<std::string> one = co_await TableOf(name, std::move(table), *rows);
    if (!one.ok()) co_return Failed(one.error());
    found.push_back(std::move(*one));
  }
  co_return PreviewAnswer(found);
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
  const std::string to_end = ValueOr(request, "to_end", "false");
  if (to_end != "true" && to_end != "false")
    co_return ErrorAnswer(400, "to_end: expected true or false, found \"" + to_end.substr(0, 100) + "\"");
  options.to_end = to_end == "true";
  const Result<std::uint64_t> limit =
      NumberOf(request, "limit", 0, std::numeric_limits<std::uint64_t>::max());
  if (!limit.ok()) co_return Failed(limit.error());
  options.limit = *limit;
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
  constexpr std::string_view kTables = "/tables";
  if (name.ends_with(kTables)) {
    if (front.keys().Identify(request, "admin").verdict != keys::ApiKeys::Verdict::kAllowed)
      co_return ErrorAnswer(403, "the API key lacks the scope \"admin\"");
    http::Response tables =
        co_await Tables(std::move(ctx), request, name.substr(0, name.size() - kTables.size()));
    co_return tables;
  }
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
  // As the request says, else as the program does.
  Result<std::string> from = sqlapp::ParseFrom(said == nullptr ? loaded->begin : *said, clock.Now());
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
  const std::string name = request.path.substr(kApps.size());
  Result<std::map<std::string, sqlapp::Deployment>> listed = co_await catalog.List(ctx);
  if (!listed.ok()) co_return Failed(listed.error());
  const auto known = listed->find(name);
  const bool of_file = known != listed->end() && known->second.sql.empty();
  Result<void> done = co_await catalog.Remove(std::move(ctx), name);
  if (!done.ok()) co_return Failed(done.error());
  if (!of_file) co_return http::Response::JsonText(200, "{}");
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("note");
  json.String("application '" + name +
              "' is of a file: where the aggregators have the file, it comes back; "
              "stop it, or take the file away");
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
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
  const Route routes[] = {{"POST", "/v1/sql/explain", &Impl::Explain, "read"},
                          {"POST", "/v1/sql/query", &Impl::Ask, "read"},
                          {"POST", "/v1/sql/preview", &Impl::Preview, "admin"},
                          {"GET", "/v1/sql/apps", &Impl::List, "read"},
                          {"GET", "/v1/sql/apps/*", &Impl::Show, "read"},
                          {"PUT", "/v1/sql/apps/*", &Impl::Apply, "admin"},
                          {"POST", "/v1/sql/apps/*", &Impl::Act, "admin"},
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
