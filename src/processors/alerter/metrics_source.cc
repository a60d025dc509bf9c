#include "honryu/processors/alerter/metrics_source.h"

#include "honryu/alerting/series.h"
#include "honryu/async/task_group.h"
#include "honryu/codec/json.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace honryu::processors::alerter {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(5);
constexpr std::size_t kMostTargets = 100;
constexpr std::size_t kMostRows = 5000;   // of one look; the rest is left out
constexpr std::size_t kPutEntries = 500;  // as many as the Kinesis API takes in one call
constexpr double kMostSkew = 1000;
constexpr std::string_view kInstance = "instance";

struct Line {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

// One line of the text format: name{label="text",…} value
std::optional<Line> ReadLine(std::string_view text) {
  Line line;
  const std::size_t end = text.find_first_of("{ ");
  if (text.empty() || text.front() == '#' || end == std::string_view::npos) return std::nullopt;
  line.name = text.substr(0, end);
  std::size_t at = end;
  if (text[at] == '{') {
    ++at;
    while (at < text.size() && text[at] != '}') {
      const std::size_t equals = text.find("=\"", at);
      if (equals == std::string_view::npos) return std::nullopt;
      const std::string label(text.substr(at, equals - at));
      std::string value;
      for (at = equals + 2; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && at + 1 < text.size()) {
          ++at;
          value += text[at] == 'n' ? '\n' : text[at];
        } else {
          value += text[at];
        }
      }
      line.labels[label] = std::move(value);
      ++at;
      if (at < text.size() && text[at] == ',') ++at;
    }
    ++at;
  }
  while (at < text.size() && text[at] == ' ') ++at;
  const std::string_view number = text.substr(std::min(at, text.size()));
  const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), line.value);
  if (error != std::errc() || !std::isfinite(line.value)) return std::nullopt;
  return line;
}

// All that tells the series from others; without shard and instance for those that are compared with it.
std::string Identity(const Line& line, bool whole) {
  std::string text = line.name;
  for (const auto& [label, value] : line.labels) {
    if (whole || (label != "shard" && label != kInstance)) text += "\n" + label + "=" + value;
  }
  return text;
}

http::Endpoint MetricsPage(const std::string& url) {
  http::Endpoint endpoint = http::ParseUrl(url).value();
  if (endpoint.path.empty() || endpoint.path == "/") endpoint.path = "/metrics";
  return endpoint;
}

// Up or not, as Prometheus calls it.
std::string UpLine(bool up) { return up ? "up 1\n" : "up 0\n"; }

}  // namespace

std::vector<std::string> MetricRows::Read(const std::vector<Exposition>& expositions, Timestamp now) {
  struct Found {
    Line line;
    std::optional<double> rate;
  };
  std::vector<Found> all;
  std::map<std::string, double> seen;
  std::map<std::string, std::pair<double, double>> siblings;  // sum of rates, and how many
  const double seconds = static_cast<double>(ToMs(now - last_time_)) / 1000;
  const auto wanted = [this](const std::string& name) {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&name](const auto& pattern) { return alerting::GlobMatch(pattern, name); });
  };
  const auto take = [&](std::string_view text, const std::string& instance) {
    std::optional<Line> line = ReadLine(text);
    if (!line.has_value() || !wanted(line->name)) return;
    if (!instance.empty()) line->labels[std::string(kInstance)] = instance;
    Found found;
    if (line->name.ends_with("_total")) {
      const std::string id = Identity(*line, true);
      // A counter that fell was made anew: what it shows came since.
      if (const auto last = last_.find(id); last != last_.end() && seconds > 0)
        found.rate = (line->value >= last->second ? line->value - last->second : line->value) / seconds;
      seen[id] = line->value;
      if (found.rate.has_value() && line->labels.contains("shard")) {
        auto& [sum, count] = siblings[Identity(*line, false)];
        sum += *found.rate;
        count += 1;
      }
    }
    found.line = std::move(*line);
    all.push_back(std::move(found));
  };
  for (const Exposition& exposition : expositions) {
    const std::string_view text = exposition.text;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      take(text.substr(at, end - at), exposition.instance);
      at = end + 1;
    }
  }
  last_ = std::move(seen);
  last_time_ = now;
  const auto skew_of = [&](const Found& found) -> std::optional<double> {
    if (!found.rate.has_value() || !found.line.labels.contains("shard")) return std::nullopt;
    const auto& [sum, count] = siblings.at(Identity(found.line, false));
    if (count < 2 || sum <= 0 || sum < least_rate_) return std::nullopt;
    const double others = (sum - *found.rate) / (count - 1);
    return *found.rate < kMostSkew * others ? *found.rate / others : kMostSkew;
  };
  std::vector<std::string> rows;
  for (const Found& found : all) {
    std::string text;
    codec::JsonWriter json(text);
    json.BeginObject();
    json.Key("metric");
    json.String(found.line.name);
    json.Key("labels");
    json.BeginObject();
    for (const auto& [label, value] : found.line.labels) {
      json.Key(label);
      json.String(value);
    }
    json.EndObject();
    json.Key("value");
    json.Double(found.line.value);
    if (found.rate.has_value()) {
      json.Key("rate");
      json.Double(*found.rate);
    }
    if (const std::optional<double> skew = skew_of(found); skew.has_value()) {
      json.Key("skew");
      json.Double(*skew);
    }
    json.EndObject();
    rows.push_back(std::move(text));
  }
  return rows;
}

