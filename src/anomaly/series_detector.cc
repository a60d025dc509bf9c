#include "honryu/anomaly/series_detector.h"

#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace honryu::anomaly {
namespace {

// Format: docs/formats/forest-snapshot.md. On disk: never renumber.
constexpr BytesView kMagic = "HSER";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kMinimumReader = 1;
constexpr std::size_t kHeaderBytes = 6;
constexpr std::size_t kChecksumBytes = 4;

// Larger values count as this one, so that no sum or difference of them overflows.
constexpr double kLargest = 1e150;
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
// Usual errors on either side of what the season expects; of normal ones, one in a hundred lies outside.
constexpr double kErrorsWide = 3.2;

// The last numbers of a stream.
class Recent {
 public:
  explicit Recent(std::size_t capacity) : capacity_(capacity) {}
  void Add(double value) {
    if (values_.size() < capacity_) {
      values_.push_back(value);
    } else {
      values_[at_] = value;
    }
    at_ = (at_ + 1) % capacity_;
  }
  const std::vector<double>& values() const { return values_; }  // in no order
  double Mean() const {
    double sum = 0;
    for (const double value : values_) sum += value;
    return values_.empty() ? 0 : sum / static_cast<double>(values_.size());
  }
  double Highest() const { return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end()); }
  void AppendState(std::string& out) const {
    codec::AppendVarint(out, values_.size());
    codec::AppendVarint(out, at_);
    for (const double value : values_) codec::AppendU64(out, std::bit_cast<std::uint64_t>(value));
  }
  bool TakeState(BytesView* in) {
    std::uint64_t size = 0;
    std::uint64_t at = 0;
    if (!codec::TakeVarint(in, &size) || !codec::TakeVarint(in, &at) || size > capacity_ || at >= capacity_ ||
        (size < capacity_ && at != size) || size > in->size() / 8) {
      return false;
    }
    at_ = static_cast<std::size_t>(at);
    values_.resize(static_cast<std::size_t>(size));
    for (double& value : values_) {
      value = std::bit_cast<double>(codec::LoadU64(in->data()));
      in->remove_prefix(8);
      if (!std::isfinite(value)) return false;
    }
    return true;
  }

 private:
  std::size_t capacity_;
  std::size_t at_ = 0;  // where the next one goes
  std::vector<double> values_;
};

Error Damaged(std::string_view what) {
  return Error(ErrorCode::kCorrupt, fmt::format("series snapshot: {}", what));
}

}  // namespace

std::string_view SeriesCauseName(SeriesCause cause) {
  switch (cause) {
    case SeriesCause::kNone:
      return "none";
    case SeriesCause::kValue:
      return "value";
    case SeriesCause::kLevel:
      return "level";
    case SeriesCause::kSeason:
      return "season";
  }
  return "none";
}

class SeriesDetector::State {
 public:
  State(const SeriesOptions& given, std::vector<RandomCutForest> made)
      : options(given),
        forests(std::move(made)),
        season(given.season),
        threshold(given.threshold),
        level(given.level_rows),
        scores(given.rest_rows) {}

  SeriesScore Process(Timestamp time, double value);
  ExpectedValue Expect(Timestamp time) const;
  std::vector<ScorePart> Parts(const std::array<double, 3>& rows, bool season_counts) const;
  bool SeasonCounts() const { return season.unexplained() < options.season_limit; }

  SeriesOptions options;
  std::vector<RandomCutForest> forests;  // value, level, season
  SeasonalBaseline season;
  AdaptiveThreshold threshold;
  Recent level;
  Recent scores;
  double mean = 0;  // of all values, those of the last time_decay rows counting most
};

