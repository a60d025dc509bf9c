#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

using codec::Json;

struct Options {
  std::string query = "*";
  std::string url = "http://127.0.0.1:9200";
  std::string index = "events";
  std::string from = "15m", to = "now";
  std::string api_key;
  int size = 20;
  bool json = false, no_color = false, oldest_first = false;
};

constexpr std::string_view kMark = "\x01", kUnmark = "\x02";  // around what was found; never shown as such
constexpr int kColumns = 60;

/// How something is shown on a terminal; nothing without one.
struct Style {
  bool on = false;
  std::string Paint(std::string_view code, std::string_view text) const {
    if (!on) return std::string(text);
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
  }
};

/// "15m" and "now-15m" are that long ago; "now" is now; else a time as the server reads it.
std::string TimeText(const std::string& text) {
  if (ParseDuration(text).ok()) return "now-" + text;
  return text;
}

/// Milliseconds since 1970, for the histogram.
Result<std::int64_t> TimeMs(const std::string& text, std::int64_t now) {
  if (text == "now") return now;
  const std::string past = text.starts_with("now-") ? text.substr(4) : text;
  if (const auto ago = ParseDuration(past); ago.ok()) return now - ToMs(*ago);
  HONRYU_TRY(const Timestamp time, ParseTimestamp(text));
  return ToMs(time);
}

/// A round width of which about kColumns fit into the span.
std::int64_t Interval(std::int64_t span_ms) {
  constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
  constexpr std::array<std::int64_t, 18> kWidths = {
      100,          500,          kSecond,   2 * kSecond, 5 * kSecond, 10 * kSecond,
      15 * kSecond, 30 * kSecond, kMinute,   2 * kMinute, 5 * kMinute, 10 * kMinute,
      30 * kMinute, kHour,        3 * kHour, 6 * kHour,   12 * kHour,  kDay};
  for (const std::int64_t width : kWidths)
    if (span_ms / width <= kColumns) return width;
  return (span_ms / kColumns / kDay + 1) * kDay;
}

std::string Quoted(std::string_view text) {
  std::string out;
  codec::AppendJsonString(text, out);
  return out;
}