Result<void> MetricsSourceConfig::Validate() const {
  const auto wrong = [](const std::string& message) {
    return Error(ErrorCode::kInvalidArgument, "metrics: " + message);
  };
  if (stream.empty()) return wrong("stream is missing");
  if (interval <= Duration::zero() || timeout <= Duration::zero())
    return wrong("interval and timeout must be above zero");
  if (targets.size() > kMostTargets) return wrong("more than " + std::to_string(kMostTargets) + " targets");
  for (const std::string& target : targets) {
    if (const auto endpoint = http::ParseUrl(target); !endpoint.ok())
      return wrong("target " + target + ": " + endpoint.error().message());
  }
  if (!(least_rate >= 0)) return wrong("least_rate must not be negative");
  return Ok();
}

struct MetricsSource::Impl {
  Impl(MetricsSourceConfig settings, client::StreamClient& stream_client, http::Client& http_client,
       async::Executor home, const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        http(http_client),
        executor(std::move(home)),
        clock(source),
        metrics(registry),
        failures(registry.MakeCounter("honryu_alerter_scrape_failures_total",
                                      "Metrics pages that did not answer")),
        left_out(registry.MakeCounter("honryu_alerter_metric_rows_left_out_total",
                                      "Metrics that were too many for one look, or could not be written")),
        rows(config.patterns, config.least_rate) {
    for (const std::string& target : config.targets) {
      Exposition page;
      const http::Endpoint endpoint = MetricsPage(target);
      page.instance = endpoint.host + ":" + std::to_string(endpoint.port);
      endpoints.push_back(endpoint);
      pages.push_back(std::move(page));
    }
  }

  async::Task<void> Scrape(std::size_t index) {
    http::ClientRequest request;
    request.endpoint = endpoints[index];
    Result<http::ClientResponse> answer =
        co_await http.Send(async::Context::WithTimeout(config.timeout), std::move(request));
    const bool up = answer.ok() && answer->status == 200;
    pages[index].text = UpLine(up);
    if (up) {
      pages[index].text += answer->body.view();
      co_return;
    }
    failures.Add();
    LOG_LIMITED(info, "metrics page does not answer", {"instance", pages[index].instance});
  }

  async::Task<Result<void>> Look() {
    for (std::size_t i = 0; i < pages.size(); ++i) scrapes.Spawn(executor, "scrape metrics", Scrape(i));
    Result<void> joined = co_await scrapes.Join();
    if (!joined.ok()) co_return joined;
    std::vector<Exposition> expositions = pages;
    Exposition own;
    own.text = metrics.Render();
    expositions.push_back(std::move(own));
    std::vector<std::string> texts = rows.Read(expositions, clock.Now());
    if (texts.size() > kMostRows) {
      left_out.Add(static_cast<double>(texts.size() - kMostRows));
      texts.resize(kMostRows);
    }
    for (std::size_t at = 0; at < texts.size(); at += kPutEntries) {
      std::vector<client::PutEntry> entries;
      for (std::size_t i = at; i < std::min(texts.size(), at + kPutEntries); ++i) {
        client::PutEntry entry;
        entry.partition_key = "metrics";
        entry.data = Bytes(std::move(texts[i]));
        entries.push_back(std::move(entry));
      }
      const auto count = static_cast<double>(entries.size());
      Result<std::vector<Result<client::PutPosition>>> put =
          co_await client.Put(async::Context::WithTimeout(kCallTimeout), config.stream, std::move(entries));
      if (!put.ok()) {
        left_out.Add(count);
        LOG_LIMITED(info, "metrics not written", {"error", put.error()});
      }
    }
    co_return Ok();
  }

  async::Task<void> Run() {
    bool made = false;
    for (;;) {
      Result<void> slept = co_await async::SleepFor(config.interval);
      if (!slept.ok()) co_return;
      if (!made) {
        client::StreamSettings settings;
        settings.shards = 1;
        Result<void> ensured =
            co_await client.EnsureStream(async::Context::WithTimeout(kCallTimeout), config.stream, settings);
        made = ensured.ok();
        if (!made) continue;
      }
      Result<void> looked = co_await Look();
      if (!looked.ok()) co_return;
    }
  }

  const MetricsSourceConfig config;
  client::StreamClient& client;
  http::Client& http;
  const async::Executor executor;
  const Clock& clock;
  obs::Registry& metrics;
  obs::Counter failures, left_out;
  std::vector<http::Endpoint> endpoints;
  std::vector<Exposition> pages;  ///< As answered last; one an endpoint.
  MetricRows rows;
  async::TaskGroup scrapes;
  async::TaskGroup background;
};

MetricsSource::MetricsSource(MetricsSourceConfig config, client::StreamClient& client, http::Client& http,
                             async::Executor executor, const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, http, std::move(executor), clock, metrics)) {}
MetricsSource::~MetricsSource() = default;
void MetricsSource::Start() { impl_->background.Spawn(impl_->executor, "metrics", impl_->Run()); }
async::Task<void> MetricsSource::Stop() {
  impl_->background.Cancel();
  Result<void> joined = co_await impl_->background.Join();
  impl_->scrapes.Cancel();
  joined = co_await impl_->scrapes.Join();
}

}  // namespace honryu::processors::alerter
