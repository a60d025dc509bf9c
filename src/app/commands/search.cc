#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"
#include "search_tail.h"
#include "search_view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace honryu::app {
namespace {

using codec::Json;

struct Options {
  std::string query = "*";
  std::string url = "http://127.0.0.1:9200";
  std::string index = "events";
  std::string from = "15m", to = "now";
  std::string api_key, color = "auto", output = "text";
  std::vector<std::string> fields;
  int size = 20;
  bool json = false, no_color = false, oldest_first = false, follow = false, wrap = false, local = false,
       histogram = false;
};

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::chrono::seconds kFollowEvery{1};

/// Midnight of the day that holds `ms`, in the zone in which times are shown.
std::int64_t Midnight(std::int64_t ms, bool local) {
  if (!local) return ms - ms % kDayMs;
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_isdst = -1;
  return static_cast<std::int64_t>(::mktime(&parts)) * 1000;
}

/// Milliseconds since 1970 of "15m", "now-15m", "now", "today", "yesterday", or a time.
Result<std::int64_t> TimeMs(const std::string& text, std::int64_t now, bool local) {
  if (text == "now") return now;
  if (text == "today") return Midnight(now, local);
  if (text == "yesterday") return Midnight(Midnight(now, local) - 1, local);
  const std::string past = text.starts_with("now-") ? text.substr(4) : text;
  if (const auto ago = ParseDuration(past); ago.ok()) return now - ToMs(*ago);
  const Result<Timestamp> time = ParseTimestamp(text);
  if (time.ok()) return ToMs(*time);
  return Error(ErrorCode::kInvalidArgument,
               "expected how long ago (15m, 2h, 7d), today, yesterday, now or a time "
               "(2026-11-21T09:00:00Z), found \"" +
                   text + "\"");
}

std::string Quoted(std::string_view text) {
  std::string out;
  codec::AppendJsonString(text, out);
  return out;
}

std::string Matching(const Options& options) {
  return R"({"query_string":{"query":)" + Quoted(options.query) + "}}";
}

std::string Highlighting() {
  return R"("highlight":{"number_of_fragments":0,"pre_tags":[)" + Quoted(kMark) + R"(],"post_tags":[)" +
         Quoted(kUnmark) + R"(],"fields":{"*":{}}})";
}

struct Span {
  std::int64_t from = 0, to = 0, bar = 0;
};

std::string Body(const Options& options, const Span& span, bool histogram) {
  const std::string lo = std::to_string(span.from), hi = std::to_string(span.to);
  std::string body =
      R"({"size":)" + std::to_string(options.size) + R"(,"track_total_hits":true,"sort":[{"_time":")" +
      (options.oldest_first ? "asc" : "desc") + R"("}],"query":{"bool":{"must":[)" + Matching(options) +
      R"(],"filter":[{"range":{"_time":{"gte":)" + lo + R"(,"lte":)" + hi + "}}}]}}," + Highlighting();
  if (histogram)
    body += R"(,"aggs":{"times":{"date_histogram":{"field":"_time","min_doc_count":0,"fixed_interval":")" +
            std::to_string(span.bar) + R"(ms","extended_bounds":{"min":)" + lo + R"(,"max":)" + hi +
            R"(},"hard_bounds":{"min":)" + lo + R"(,"max":)" + hi + "}}}}";
  return body + "}";
}

async::Task<Result<http::ClientResponse>> Send(http::Client* client, http::ClientRequest request) {
  Result<http::ClientResponse> response =
      co_await client->Send(async::Context::WithTimeout(std::chrono::seconds(60)), std::move(request));
  co_return response;
}

/// The search port of one server.
class Searcher {
 public:
  Searcher(const Options& options, http::Endpoint endpoint)
      : options_(options), connection_(options.url), endpoint_(std::move(endpoint)) {
    endpoint_.path = "/" + options.index + "/_search";
  }
  Result<http::ClientResponse> Ask(const std::string& body) {
    http::ClientRequest request;
    request.method = "POST";
    request.endpoint = endpoint_;
    request.idempotent = true;
    request.headers.Add("Content-Type", "application/json");
    if (!options_.api_key.empty()) request.headers.Add("Authorization", "Bearer " + options_.api_key);
    request.body = Bytes(std::string(body));
    auto response = connection_.runtime().BlockOn(Send(&connection_.http(), std::move(request)));
    if (!response.ok()) return response.error().WithContext(options_.url);
    return response;
  }
  Result<Json> Search(const std::string& body) {
    HONRYU_TRY(const auto response, Ask(body));
    return Read(response);
  }
  Result<Json> Read(const http::ClientResponse& response) const {
    auto answer = Json::Parse(response.body.view());
    if (!answer.ok())
      return Error(ErrorCode::kInvalidArgument, options_.url + " does not answer as a search port");
    if (response.status == 200) return answer;
    const Json* error = answer->Find("error");
    const Json* reason = error != nullptr ? error->Find("reason") : nullptr;
    return Error(response.status >= 500 || response.status == 429 ? ErrorCode::kUnavailable
                                                                  : ErrorCode::kInvalidArgument,
                 std::string(reason != nullptr ? reason->StringOr("") : "HTTP error") + " (" +
                     std::to_string(response.status) + ")");
  }

