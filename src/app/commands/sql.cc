#include "command.h"
#include "connection.h"
#include "honryu/sqlapp/catalog.h"
#include "honryu/sqlapp/preview.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace honryu::app {
namespace {

struct SqlOptions {
  std::string url = "http://127.0.0.1:8080";
  std::string api_key;
  std::string program;  ///< A file, "-", or SQL itself.
  std::string name, from, savepoint;
  std::string format;
  bool to_end = false, json = false;
  std::uint64_t limit = 0;
  std::size_t rows = 10;
};

/// A file's text, standard input for "-", else the argument itself.
Result<std::string> ProgramText(const std::string& argument, bool must_be_file) {
  if (argument == "-") {
    std::string text;
    char buffer[65536];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;)
      text.append(buffer, got);
    return text;
  }
  std::error_code ignored;
  const bool is_file = argument.size() < 4096 && std::filesystem::is_regular_file(argument, ignored);
  if (!is_file && !must_be_file) return argument;
  std::ifstream file(argument, std::ios::binary);
  if (!file || std::filesystem::is_directory(argument, ignored))
    return Error(ErrorCode::kNotFound, "cannot open " + argument);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// For a path or a query: everything but letters, digits, '-', '_' and '.' is percent-encoded.
std::string Encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
      continue;
    }
    constexpr std::string_view kHex = "0123456789ABCDEF";
    out += '%';
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

Result<http::ClientRequest> MakeRequest(const SqlOptions& options, const char* method,
                                        const std::string& path, std::string body) {
  http::ClientRequest request;
  request.method = method;
  Result<http::Endpoint> endpoint = http::ParseUrl(options.url);
  if (!endpoint.ok()) return endpoint.error().WithContext(options.url);
  request.endpoint = std::move(*endpoint);
  while (request.endpoint.path.ends_with('/')) request.endpoint.path.pop_back();
  request.endpoint.path += path;
  if (!options.api_key.empty()) request.headers.Set("Authorization", "Bearer " + options.api_key);
  request.headers.Set("Content-Type", "application/sql");
  request.body = Bytes(std::move(body));
  return request;
}

async::Task<Result<http::ClientResponse>> Send(http::Client* client, http::ClientRequest request) {
  Result<http::ClientResponse> response =
      co_await client->Send(async::Context::WithTimeout(std::chrono::seconds(60)), std::move(request));
  co_return response;
}

async::Task<Result<http::ClientResponse>> Stream(http::Client* client, http::ClientRequest request,
                                                 std::function<bool(BytesView)> take) {
  // Until it is interrupted; without a deadline the client would take its own.
  const async::Context ctx = async::Context::WithTimeout(std::chrono::hours(24 * 365));
  Result<http::ClientResponse> response =
      co_await client->SendStreaming(ctx, std::move(request), std::move(take));
  co_return response;
}

/// What the server says is wrong, as it says it: with line, caret and suggestion.
int Refused(const http::ClientResponse& response) {
  const Result<codec::Json> json = codec::Json::Parse(response.body.view());
  const codec::Json* error = json.ok() ? json->Find("error") : nullptr;
  if (error != nullptr) {
    std::fprintf(stderr, "honryu: %s\n", std::string(error->StringOr("")).c_str());
  } else {
    std::fprintf(stderr, "honryu: the server answered %d\n", response.status);
  }
  return 1;
}

/// One call; prints nothing. Null: it failed, and that was told.
Result<codec::Json> Call(const SqlOptions& options, const char* method, const std::string& path,
                         std::string body, int* exit_code) {
  Connection connection(options.url);
  Result<http::ClientRequest> request = MakeRequest(options, method, path, std::move(body));
  if (!request.ok()) {
    *exit_code = Fail(request.error());
    return request.error();
  }
  const auto response = connection.runtime().BlockOn(Send(&connection.http(), std::move(*request)));
  if (!response.ok()) {
    *exit_code = Fail(response.error().WithContext(options.url));
    return response.error();
  }
  if (response->status >= 300) {
    *exit_code = Refused(*response);
    return Error(ErrorCode::kInvalidArgument, "refused");
  }
  *exit_code = 0;
  return codec::Json::Parse(response->body.view());
}

std::string TextOf(const codec::Json& json, std::string_view key) {
  const codec::Json* member = json.Find(key);
  return std::string(member == nullptr ? std::string_view() : member->StringOr(""));
}