SeriesScore SeriesDetector::State::Process(Timestamp time, double value) {
  SeriesScore result;
  if (!std::isfinite(value)) return result;
  value = std::clamp(value, -kLargest, kLargest);
  level.Add(value);
  const double level_now = level.Mean();
  const auto usual = season.Expect(time);
  const bool season_counts = usual.has_value() && SeasonCounts();
  const double distance = usual.has_value() ? value - *usual : kMissing;
  season.Learn(time, value);

  const std::array rows{value, level_now, distance};
  std::array<double, 3> by_view{};
  for (std::size_t i = 0; i < 3; ++i) by_view[i] = forests[i].Score(std::array{rows[i]});
  const auto consider = [&](double score, SeriesCause cause, bool above) {
    if (score <= result.score) return;
    result.score = score;
    result.cause = cause;
    result.above = above;
  };
  consider(by_view[0], SeriesCause::kValue, value > mean);
  consider(by_view[1], SeriesCause::kLevel, level_now > mean);
  if (season_counts) consider(by_view[2], SeriesCause::kSeason, distance > 0);
  if (result.score > 0) {
    if (result.score > scores.Highest()) result.fresh_score = result.score;
    scores.Add(result.score);
    result.grade = threshold.Grade(result.score);
  }
  if (result.grade > 0) result.parts = Parts(rows, season_counts);
  for (std::size_t i = 0; i < 3; ++i) forests[i].Learn(std::array{rows[i]});

  const double memory = options.time_decay == 0 ? std::numeric_limits<double>::infinity()
                                                : static_cast<double>(options.time_decay);
  mean += (value - mean) / std::min(static_cast<double>(forests[0].rows()), memory);
  return result;
}

// Before the rows are learned: then they are not yet among what is usual.
std::vector<ScorePart> SeriesDetector::State::Parts(const std::array<double, 3>& rows,
                                                    bool season_counts) const {
  constexpr std::array kViews{SeriesCause::kValue, SeriesCause::kLevel, SeriesCause::kSeason};
  std::vector<ScorePart> parts;
  for (std::size_t i = 0; i < (season_counts ? 3U : 2U); ++i) {
    Attribution attribution;
    forests[i].Score(std::array{rows[i]}, &attribution);
    for (std::size_t lag = 0; lag < attribution.high_by_lag.size(); ++lag)
      parts.push_back({kViews[i], lag, attribution.high_by_lag[lag], attribution.low_by_lag[lag]});
  }
  return parts;
}

ExpectedValue SeriesDetector::State::Expect(Timestamp time) const {
  if (!forests[0].ready()) return {};
  if (const auto usual = season.Expect(time); usual.has_value() && SeasonCounts()) {
    const double reach = kErrorsWide * season.mean_error();
    return {*usual - reach, *usual, *usual + reach};
  }
  return forests[0].Expect(std::array{kMissing}, 0);
}

SeriesDetector::SeriesDetector(std::unique_ptr<State> state) : state_(std::move(state)) {}
SeriesDetector::SeriesDetector(SeriesDetector&&) noexcept = default;
SeriesDetector& SeriesDetector::operator=(SeriesDetector&&) noexcept = default;
SeriesDetector::~SeriesDetector() = default;

Result<SeriesDetector> SeriesDetector::Create(const SeriesOptions& options) {
  const auto in_range = [](std::size_t value) { return value >= 1 && value <= 10000; };
  if (!in_range(options.level_rows) || !in_range(options.rest_rows)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("level rows and rest rows out of range: {} and {}, expected 1 to 10000",
                             options.level_rows, options.rest_rows));
  }
  const std::int64_t slot_ms = ToMs(options.season.slot);
  if (slot_ms < 60'000 || slot_ms > 86'400'000 || 86'400'000 % slot_ms != 0 || !(options.season.rate > 0) ||
      options.season.rate > 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "a season's slot must be a whole part of a day, its rate above 0 and at most 1");
  }
  if (!(options.threshold.discount > 0) || options.threshold.discount >= 1) {
    return Error(ErrorCode::kInvalidArgument, "the threshold's discount must lie between 0 and 1");
  }
  std::vector<RandomCutForest> forests;
  for (std::uint64_t i = 0; i < 3; ++i) {
    ForestOptions forest;
    forest.trees = options.trees;
    forest.sample_size = options.sample_size;
    forest.time_decay = options.time_decay;
    forest.silent_rows = options.silent_rows;
    forest.seed = options.seed + i;
    if (i == 0) forest.shingle = options.shingle;
    HONRYU_TRY(auto made, RandomCutForest::Create(forest));
    forests.push_back(std::move(made));
  }
  return SeriesDetector(std::make_unique<State>(options, std::move(forests)));
}

