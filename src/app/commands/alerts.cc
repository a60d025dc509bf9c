#include "command.h"
#include "connection.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <cstdio>
#include <memory>
#include <string>

namespace honryu::app {
namespace {

struct AlertsOptions {
  std::string url = "http://127.0.0.1:8080";
  std::string api_key;
  bool history = false;
  bool json = false;
  int limit = 100;
  bool chosen = false;  // --rule or --key was given
  std::string rule = "*", key = "*", length, by, comment, id, channel;
};

async::Task<Result<http::ClientResponse>> Exchange(http::Client* http, http::ClientRequest request) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(15));
  Result<http::ClientResponse> response = co_await http->Send(ctx, std::move(request));
  co_return response;
}

// The answer's JSON; an error status is an error with the server's words.
Result<codec::Json> Ask(const AlertsOptions& options, const std::string& method, const std::string& path,
                        const std::string& body = {}) {
  HONRYU_TRY(const http::Endpoint endpoint, http::ParseUrl(options.url));
  Connection connection(options.url);
  http::ClientRequest request;
  request.method = method;
  request.endpoint = endpoint;
  request.endpoint.path = path;
  if (!options.api_key.empty()) request.headers.Set("Authorization", "Bearer " + options.api_key);
  if (!body.empty()) request.headers.Set("Content-Type", "application/json");
  request.body = Bytes::Copy(body);
  const auto response = connection.runtime().BlockOn(Exchange(&connection.http(), std::move(request)));
  if (!response.ok()) return response.error().WithContext(options.url);
  Result<codec::Json> json = codec::Json::Parse(response->body.view());
  if (response->status >= 300) {
    const codec::Json* error = json.ok() ? json->Find("error") : nullptr;
    return Error(ErrorCode::kInvalidArgument, options.url + " answered " + std::to_string(response->status) +
                                                  ": " +
                                                  std::string(error == nullptr ? "" : error->StringOr("")));
  }
  return json;
}

std::string Text(const codec::Json& object, std::string_view name) {
  const codec::Json* member = object.Find(name);
  return member == nullptr ? std::string() : std::string(member->StringOr(""));
}
std::string Time(const codec::Json& object, std::string_view name) {
  const codec::Json* member = object.Find(name);
  return member == nullptr ? std::string() : FormatTimestamp(TimestampFromMs(member->IntOr(0)));
}

void PrintAlert(const codec::Json& alert) {
  std::printf("%-9s %-8s %s  %s{%s}  %s\n", Text(alert, "state").c_str(), Text(alert, "severity").c_str(),
              Time(alert, "since").c_str(), Text(alert, "rule").c_str(), Text(alert, "key").c_str(),
              Text(alert, "summary").c_str());
}

const codec::Json::Array& ListOf(const codec::Json& answer, std::string_view name) {
  static const codec::Json::Array kNone;
  const codec::Json* list = answer.Find(name);
  return list == nullptr ? kNone : list->array();
}

int ListHistory(const AlertsOptions& options) {
  const auto answer = Ask(options, "GET", "/v1/alerts/history?limit=" + std::to_string(options.limit));
  if (!answer.ok()) return Fail(answer.error());
  if (options.json) {
    std::puts(answer->Dump().c_str());
    return 0;
  }
  for (const codec::Json& change : ListOf(*answer, "changes")) {
    const codec::Json* alert = change.Find("alert");
    if (alert == nullptr) continue;
    const codec::Json* silenced = change.Find("silenced");
    std::printf("%s  %-8s -> %-8s  %s{%s}  %s%s\n", Time(*alert, "at").c_str(), Text(change, "from").c_str(),
                Text(*alert, "state").c_str(), Text(*alert, "rule").c_str(), Text(*alert, "key").c_str(),
                Text(*alert, "summary").c_str(),
                silenced != nullptr && silenced->BoolOr(false) ? "  (silenced)" : "");
  }
  if (ListOf(*answer, "changes").empty()) std::puts("nothing has happened yet");
  return 0;
}

int List(const AlertsOptions& options) {
  if (options.history) return ListHistory(options);
  const auto answer = Ask(options, "GET", "/v1/alerts");
  if (!answer.ok()) return Fail(answer.error());
  if (options.json) {
    std::puts(answer->Dump().c_str());
    return 0;
  }
  for (const codec::Json& alert : ListOf(*answer, "alerts")) PrintAlert(alert);
  if (ListOf(*answer, "alerts").empty()) std::puts("no alerts: every watched series is ok");
  if (const codec::Json* complete = answer->Find("complete"); complete != nullptr && !complete->BoolOr(true))
    std::fputs("the server still reads what happened before its start: this may not be all\n", stderr);
  const auto silences = Ask(options, "GET", "/v1/silences");
  if (!silences.ok()) return Fail(silences.error());
  for (const codec::Json& silence : ListOf(*silences, "silences")) {
    const std::string by = Text(silence, "by");
    std::printf("silenced  until %s  %s{%s}  %s%s%s  %s\n", Time(silence, "until").c_str(),
                Text(silence, "rule").c_str(), Text(silence, "key").c_str(), Text(silence, "id").c_str(),
                by.empty() ? "" : "  by ", by.c_str(), Text(silence, "comment").c_str());
  }
  return 0;
}

