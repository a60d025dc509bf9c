#include "series_watch.h"

#include "honryu/base/crc32c.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace honryu::processors::detector {

namespace {

anomaly::SeriesOptions OptionsOf(const Watch& watch, const std::string& key) {
  anomaly::SeriesOptions options;
  options.trees = watch.trees;
  options.sample_size = watch.sample_size;
  options.silent_rows = watch.silent_rows;
  options.season.slot = watch.season_slot;
  options.shingle = watch.shingle;
  // Forests of different keys do not err together.
  options.seed = watch.seed * 0x9e3779b97f4a7c15ULL ^ Hash64(key);
  return options;
}

}  // namespace

std::string Anomaly::id() const { return watch + "{" + key + "}/" + std::to_string(ToMs(to)); }

SeriesWatch::SeriesWatch(Watch watch) : watch_(std::move(watch)), reader_(watch_.series) {}

std::size_t SeriesWatch::memory_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [key, series] : detectors_) bytes += series.detector.MemoryBytes();
  return bytes;
}

SeriesWatch::Series& SeriesWatch::SeriesOf(const std::string& key) {
  if (const auto found = detectors_.find(key); found != detectors_.end()) {
    used_.splice(used_.begin(), used_, found->second.place);
    return found->second;
  }
  if (detectors_.size() >= watch_.max_series) {
    detectors_.erase(used_.back());
    used_.pop_back();
    ++evicted_;
  }
  used_.push_front(key);
  // The options were checked with the watch.
  anomaly::SeriesDetector detector = anomaly::SeriesDetector::Create(OptionsOf(watch_, key)).value();
  Series series{std::move(detector), used_.begin(), {}, {}, false, false};
  series.conditions.resize(watch_.conditions.size());
  return detectors_.emplace(key, std::move(series)).first->second;
}

// Forests find values that are rare; people want those that are also far off: in parts of the usual value,
// and of its spread (nine of ten values lie between low and high: 3.3 standard deviations of a normal one).
bool SeriesWatch::FarFromUsual(const alerting::Sample& sample, const anomaly::ExpectedValue& expected) const {
  const double change = std::abs(sample.value - expected.median);
  const double deviation = (expected.high - expected.low) / 3.3;
  return change >= watch_.least_change * std::abs(expected.median) &&
         change >= watch_.least_deviations * deviation;
}

bool SeriesWatch::OddByForest(Series& series, const alerting::Sample& sample, Anomaly& found) {
  const bool ready = series.detector.ready();
  found.score = series.detector.Process(sample.time, sample.value);
  if (!ready) return false;
  found.cause = anomaly::SeriesCauseName(found.score.cause);
  if (!(found.score.grade > 0) || found.score.grade < watch_.least_grade) return false;
  found.expected = series.detector.Expect(sample.time);
  return FarFromUsual(sample, found.expected);
}

// Every condition takes every sample. What one of them says stands before what the forests do: people have
// set it.
bool SeriesWatch::OddByCondition(Series& series, const alerting::Sample& sample, Anomaly& found) const {
  bool odd = false;
  for (std::size_t i = 0; i < series.conditions.size(); ++i) {
    const alerting::Condition& when = watch_.conditions[i];
    if (!series.conditions[i].Observe(when, sample.time, sample.value) || odd) continue;
    odd = true;
    found.score.grade = 1;
    found.score.above =
        when.is == alerting::ConditionKind::kAbove || when.is == alerting::ConditionKind::kRise;
    found.cause = alerting::ConditionName(when.is);
    found.limit = series.conditions[i].limit();
  }
  return odd;
}

Anomaly SeriesWatch::About(const std::string& key, const Series& series, Timestamp to) const {
  Anomaly found;
  found.watch = watch_.name;
  found.stream = watch_.stream;
  found.key = key;
  found.to = to;
  found.from = found.raw_from = series.seen == Timestamp() ? to : series.seen;
  return found;
}

