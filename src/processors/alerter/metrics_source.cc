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

// All that tells the series from others, but the shard.
std::string Siblings(const Line& line) {
  std::string text = line.name;
  for (const auto& [label, value] : line.labels) {
    if (label != "shard") text += "\n" + label + "=" + value;
  }
  return text;
}

}  // namespace

std::vector<std::string> MetricRows::Read(std::string_view exposition, Timestamp now) {
  struct Found {
    Line line;
    std::optional<double> rate;
  };
  std::vector<Found> all;
  std::map<std::string, double> seen;
  std::map<std::string, std::pair<double, double>> siblings;  // sum of rates, and how many
  const double seconds = static_cast<double>(ToMs(now - last_time_)) / 1000;
  for (std::size_t at = 0; at < exposition.size();) {
    const std::size_t end = std::min(exposition.find('\n', at), exposition.size());
    std::optional<Line> line = ReadLine(exposition.substr(at, end - at));
    at = end + 1;
    if (!line.has_value() || std::none_of(patterns_.begin(), patterns_.end(), [&line](const auto& pattern) {
          return alerting::GlobMatch(pattern, line->name);
        }))
      continue;
    Found found;
    if (line->name.ends_with("_total")) {
      std::string id = Siblings(*line);
      if (const auto shard = line->labels.find("shard"); shard != line->labels.end())
        id += "\nshard=" + shard->second;
      const auto last = last_.find(id);
      // A counter that fell was made anew: what it shows came since.
      if (last != last_.end() && seconds > 0)
        found.rate = (line->value >= last->second ? line->value - last->second : line->value) / seconds;
      seen[id] = line->value;
      if (found.rate.has_value() && line->labels.contains("shard")) {
        auto& [sum, count] = siblings[Siblings(*line)];
        sum += *found.rate;
        count += 1;
      }
    }
    found.line = std::move(*line);
    all.push_back(std::move(found));
  }
  last_ = std::move(seen);
  last_time_ = now;
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
      const auto group = siblings.find(Siblings(found.line));
      if (found.line.labels.contains("shard") && group != siblings.end() && group->second.first > 0) {
        json.Key("skew");
        json.Double(*found.rate * group->second.second / group->second.first);
      }
    }
    json.EndObject();
    rows.push_back(std::move(text));
  }
  return rows;
}

struct MetricsSource::Impl {
  Impl(MetricsSourceConfig settings, client::StreamClient& stream_client, async::Executor home,
       const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        executor(std::move(home)),
        clock(source),
        metrics(registry),
        rows(config.patterns) {}

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
      std::vector<client::PutEntry> entries;
      std::vector<std::string> texts = rows.Read(metrics.Render(), clock.Now());
      for (std::string& text : texts) {
        if (entries.size() == 500) break;
        client::PutEntry entry;
        entry.partition_key = "metrics";
        entry.data = Bytes(std::move(text));
        entries.push_back(std::move(entry));
      }
      if (entries.empty()) continue;
      Result<std::vector<Result<client::PutPosition>>> put =
          co_await client.Put(async::Context::WithTimeout(kCallTimeout), config.stream, std::move(entries));
      if (!put.ok()) LOG_LIMITED(info, "own metrics not written", {"error", put.error()});
    }
  }

  const MetricsSourceConfig config;
  client::StreamClient& client;
  const async::Executor executor;
  const Clock& clock;
  obs::Registry& metrics;
  MetricRows rows;
  async::TaskGroup background;
};

MetricsSource::MetricsSource(MetricsSourceConfig config, client::StreamClient& client,
                             async::Executor executor, const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, std::move(executor), clock, metrics)) {}
MetricsSource::~MetricsSource() = default;
void MetricsSource::Start() { impl_->background.Spawn(impl_->executor, "own metrics", impl_->Run()); }
async::Task<void> MetricsSource::Stop() {
  impl_->background.Cancel();
  Result<void> joined = co_await impl_->background.Join();
}

}  // namespace honryu::processors::alerter