int RunRun(SqlOptions options) {
  const Result<std::string> text = ProgramText(options.program, true);
  if (!text.ok()) return Fail(text.error());
  if (options.name.empty() && options.program == "-")
    return Fail(Error(ErrorCode::kInvalidArgument, "a program from standard input needs a --name"));
  if (options.name.empty()) options.name = std::filesystem::path(options.program).stem().string();
  if (const Result<void> good = sqlapp::CheckApplicationName(options.name); !good.ok())
    return Fail(good.error().WithContext("--name"));
  std::string path = "/v1/sql/apps/" + options.name;
  if (!options.from.empty()) path += "?from=" + Encoded(options.from);
  int exit_code = 0;
  const Result<codec::Json> done = Call(options, "PUT", path, *text, &exit_code);
  if (exit_code == 0 && done.ok())
    std::printf(
        "application %s runs, version %lld\n", options.name.c_str(),
        static_cast<long long>(done->Find("version") == nullptr ? 0 : done->Find("version")->IntOr(0)));
  return exit_code;
}

int RunQuery(const SqlOptions& options) {
  InstallStopSignals();
  const Result<std::string> text = ProgramText(options.program, false);
  if (!text.ok()) return Fail(text.error());
  std::string path = "/v1/sql/query?limit=" + std::to_string(options.limit);
  if (!options.from.empty()) path += "&from=" + Encoded(options.from);
  if (options.to_end) path += "&to_end=true";
  Connection connection(options.url);
  Result<http::ClientRequest> request = MakeRequest(options, "POST", path, *text);
  if (!request.ok()) return Fail(request.error());
  std::string rest;
  bool failed = false;
  const auto take = [&rest, &failed](BytesView piece) {
    rest += piece;
    std::size_t at = 0;
    for (std::size_t end = 0; (end = rest.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string line = rest.substr(at, end - at);
      if (line.empty()) continue;  // a sign of life
      if (line.starts_with("{\"_error\":")) {
        failed = true;
        const Result<codec::Json> json = codec::Json::Parse(line);
        std::fprintf(stderr, "honryu: %s\n", json.ok() ? TextOf(*json, "_error").c_str() : line.c_str());
      } else if (line.starts_with("{\"error\":")) {
        failed = true;
        const Result<codec::Json> json = codec::Json::Parse(line);
        std::fprintf(stderr, "honryu: %s\n", json.ok() ? TextOf(*json, "error").c_str() : line.c_str());
      } else {
        std::puts(line.c_str());
      }
    }
    rest.erase(0, at);
    std::fflush(stdout);
    return !StopRequested() && std::ferror(stdout) == 0;  // … | head
  };
  const auto response = connection.runtime().BlockOn(Stream(&connection.http(), std::move(*request), take));
  if (StopRequested() || std::ferror(stdout) != 0) return 0;
  if (!response.ok()) return Fail(response.error().WithContext(options.url));
  if (response->status >= 300) {  // the refusal came through the same door
    const Result<codec::Json> json = codec::Json::Parse(rest);
    std::fprintf(stderr, "honryu: %s\n", json.ok() ? TextOf(*json, "error").c_str() : rest.c_str());
    return 1;
  }
  return failed ? 1 : 0;
}

int RunExplain(const SqlOptions& options) {
  const Result<std::string> text = ProgramText(options.program, false);
  if (!text.ok()) return Fail(text.error());
  int exit_code = 0;
  const Result<codec::Json> done = Call(options, "POST", "/v1/sql/explain", *text, &exit_code);
  if (exit_code == 0 && done.ok()) {
    std::printf("%s", TextOf(*done, "plan").c_str());
    if (const codec::Json* writes = done->Find("writes"); writes != nullptr) {
      for (const auto& [name, stream] : writes->object())
        std::printf("%s -> stream %s\n", name.c_str(), std::string(stream.StringOr("")).c_str());
    }
  }
  return exit_code;
}

int RunList(const SqlOptions& options) {
  int exit_code = 0;
  const Result<codec::Json> done = Call(options, "GET", "/v1/sql/apps", "", &exit_code);
  if (exit_code != 0 || !done.ok()) return exit_code;
  if (options.json) {
    std::puts(done->Dump().c_str());
    return 0;
  }
  std::printf("%-24s %-10s %-9s %12s %12s %8s %8s %12s\n", "NAME", "STATE", "SOURCE", "ROWS IN", "ROWS OUT",
              "LATE", "ERRORS", "STATE BYTES");
  const codec::Json* list = done->Find("applications");
  if (list == nullptr) return 0;
  for (const codec::Json& one : list->array()) {
    const auto number = [&one](const char* key) {
      const codec::Json* member = one.Find(key);
      return static_cast<long long>(member == nullptr ? 0 : member->IntOr(0));
    };
    const codec::Json* running = one.Find("running");
    const bool on = running == nullptr || running->BoolOr(true);
    const char* state = !on ? "stopped" : one.Find("owner") == nullptr ? "waiting" : "running";
    std::printf("%-24s %-10s %-9s %12lld %12lld %8lld %8lld %12lld\n", TextOf(one, "name").c_str(), state,
                TextOf(one, "source").c_str(), number("rows_in"), number("rows_out"), number("late_rows"),
                number("error_rows"), number("state_bytes"));
  }
  return 0;
}

/// What the columns, the rows and the sums of a table look like to a person.
void PrintPreview(const codec::Json& table) {
  const auto number = [&table](const char* key) {
    const codec::Json* member = table.Find(key);
    return static_cast<long long>(member == nullptr ? 0 : member->IntOr(0));
  };
  std::printf("table %s from %s, %s, %lld rows\n", TextOf(table, "table").c_str(),
              TextOf(table, "source").c_str(), TextOf(table, "format").c_str(), number("row_count"));
  if (const std::string since = TextOf(table, "since"); !since.empty())
    std::printf("as it is joined since %s\n", since.c_str());
  const codec::Json* inferred = table.Find("inferred");
  const bool guessed = inferred != nullptr && inferred->BoolOr(false);
  std::printf("\n%-32s %s\n", "COLUMN", guessed ? "TYPE THAT FITS" : "TYPE");
  if (const codec::Json* columns = table.Find("columns"); columns != nullptr)
    for (const codec::Json& column : columns->array())
      std::printf("%-32s %s\n", TextOf(column, "name").c_str(), TextOf(column, "type").c_str());
  std::printf("\n");
  if (const codec::Json* rows = table.Find("rows"); rows != nullptr)
    for (const codec::Json& row : rows->array()) std::puts(row.Dump().c_str());
  if (guessed) std::printf("\n%s\n", TextOf(table, "declaration").c_str());
}

/// A file of this machine; no server is asked.
Result<codec::Json> PreviewHere(const SqlOptions& options) {
  sqlapp::Table table;
  std::error_code failed;
  table.path = std::filesystem::absolute(options.program, failed).lexically_normal().string();
  HONRYU_TRY(const std::string text, sqlapp::ReadTableFile(table));
  HONRYU_TRY(const sqlapp::TablePreview preview,
             sqlapp::PreviewFile(table.path, options.format, text, options.rows));
  return codec::Json::Parse("{\"tables\":[" + sqlapp::ToJson(preview) + "]}");
}

int RunPreview(const SqlOptions& options) {
  if (options.program.empty() == options.name.empty())
    return Fail(Error(ErrorCode::kInvalidArgument, "name a file, or an application by --app"));
  int exit_code = 0;
  const std::string rows = "rows=" + std::to_string(options.rows);
  Result<codec::Json> done = codec::Json();
  if (!options.name.empty()) {
    done = Call(options, "GET", "/v1/sql/apps/" + Encoded(options.name) + "/tables?" + rows, "", &exit_code);
  } else if (options.program.starts_with("file:")) {
    std::string body;
    codec::JsonWriter json(body);
    json.BeginObject();
    json.Key("source");
    json.String(options.program);
    json.Key("format");
    json.String(options.format);
    json.EndObject();
    done = Call(options, "POST", "/v1/sql/preview?" + rows, std::move(body), &exit_code);
  } else if (options.program.ends_with(".sql")) {
    const Result<std::string> text = ProgramText(options.program, true);
    if (!text.ok()) return Fail(text.error());
    done = Call(options, "POST", "/v1/sql/preview?" + rows, *text, &exit_code);
  } else {
    done = PreviewHere(options);
    if (!done.ok()) return Fail(done.error());
  }
  if (exit_code != 0) return exit_code;
  if (!done.ok()) return Fail(done.error());
  if (options.json) {
    std::puts(done->Dump().c_str());
    return 0;
  }
  const codec::Json* tables = done->Find("tables");
  if (tables == nullptr || tables->array().empty()) std::printf("no reference tables\n");
  if (tables != nullptr)
    for (const codec::Json& table : tables->array()) PrintPreview(table);
  return 0;
}

int RunAct(const SqlOptions& options, const char* method, const std::string& what) {
  std::string path = "/v1/sql/apps/" + Encoded(options.name);
  if (!what.empty()) path += "/" + what;
  if (what == "savepoint" && !options.savepoint.empty()) path += "?name=" + Encoded(options.savepoint);
  int exit_code = 0;
  const Result<codec::Json> done = Call(options, method, path, "", &exit_code);
  if (exit_code == 0 && done.ok() && what == "savepoint")
    std::printf("savepoint %s asked for\n", TextOf(*done, "savepoint").c_str());
  if (exit_code == 0 && done.ok() && !TextOf(*done, "note").empty())
    std::printf("%s\n", TextOf(*done, "note").c_str());
  return exit_code;
}

}  // namespace

void AddSqlCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<SqlOptions>();
  CLI::App* command = app.add_subcommand("sql", "Stream SQL: ask queries, run applications");
  // Once, for all: the environment of an option of its own for each would win over what another was given.
  command->add_option("--url", options->url, "HTTP address of the server")
      ->capture_default_str()
      ->envname("HONRYU_URL");
  command->add_option("--api-key", options->api_key, "API key: scope read to ask, admin to change")
      ->envname("HONRYU_API_KEY");
  command->require_subcommand(1);
  command->fallthrough();
  CLI::App* run = command->add_subcommand("run", "Apply a program as an application that keeps running");
  run->add_option("file", options->program, "File with the program, or - for standard input")->required();
  run->add_option("--name", options->name, "Name of the application; the file's by default");
  run->add_option(
      "--from", options->from,
      "Where it begins: trim_horizon, latest, a time, a span back (-1h), savepoint:NAME. Given, it begins "
      "anew; else a program that has not changed goes on");
  run->callback([options, exit_code] { *exit_code = RunRun(*options); });

  CLI::App* query =
      command->add_subcommand("query", "Ask a query and print rows as they come, one JSON object a line");
  query->add_option("sql", options->program, "The query, a file with it, or - for standard input")
      ->required();
  query->add_option("--from", options->from,
                    "Where to begin: latest (default), trim_horizon, a time, a span back (-1h)");
  query->add_flag("--to-end", options->to_end, "Stop where the streams end now, with all windows closed");
  query->add_option("-n,--limit", options->limit, "Stop after this many rows (0: no limit)")
      ->capture_default_str();
  query->callback([options, exit_code] { *exit_code = RunQuery(*options); });

  CLI::App* explain = command->add_subcommand("explain", "Print how a program would be run");
  explain->add_option("sql", options->program, "The program, a file with it, or - for standard input")
      ->required();
  explain->callback([options, exit_code] { *exit_code = RunExplain(*options); });

  CLI::App* preview =
      command->add_subcommand("preview", "Show what a reference table has: columns, types, the first rows");
  preview->add_option(
      "file", options->program,
      "A file of CSV or JSON (what types fit is found out), file:PATH for one of the server's, "
      "or a program ending in .sql, whose tables the server reads");
  preview->add_option("--app", options->name, "The tables of a running application, as it joins them");
  preview->add_option("--format", options->format, "csv, json or ndjson; by the file's name by default");
  preview->add_option("-n,--rows", options->rows, "How many rows")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000));
  preview->add_flag("--json", options->json, "As JSON");
  preview->callback([options, exit_code] { *exit_code = RunPreview(*options); });

  CLI::App* list = command->add_subcommand("list", "List the applications");
  list->add_flag("--json", options->json, "As JSON");
  list->callback([options, exit_code] { *exit_code = RunList(*options); });

  const auto act = [&](const char* name, const char* help, const char* method, const std::string& what) {
    CLI::App* sub = command->add_subcommand(name, help);
    sub->add_option("name", options->name, "Name of the application")->required();
    if (what == "savepoint")
      sub->add_option("savepoint", options->savepoint,
                      "Name of the savepoint; made from the time by default");
    sub->callback([options, exit_code, method, what] { *exit_code = RunAct(*options, method, what); });
  };
  act("stop", "Stop an application; its state stays", "POST", "stop");
  act("start", "Let a stopped application go on", "POST", "start");
  act("savepoint", "Save the state of an application under a name", "POST", "savepoint");
  act("remove", "Stop an application and take it out of the catalogue", "DELETE", "");
  command->footer(
      "Examples:\n"
      "  honryu sql query 'SELECT event_type, COUNT(*) FROM events GROUP BY event_type, FLOOR(ROWTIME TO "
      "MINUTE)'\n"
      "  honryu sql query new.sql --from -24h --to-end     try a program on yesterday's data\n"
      "  honryu sql run new.sql --from -24h                promote it\n"
      "  honryu sql preview teams.csv                      before a program joins it\n"
      "  honryu sql list");
}

}  // namespace honryu::app