void SeriesWatch::Score(const alerting::Sample& sample, std::optional<Timestamp> window, bool report,
                        std::vector<Anomaly>& out) {
  Series& series = SeriesOf(sample.key);
  ++scored_;
  Anomaly found = About(sample.key, series, sample.time);
  series.seen = sample.time;
  series.absent = false;
  if (watch_.series.reading == alerting::Reading::kIncrement) {
    found.from = sample.time - std::chrono::milliseconds(ToMs(watch_.series.resolution));
    found.raw_from = found.from - std::chrono::milliseconds(ToMs(watch_.raw_lead));
  } else if (window.has_value() && *window < sample.time) {
    found.from = found.raw_from = *window;  // all that the row tells of came since its window began
  }
  const bool by_forest = OddByForest(series, sample, found);
  const bool odd = OddByCondition(series, sample, found) || by_forest;
  const bool over = series.odd && !odd;  // told too, so that readers know how long it lasted
  series.odd = odd;
  if (!report || (!odd && !over)) return;
  found.value = sample.value;
  if (over) found.score.grade = 0;
  if (!by_forest) found.expected = series.detector.Expect(sample.time);
  found.row = sample.row;
  out.push_back(std::move(found));
}

void SeriesWatch::Read(const codec::Json& json, const client::StreamRecord& record, const std::string& shard,
                       bool report, std::vector<Anomaly>& out) {
  std::vector<alerting::Sample> samples;
  reader_.Read(json, record.data.view(), record.arrival, samples);
  if (samples.empty()) return;
  const std::optional<Timestamp> window = alerting::WindowStart(json, watch_.series.window_start);
  const std::size_t before = out.size();
  for (const alerting::Sample& sample : samples) Score(sample, window, report, out);
  for (std::size_t i = before; i < out.size(); ++i) {
    out[i].shard = shard;
    out[i].sequence = record.sequence;
  }
}

void SeriesWatch::Advance(Timestamp now, bool report, std::vector<Anomaly>& out) {
  std::vector<alerting::Sample> samples;
  reader_.Advance(now, samples);
  for (const alerting::Sample& sample : samples) Score(sample, std::nullopt, report, out);
  if (watch_.absent_after > Duration::zero()) TellOfTheAbsent(now, report, out);
}

void SeriesWatch::TellOfTheAbsent(Timestamp now, bool report, std::vector<Anomaly>& out) {
  const auto patience = std::chrono::milliseconds(ToMs(watch_.absent_after));
  for (auto& [key, series] : detectors_) {
    if (series.absent || series.seen + patience > now) continue;
    series.absent = series.odd = true;
    if (!report) continue;
    Anomaly found = About(key, series, series.seen + patience);
    found.score.grade = 1;
    found.cause = alerting::ConditionName(alerting::ConditionKind::kAbsent);
    found.expected = series.detector.Expect(found.to);
    out.push_back(std::move(found));
  }
}

std::string ToJson(const Anomaly& anomaly, const std::string& raw) {
  std::string text;
  codec::JsonWriter json(text);
  const auto number = [&json](std::string_view name, double value) {
    json.Key(name);
    json.Double(value);
  };
  const auto word = [&json](std::string_view name, std::string_view value) {
    json.Key(name);
    json.String(value);
  };
  json.BeginObject();
  word("id", anomaly.id());
  word("watch", anomaly.watch);
  word("key", anomaly.key);
  json.Key("from");
  json.Int(ToMs(anomaly.from));
  json.Key("to");
  json.Int(ToMs(anomaly.to));
  number("value", anomaly.value);
  number("score", anomaly.score.score);
  number("grade", anomaly.score.grade);
  word("direction", anomaly.score.above ? "high" : "low");
  json.Key("attribution");
  json.BeginObject();
  word("cause", anomaly.cause);
  number("change", anomaly.value - anomaly.expected.median);
  if (anomaly.limit.has_value()) number("limit", *anomaly.limit);
  json.Key("parts");
  json.BeginArray();
  for (const anomaly::ScorePart& part : anomaly.score.parts) {
    json.BeginObject();
    word("view", anomaly::SeriesCauseName(part.view));
    json.Key("lag");
    json.Uint(part.lag);
    number("high", part.high);
    number("low", part.low);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  json.Key("expected");
  json.BeginObject();
  number("value", anomaly.expected.median);
  number("low", anomaly.expected.low);
  number("high", anomaly.expected.high);
  json.EndObject();
  word("stream", anomaly.stream);
  if (!anomaly.shard.empty()) {
    word("shard", anomaly.shard);
    word("sequence", anomaly.sequence.ToDecimal());
  }
  if (!anomaly.row.empty()) {
    json.Key("row");
    json.Raw(anomaly.row);
  }
  if (!raw.empty()) {
    json.Key("raw");
    json.Raw(raw);
  }
  json.EndObject();
  return text;
}

}  // namespace honryu::processors::detector