 private:
  const Options& options_;
  Connection connection_;
  http::Endpoint endpoint_;
};

const Json* At(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* at = &json;
  for (const auto name : path)
    if (at != nullptr) at = at->Find(name);
  return at;
}

std::int64_t NumberAt(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* at = At(json, path);
  return at != nullptr ? at->IntOr(0) : 0;
}

/// What an answer is not, on standard error: it must not pass for the whole.
void WarnOfParts(const Json& answer) {
  if (const Json* late = answer.Find("timed_out"); late != nullptr && late->BoolOr(false))
    std::fprintf(stderr, "honryu: the search came to its time limit: there may be more\n");
  if (const auto failed = NumberAt(answer, {"_shards", "failed"}); failed > 0)
    std::fprintf(stderr, "honryu: %lld part(s) of the store could not be searched: there may be more\n",
                 static_cast<long long>(failed));
}

/// JSON for standard output: a terminal obeys nothing of it.
std::string Shown(std::string_view json) {
  return ::isatty(STDOUT_FILENO) == 1 ? HarmlessJson(json) : std::string(json);
}

void PrintHit(const SearchView& view, const Options& options, const Json& hit) {
  if (options.output == "text")
    std::printf("%s\n", view.Event(hit).c_str());
  else if (const Json* source = hit.Find("_source"))
    std::printf("%s\n", Shown(source->Dump()).c_str());
}

int Once(Searcher& searcher, const Options& options, SearchView view, Span span, std::size_t columns) {
  const bool histogram = options.output == "text" && (options.histogram || columns > 0);
  span.bar =
      BarWidth(span.to - span.from,
               std::clamp<std::int64_t>(columns == 0 ? 80 : static_cast<std::int64_t>(columns), 20, 120));
  const auto response = searcher.Ask(Body(options, span, histogram || options.output == "answer"));
  if (!response.ok()) return Fail(response.error());
  if (options.output == "answer") {
    const std::string text = Shown(response->body.view());
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
    return response->status == 200 ? 0 : 1;
  }
  const auto answer = searcher.Read(*response);
  if (!answer.ok()) return Fail(answer.error());
  if (const Json* buckets = At(*answer, {"aggregations", "times", "buckets"});
      histogram && buckets != nullptr)
    if (const auto chart = view.Histogram(*buckets, span.from, span.to, span.bar); !chart.empty())
      std::printf("%s\n", chart.c_str());
  if (const Json* hits = At(*answer, {"hits", "hits"}))
    for (const Json& hit : hits->array()) PrintHit(view, options, hit);
  std::fflush(stdout);
  WarnOfParts(*answer);
  const auto found = NumberAt(*answer, {"hits", "total", "value"});
  const auto shown = std::min<std::int64_t>(found, options.size);
  SearchView whole = view;
  whole.whole_time = true;
  if (found == 0)
    std::fprintf(stderr, "nothing found from %s to %s; --from 24h looks further back\n",
                 whole.Time(span.from).c_str(), whole.Time(span.to).c_str());
  else
    std::fprintf(stderr, "%s found in %lld ms%s\n", Grouped(found).c_str(),
                 static_cast<long long>(NumberAt(*answer, {"took"})),
                 shown == found ? ""
                                : (std::string(options.oldest_first ? ", the oldest " : ", the newest ") +
                                   Grouped(shown) + " shown (-n for more)")
                                      .c_str());
  return 0;
}

int Follow(Searcher& searcher, Options options, const SearchView& view, const Span& span) {
  SearchTail tail;
  const auto ends = searcher.Search(SearchTail::BeginBody());
  if (!ends.ok()) return Fail(ends.error());
  if (const auto begun = tail.Begin(*ends); !begun.ok()) return Fail(begun.error());
  // What is there first, the newest at the bottom.
  options.oldest_first = false;
  const auto before = searcher.Search(Body(options, span, false));
  if (!before.ok()) return Fail(before.error());
  WarnOfParts(*before);
  const auto print = [&](const Json& hit) { PrintHit(view, options, hit); };
  std::set<std::string> shown;  // came after the tail began, and before this
  const auto name_of = [](const Json& hit) {
    const Json *index = hit.Find("_index"), *id = hit.Find("_id");
    return std::string(index != nullptr ? index->StringOr("") : "") + "/" +
           std::string(id != nullptr ? id->StringOr("") : "");
  };
  if (const Json* hits = At(*before, {"hits", "hits"}))
    for (auto hit = hits->array().rbegin(); hit != hits->array().rend(); ++hit) {
      print(*hit);
      shown.insert(name_of(*hit));
    }
  bool told = false, damaged = NumberAt(*before, {"_shards", "failed"}) > 0;
  const auto next = [&]() -> Result<SearchTail::Events> {
    HONRYU_TRY(const auto answer, searcher.Search(tail.Body(Matching(options), Highlighting())));
    HONRYU_TRY(auto events, tail.Take(answer));
    const bool was = std::exchange(damaged, NumberAt(answer, {"_shards", "failed"}) > 0);
    if (damaged && !was) WarnOfParts(answer);
    return events;
  };
  for (;;) {
    std::fflush(stdout);
    const auto events = next();
    if (!events.ok() && events.error().code() == ErrorCode::kInvalidArgument) return Fail(events.error());
    if (!events.ok() && !told)
      std::fprintf(stderr, "honryu: %s; trying again\n", events.error().message().c_str());
    if (events.ok() && told) std::fprintf(stderr, "honryu: the server answers again\n");
    told = !events.ok();
    if (events.ok())
      for (const Json& hit : events->hits)
        if (!shown.contains(name_of(hit))) print(hit);
    if (events.ok() && events->full) continue;
    if (events.ok()) shown.clear();  // what came while the tail began is through
    std::this_thread::sleep_for(kFollowEvery);
  }
}

