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
  return detectors_.emplace(key, Series{std::move(detector), used_.begin(), false}).first->second;
}

// Forests find values that are rare; people want those that are also far off: in parts of the usual value,
// and of its spread (nine of ten values lie between low and high: 3.3 standard deviations of a normal one).
bool SeriesWatch::FarFromUsual(const Series& series, const alerting::Sample& sample,
                               anomaly::ExpectedValue& expected) const {
  expected = series.detector.Expect(sample.time);
  const double change = std::abs(sample.value - expected.median);
  const double deviation = (expected.high - expected.low) / 3.3;
  return change >= watch_.least_change * std::abs(expected.median) &&
         change >= watch_.least_deviations * deviation;
}

void SeriesWatch::Score(const alerting::Sample& sample, bool report, std::vector<Anomaly>& out) {
  Series& series = SeriesOf(sample.key);
  ++scored_;
  const bool ready = series.detector.ready();
  const anomaly::SeriesScore score = series.detector.Process(sample.time, sample.value);
  if (!ready) return;
  anomaly::ExpectedValue expected;
  const bool odd =
      score.grade > 0 && score.grade >= watch_.least_grade && FarFromUsual(series, sample, expected);
  const bool over = series.odd && !odd;  // told too, so that readers know how long it lasted
  series.odd = odd;
  if (!report || (!odd && !over)) return;
  Anomaly found;
  found.watch = watch_.name;
  found.stream = watch_.stream;
  found.key = sample.key;
  const bool bucket = watch_.series.reading == alerting::Reading::kIncrement;
  found.to = sample.time;
  found.from = bucket ? sample.time - std::chrono::milliseconds(ToMs(watch_.series.resolution)) : sample.time;
  found.value = sample.value;
  found.score = score;
  if (over) found.score.grade = 0;
  if (over) expected = series.detector.Expect(sample.time);
  found.expected = expected;
  found.row = sample.row;
  out.push_back(std::move(found));
}

void SeriesWatch::Read(const codec::Json& json, const client::StreamRecord& record, const std::string& shard,
                       bool report, std::vector<Anomaly>& out) {
  std::vector<alerting::Sample> samples;
  reader_.Read(json, record.data.view(), record.arrival, samples);
  const std::size_t before = out.size();
  for (const alerting::Sample& sample : samples) Score(sample, report, out);
  for (std::size_t i = before; i < out.size(); ++i) {
    out[i].shard = shard;
    out[i].sequence = record.sequence;
  }
}

void SeriesWatch::Advance(Timestamp now, bool report, std::vector<Anomaly>& out) {
  std::vector<alerting::Sample> samples;
  reader_.Advance(now, samples);
  for (const alerting::Sample& sample : samples) Score(sample, report, out);
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
  word("cause", anomaly::SeriesCauseName(anomaly.score.cause));
  number("change", anomaly.value - anomaly.expected.median);
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