std::string Body(const Options& options, std::int64_t from, std::int64_t to) {
  const std::string lo = std::to_string(from), hi = std::to_string(to);
  return R"({"size":)" + std::to_string(options.size) + R"(,"track_total_hits":true,"sort":[{"_time":")" +
         (options.oldest_first ? "asc" : "desc") +
         R"("}],"query":{"bool":{"must":[{"query_string":{"query":)" + Quoted(options.query) +
         R"(}}],"filter":[{"range":{"_time":{"gte":)" + Quoted(TimeText(options.from)) + R"(,"lte":)" +
         Quoted(TimeText(options.to)) + R"(}}}]}},"highlight":{"number_of_fragments":0,"pre_tags":[)" +
         Quoted(kMark) + R"(],"post_tags":[)" + Quoted(kUnmark) +
         R"(],"fields":{"*":{}}},"aggs":{"times":{"date_histogram":{"field":"_time","min_doc_count":0,)" +
         R"("fixed_interval":")" + std::to_string(Interval(std::max<std::int64_t>(1, to - from))) +
         R"(ms","extended_bounds":{"min":)" + lo + R"(,"max":)" + hi + R"(},"hard_bounds":{"min":)" + lo +
         R"(,"max":)" + hi + "}}}}}";
}

async::Task<Result<http::ClientResponse>> Send(http::Client* client, http::ClientRequest request) {
  Result<http::ClientResponse> response =
      co_await client->Send(async::Context::WithTimeout(std::chrono::seconds(60)), std::move(request));
  co_return response;
}

std::string Highlighted(const Style& style, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto begin = text.find(kMark);
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) break;
    const auto end = text.find(kUnmark, begin);
    out += style.Paint("1;33", text.substr(begin + 1, end - begin - 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

/// What a terminal would obey must not come from an event.
std::string Harmless(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += static_cast<unsigned char>(c) < 0x20 && c != kMark[0] && c != kUnmark[0] ? ' ' : c;
  return out;
}

void AppendMembers(const Style& style, const Json& json, const std::string& path, const Json* highlights,
                   std::string& line) {
  for (const auto& [name, value] : json.object()) {
    const std::string full = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      AppendMembers(style, value, full, highlights, line);
      continue;
    }
    std::string text = value.is_string() ? std::string(value.StringOr("")) : value.Dump();
    const Json* marked = highlights != nullptr ? highlights->Find(full) : nullptr;
    if (marked != nullptr && value.is_string() && !marked->array().empty())
      text = marked->array()[0].StringOr("");
    line += "  " + style.Paint("2", Harmless(full) + "=") + Highlighted(style, Harmless(text));
  }
}

void PrintHit(const Style& style, const Json& hit) {
  const Json* sort = hit.Find("sort");
  const Json* source = hit.Find("_source");
  if (sort == nullptr || sort->array().empty() || source == nullptr) return;
  std::string line = style.Paint("36", FormatTimestamp(TimestampFromMs(sort->array()[0].IntOr(0))));
  AppendMembers(style, *source, "", hit.Find("highlight"), line);
  std::printf("%s\n", line.c_str());
}

void PrintHistogram(const Style& style, const Json& buckets, std::int64_t from, std::int64_t to) {
  constexpr std::array<const char*, 9> kBars = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::int64_t most = 0;
  for (const Json& bucket : buckets.array())
    if (const Json* count = bucket.Find("doc_count")) most = std::max(most, count->IntOr(0));
  if (most == 0) return;
  std::string bars;
  for (const Json& bucket : buckets.array()) {
    const Json* count = bucket.Find("doc_count");
    const std::int64_t n = count != nullptr ? count->IntOr(0) : 0;
    bars += kBars[n == 0 ? 0 : static_cast<std::size_t>(1 + (n * 7) / most)];
  }
  std::printf("%s  most %lld\n", style.Paint("32", bars).c_str(), static_cast<long long>(most));
  const std::string begin = FormatTimestamp(TimestampFromMs(from)).substr(0, 19),
                    end = FormatTimestamp(TimestampFromMs(to)).substr(0, 19);
  std::printf("%s\n\n", style.Paint("2", begin + " … " + end).c_str());
}

int Run(const Options& options) {
  const std::int64_t now = ToMs(SystemClock().Now());
  const Result<std::int64_t> from = TimeMs(options.from, now), to = TimeMs(options.to, now);
  if (!from.ok()) return Fail(from.error().WithContext("--from"));
  if (!to.ok()) return Fail(to.error().WithContext("--to"));
  if (*from >= *to) return Fail(Error(ErrorCode::kInvalidArgument, "--from must be before --to"));
  Connection connection(options.url);
  const Result<http::Endpoint> endpoint = http::ParseUrl(options.url);
  if (!endpoint.ok()) return Fail(endpoint.error());
  http::ClientRequest request;
  request.method = "POST";
  request.endpoint = *endpoint;
  request.endpoint.path = "/" + options.index + "/_search";
  request.idempotent = true;
  request.headers.Add("Content-Type", "application/json");
  if (!options.api_key.empty()) request.headers.Add("Authorization", "Bearer " + options.api_key);
  request.body = Bytes(Body(options, *from, *to));
  const Result<http::ClientResponse> response =
      connection.runtime().BlockOn(Send(&connection.http(), std::move(request)));
  if (!response.ok()) return Fail(response.error().WithContext(options.url));
  if (options.json) {
    std::printf("%.*s\n", static_cast<int>(response->body.size()), response->body.data());
    return response->status == 200 ? 0 : 1;
  }
  const Result<Json> answer = Json::Parse(response->body.view());
  if (!answer.ok())
    return Fail(Error(ErrorCode::kInvalidArgument, options.url + " does not answer as a search port"));
  if (response->status != 200) {
    const Json* error = answer->Find("error");
    const Json* reason = error != nullptr ? error->Find("reason") : nullptr;
    return Fail(Error(ErrorCode::kInvalidArgument,
                      std::string(reason != nullptr ? reason->StringOr("") : "HTTP error") + " (" +
                          std::to_string(response->status) + ")"));
  }
  Style style;
  style.on = !options.no_color && std::getenv("NO_COLOR") == nullptr && ::isatty(STDOUT_FILENO) == 1;
  const Json* aggregations = answer->Find("aggregations");
  const Json* times = aggregations != nullptr ? aggregations->Find("times") : nullptr;
  const Json* buckets = times != nullptr ? times->Find("buckets") : nullptr;
  if (buckets != nullptr) PrintHistogram(style, *buckets, *from, *to);
  const Json* hits = answer->Find("hits");
  const Json* list = hits != nullptr ? hits->Find("hits") : nullptr;
  if (list != nullptr)
    for (const Json& hit : list->array()) PrintHit(style, hit);
  const Json* total = hits != nullptr ? hits->Find("total") : nullptr;
  const Json* count = total != nullptr ? total->Find("value") : nullptr;
  const Json* took = answer->Find("took");
  std::fprintf(stderr, "%lld found in %lld ms\n",
               static_cast<long long>(count != nullptr ? count->IntOr(0) : 0),
               static_cast<long long>(took != nullptr ? took->IntOr(0) : 0));
  return 0;
}

}  // namespace

void AddSearchCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("search", "Search events, newest first, with a histogram of when they happened");
  command
      ->add_option("query", options->query,
                   "In the syntax of Lucene: words, \"phrases\", field:value, AND OR NOT")
      ->capture_default_str();
  command->add_option("--from", options->from, "How long ago (15m, 2h, 7d), or a time")
      ->capture_default_str();
  command->add_option("--to", options->to, "The same, or \"now\"")->capture_default_str();
  command->add_option("--index", options->index, "Indices: names and patterns with commas between them")
      ->capture_default_str();
  command->add_option("--size", options->size, "Events to show")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command->add_option("--url", options->url, "The search port")->capture_default_str();
  command->add_option("--api-key", options->api_key, "Sent as a bearer token")->envname("HONRYU_API_KEY");
  command->add_flag("--oldest-first", options->oldest_first, "The oldest events instead of the newest");
  command->add_flag("--json", options->json, "The server's answer as it is");
  command->add_flag("--no-color", options->no_color, "Plain text, also on a terminal");
  command->footer(
      "honryu search 'level:error AND message:\"connection reset\"' --from 1h\n"
      "honryu search '東京 -status:200' --from 2026-11-21T09:00:00Z --to 2026-11-21T10:00:00Z --size 100");
  command->callback([options, exit_code] { *exit_code = Run(*options); });
}

}  // namespace honryu::app