std::size_t TerminalColumns() {
  if (::isatty(STDOUT_FILENO) != 1) return 0;
  struct winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int Run(Options options) {
  if (options.json) options.output = "answer";
  const std::int64_t now = ToMs(SystemClock().Now());
  const auto from = TimeMs(options.from, now, options.local), to = TimeMs(options.to, now, options.local);
  if (!from.ok()) return Fail(from.error().WithContext("--from"));
  if (!to.ok()) return Fail(to.error().WithContext("--to"));
  if (*from >= *to) return Fail(Error(ErrorCode::kInvalidArgument, "--from must be before --to"));
  const Result<http::Endpoint> endpoint = http::ParseUrl(options.url);
  if (!endpoint.ok()) return Fail(endpoint.error());
  const auto columns = TerminalColumns();
  const char* const no_color = std::getenv("NO_COLOR");
  SearchView view;
  view.color = options.color == "always" || (options.color == "auto" && !options.no_color && columns > 0 &&
                                             (no_color == nullptr || *no_color == '\0'));
  view.width = options.wrap ? 0 : columns;
  view.local = options.local;
  view.fields = options.fields;
  // Of one day, a terminal shows the time of day.
  view.whole_time = columns == 0 || Midnight(*from, options.local) != Midnight(*to, options.local);
  Searcher searcher(options, *endpoint);
  const Span span{*from, *to, 0};
  if (options.follow) return Follow(searcher, options, view, span);
  return Once(searcher, options, view, span, columns);
}

}  // namespace

void AddSearchCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("search", "Search events, newest first, with a histogram of when they happened");
  command
      ->add_option("query", options->query,
                   "In the syntax of Lucene: words, \"phrases\", field:value, AND OR NOT, wild*, [1 TO 5]")
      ->capture_default_str();
  command->add_option("--from", options->from, "How long ago (15m, 2h, 7d), today, yesterday, or a time")
      ->capture_default_str();
  command->add_option("--to", options->to, "The same, or \"now\"")->capture_default_str();
  command->add_option("-i,--index", options->index, "Indices: names and patterns with commas between them")
      ->capture_default_str();
  command->add_option("-n,--size", options->size, "Events to show")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command->add_flag("-f,--follow", options->follow, "Then show new events as they come, until interrupted");
  command->add_flag("--oldest-first", options->oldest_first, "The oldest events instead of the newest");
  command->add_option("--fields", options->fields, "Only these members: user_id,properties.page")
      ->delimiter(',');
  command
      ->add_option("-o,--output", options->output,
                   "text: a line an event; json: its JSON, one a line; answer: the server's answer as it is")
      ->check(CLI::IsMember({"text", "json", "answer"}))
      ->capture_default_str();
  command->add_flag("--json", options->json, "The same as --output answer");
  command->add_flag("--histogram", options->histogram, "Also where the output is no terminal");
  command->add_flag("-w,--wrap", options->wrap, "Whole lines, also where they are wider than the terminal");
  command->add_flag("--local", options->local, "Times in the zone of this machine instead of UTC");
  command
      ->add_option("--color", options->color,
                   "auto: on a terminal, unless NO_COLOR is set; always (for less -R); never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  command->add_flag("--no-color", options->no_color, "The same as --color never");
  command->add_option("--url", options->url, "The search port")
      ->capture_default_str()
      ->envname("HONRYU_SEARCH_URL");
  command->add_option("--api-key", options->api_key, "Sent as a bearer token")->envname("HONRYU_API_KEY");
  command->footer(
      "Events go to standard output, how many there are to standard error. Exit codes: 0 (also when nothing "
      "is found), 1 failed, 2 wrong use.\n"
      "honryu search 'level:error AND message:\"connection reset\"' --from 1h\n"
      "honryu search '東京 -status:200' --from 2026-11-21T09:00:00Z --to 2026-11-21T10:00:00Z -n 100\n"
      "honryu search 'event_type:error' --follow --fields user_id,properties.message\n"
      "honryu search 'user_id:u7' --from 7d -n 10000 -o json | jq -r .event_type | sort | uniq -c");
  command->callback([options, exit_code] { *exit_code = Run(*options); });
}

}  // namespace honryu::app