SeriesScore SeriesDetector::Process(Timestamp time, double value) { return state_->Process(time, value); }
ExpectedValue SeriesDetector::Expect(Timestamp time) const { return state_->Expect(time); }
const SeriesOptions& SeriesDetector::options() const { return state_->options; }
std::uint64_t SeriesDetector::rows() const { return state_->forests[0].rows(); }
bool SeriesDetector::ready() const { return state_->forests[0].ready(); }

std::size_t SeriesDetector::MemoryBytes() const {
  std::size_t bytes =
      sizeof(State) + state_->season.MemoryBytes() +
      (state_->level.values().capacity() + state_->scores.values().capacity()) * sizeof(double);
  for (const RandomCutForest& forest : state_->forests) bytes += forest.MemoryBytes();
  return bytes;
}

std::string SeriesDetector::Snapshot() const {
  std::string out(kMagic);
  out += static_cast<char>(kVersion);
  out += static_cast<char>(kMinimumReader);
  state_->season.AppendState(out);
  state_->threshold.AppendState(out);
  state_->level.AppendState(out);
  state_->scores.AppendState(out);
  codec::AppendU64(out, std::bit_cast<std::uint64_t>(state_->mean));
  for (const RandomCutForest& forest : state_->forests) {
    const std::string bytes = forest.Snapshot();
    codec::AppendVarint(out, bytes.size());
    out += bytes;
  }
  codec::AppendU32(out, Crc32c(out));
  return out;
}

Result<SeriesDetector> SeriesDetector::Restore(const SeriesOptions& options, BytesView snapshot) {
  if (snapshot.size() < kHeaderBytes + kChecksumBytes || !snapshot.starts_with(kMagic)) {
    return Damaged("not a series snapshot");
  }
  if (const auto minimum = static_cast<std::uint8_t>(snapshot[5]); minimum > kVersion) {
    return Error(
        ErrorCode::kUnimplemented,
        fmt::format("series snapshot: needs a reader of version {}, this is version {}", minimum, kVersion));
  }
  BytesView rest = snapshot.substr(0, snapshot.size() - kChecksumBytes);
  if (Crc32c(rest) != codec::LoadU32(snapshot.data() + rest.size())) return Damaged("the checksum is wrong");
  rest.remove_prefix(kHeaderBytes);
  HONRYU_TRY(auto detector, Create(options));
  State& state = *detector.state_;
  HONRYU_TRY_VOID(state.season.TakeState(&rest));
  HONRYU_TRY_VOID(state.threshold.TakeState(&rest));
  if (!state.level.TakeState(&rest) || !state.scores.TakeState(&rest) || rest.size() < 8)
    return Damaged("cut short");
  state.mean = std::bit_cast<double>(codec::LoadU64(rest.data()));
  rest.remove_prefix(8);
  if (!std::isfinite(state.mean)) return Damaged("the mean is no number");
  for (RandomCutForest& forest : state.forests) {
    std::uint64_t size = 0;
    if (!codec::TakeVarint(&rest, &size) || size > rest.size()) return Damaged("cut short");
    HONRYU_TRY(auto restored, RandomCutForest::Restore(rest.substr(0, size)));
    rest.remove_prefix(size);
    const ForestOptions& made = forest.options();
    const ForestOptions& found = restored.options();
    if (made.dimensions != found.dimensions || made.shingle != found.shingle || made.trees != found.trees ||
        made.sample_size != found.sample_size || made.time_decay != found.time_decay) {
      return Damaged("a forest was made with other options");
    }
    forest = std::move(restored);
  }
  if (!rest.empty()) return Damaged("not as long as it says");
  return detector;
}

}  // namespace honryu::anomaly