int Silence(const AlertsOptions& options) {
  if (!options.id.empty()) {
    const auto answer = Ask(options, "DELETE", "/v1/silences/" + options.id);
    if (!answer.ok()) return Fail(answer.error());
    std::printf("%s ended\n", options.id.c_str());
    return 0;
  }
  if (options.length.empty())
    return Fail(Error(ErrorCode::kInvalidArgument, "--for is missing: how long, e.g. --for 2h"));
  if (!options.chosen)
    return Fail(Error(ErrorCode::kInvalidArgument,
                      "--rule or --key is missing: which alerts; --rule '*' silences all"));
  std::string body;
  codec::JsonWriter json(body);
  json.BeginObject();
  for (const auto& [name, value] :
       {std::pair("rule", &options.rule), std::pair("key", &options.key), std::pair("for", &options.length),
        std::pair("by", &options.by), std::pair("comment", &options.comment)}) {
    json.Key(name);
    json.String(*value);
  }
  json.EndObject();
  const auto answer = Ask(options, "POST", "/v1/silences", body);
  if (!answer.ok()) return Fail(answer.error());
  std::printf("%s until %s: %s{%s}\n", Text(*answer, "id").c_str(), Time(*answer, "until").c_str(),
              Text(*answer, "rule").c_str(), Text(*answer, "key").c_str());
  return 0;
}

int Test(const AlertsOptions& options) {
  std::string body = "{}";
  if (!options.channel.empty()) {
    body.clear();
    codec::JsonWriter json(body);
    json.BeginObject();
    json.Key("channel");
    json.String(options.channel);
    json.EndObject();
  }
  const auto answer = Ask(options, "POST", "/v1/alerts/test", body);
  if (!answer.ok()) return Fail(answer.error());
  std::string channels;
  for (const codec::Json& channel : ListOf(*answer, "channels"))
    channels += (channels.empty() ? "" : ", ") + std::string(channel.StringOr(""));
  std::printf("%s is on its way to: %s\n", Text(*answer, "id").c_str(), channels.c_str());
  return 0;
}

}  // namespace

void AddAlertsCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<AlertsOptions>();
  CLI::App* alerts = app.add_subcommand("alerts", "Show alerts, silence them, try the channels");
  alerts->add_option("--url", options->url, "The server's HTTP port")
      ->capture_default_str()
      ->envname("HONRYU_URL");
  alerts->add_option("--api-key", options->api_key, "Key with the scope admin (list: read)")
      ->envname("HONRYU_API_KEY");
  alerts->require_subcommand(1);
  alerts->fallthrough();
  CLI::App* list = alerts->add_subcommand("list", "What is not OK, and silences");
  list->add_flag("--history", options->history, "The last steps instead");
  list->add_option("--limit", options->limit, "Of the history")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  list->add_flag("--json", options->json, "As the server answers it");
  list->callback([options, exit_code] { *exit_code = List(*options); });
  CLI::App* silence = alerts->add_subcommand("silence", "Record alerts without telling anybody");
  CLI::Option* length = silence->add_option("--for", options->length, "How long, e.g. 2h");
  const CLI::Option* rule =
      silence->add_option("--rule", options->rule, "Pattern of rule names")->capture_default_str();
  const CLI::Option* key =
      silence->add_option("--key", options->key, "Pattern of series keys")->capture_default_str();
  silence->add_option("--by", options->by, "Who")->envname("USER");
  silence->add_option("--comment", options->comment, "Why");
  CLI::Option* end = silence->add_option("--end", options->id, "End the silence of this id instead");
  end->excludes(length);
  silence->callback([options, exit_code, rule, key] {
    options->chosen = rule->count() + key->count() > 0;
    *exit_code = Silence(*options);
  });
  CLI::App* test = alerts->add_subcommand("test", "Send a test notification through the real way");
  test->add_option("channel", options->channel, "Only this channel");
  test->callback([options, exit_code] { *exit_code = Test(*options); });
  alerts->footer(
      "Examples:\n  honryu alerts list\n  honryu alerts silence --rule 'traffic*' --for 2h --comment "
      "deployment\n"
      "  honryu alerts test ops");
}

}  // namespace honryu::app
