#include "honryu/anomaly/random_cut_forest.h"

#include "anomaly/forest_state.h"
#include "honryu/base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace honryu::anomaly {
namespace {

// How many of the cuts drawn for a point are spread evenly over the trees; further ones rarely matter.
constexpr std::size_t kStratifiedCuts = 3;

double LambdaOf(const ForestOptions& options) {
  return options.time_decay == 0 ? 0 : 1 / static_cast<double>(options.time_decay);
}

Result<void> CheckRange(const char* name, std::size_t value, std::size_t least, std::size_t most) {
  if (value >= least && value <= most) return Ok();
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} out of range: {}, expected {} to {}", name, value, least, most));
}

}  // namespace

double Attribution::Total() const {
  return std::accumulate(high.begin(), high.end(), 0.0) + std::accumulate(low.begin(), low.end(), 0.0);
}

RandomCutForest::State::State(const ForestOptions& given)
    : options(given),
      point_dimensions_(given.dimensions * given.shingle),
      silent_rows_(std::max(given.silent_rows == 0 ? given.sample_size : given.silent_rows, given.shingle)),
      origin_(given.dimensions, std::numeric_limits<double>::quiet_NaN()),
      store_(PointStore::WidthOf(point_dimensions_)),
      sampling_(given.seed),
      draws_(given.trees) {
  window_.values.assign(store_.width(), 0);
  window_.replaced.assign(point_dimensions_, 1);
  trees_.reserve(options.trees);
  for (std::size_t i = 0; i < options.trees; ++i) {
    trees_.push_back({CutTree(point_dimensions_, store_.width()),
                      DecayedSampler(options.sample_size, LambdaOf(options)), TreeRandom(sampling_.Next())});
  }
  UpdateLimit();
}

bool RandomCutForest::State::ready() const { return rows >= silent_rows_ && trees_.front().tree.mass() > 0; }

// The first value of a column is its origin: sketches are blind to translation, floats are not.
void RandomCutForest::State::SetOrigin(std::span<const double> row) {
  for (std::size_t i = 0; i < options.dimensions; ++i) {
    if (std::isnan(origin_[i]) && std::isfinite(row[i])) origin_[i] = row[i];
  }
}

// Moves the window on by a row. False if the row holds no value at all.
bool RandomCutForest::State::Shift(std::span<const double> row, Window& window) const {
  HONRYU_CHECK(row.size() == options.dimensions, "a row has one value a column");
  const std::size_t columns = options.dimensions;
  const std::size_t newest = point_dimensions_ - columns;
  std::copy(window.values.begin() + static_cast<std::ptrdiff_t>(columns),
            window.values.begin() + static_cast<std::ptrdiff_t>(point_dimensions_), window.values.begin());
  std::copy(window.replaced.begin() + static_cast<std::ptrdiff_t>(columns), window.replaced.end(),
            window.replaced.begin());
  std::size_t known = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    const bool missing = std::isnan(row[i]) || std::isnan(origin_[i]);
    window.replaced[newest + i] = missing ? 1 : 0;
    // A missing value stays what it was a row ago: with a shingle it is still there, one row further left.
    if (missing) {
      if (newest > 0) window.values[newest + i] = window.values[newest + i - columns];
      continue;
    }
    window.values[newest + i] =
        static_cast<float>(std::clamp(row[i] - origin_[i], -kLargestCoordinate, kLargestCoordinate));
    ++known;
  }
  if (known == 0) return false;
  if (known == columns || !ready()) return true;
  std::vector<std::uint8_t> missing(point_dimensions_, 0);
  std::copy(window.replaced.begin() + static_cast<std::ptrdiff_t>(newest), window.replaced.end(),
            missing.begin() + static_cast<std::ptrdiff_t>(newest));
  std::vector<float> expected(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    if (missing[newest + i] == 0) continue;
    const ExpectedValue value = ExpectAt(window, missing, newest + i);
    expected[i] = static_cast<float>(value.median);
  }
  for (std::size_t i = 0; i < columns; ++i) {
    if (missing[newest + i] != 0) window.values[newest + i] = expected[i];
  }
  return true;
}

double RandomCutForest::State::ScoreWindow(const Window& window, Attribution* attribution) const {
  const float* query = window.values.data();
  double sum = 0;
  if (attribution == nullptr) {
    // Trees hold equally many points but for rows that had missing values.
    std::uint32_t mass = 0;
    double scale = 0;
    for (const SampledTree& each : trees_) {
      if (each.tree.mass() != mass) {
        mass = each.tree.mass();
        scale = std::log2(static_cast<double>(mass) + 1);
      }
      sum += each.tree.Score(query, store_) * scale;
    }
    return sum / static_cast<double>(trees_.size());
  }
  std::vector<double> high(point_dimensions_);
  std::vector<double> low(point_dimensions_);
  for (const SampledTree& each : trees_) {
    const double scale =
        std::log2(static_cast<double>(each.tree.mass()) + 1) / static_cast<double>(trees_.size());
    each.tree.Attribute(query, store_, scale, high, low);
  }
  for (std::size_t i = 0; i < point_dimensions_; ++i) {
    const std::size_t column = i % options.dimensions;
    const std::size_t lag = options.shingle - 1 - i / options.dimensions;
    attribution->high[column] += high[i];
    attribution->low[column] += low[i];
    attribution->high_by_lag[lag * options.dimensions + column] = high[i];
    attribution->low_by_lag[lag * options.dimensions + column] = low[i];
    sum += high[i] + low[i];
  }
  return sum;
}

void RandomCutForest::State::Clear(Attribution& attribution) const {
  attribution.high.assign(options.dimensions, 0);
  attribution.low.assign(options.dimensions, 0);
  attribution.high_by_lag.assign(point_dimensions_, 0);
  attribution.low_by_lag.assign(point_dimensions_, 0);
}

double RandomCutForest::State::Process(std::span<const double> row, Attribution* attribution) {
  if (attribution != nullptr) Clear(*attribution);
  SetOrigin(row);
  const bool known = Shift(row, window_);
  const double score = known && ready() ? ScoreWindow(window_, attribution) : 0;
  LearnWindow();
  return score;
}

double RandomCutForest::State::Score(std::span<const double> row, Attribution* attribution) const {
  if (attribution != nullptr) Clear(*attribution);
  if (!ready()) return 0;
  scratch_ = window_;
  return Shift(row, scratch_) ? ScoreWindow(scratch_, attribution) : 0;
}

void RandomCutForest::State::Learn(std::span<const double> row) {
  SetOrigin(row);
  Shift(row, window_);
  LearnWindow();
}

void RandomCutForest::State::LearnWindow() {
  const std::uint64_t t = rows++;
  if (rows < options.shingle) return;
  const auto replaced =
      static_cast<std::size_t>(std::count(window_.replaced.begin(), window_.replaced.end(), 1));
  if (replaced * 2 > point_dimensions_) return;
  // The chance that a key lies below limit_.
  const double bound = -std::expm1(-std::exp(limit_ + LambdaOf(options) * static_cast<double>(t)));
  takers_.clear();
  for (const auto& draw : draws_.Below(bound, sampling_)) {
    const DecayedSampler& sampler = trees_[draw.sampler].sampler;
    const double key = sampler.KeyOf(t, draw.q);
    if (key < sampler.Limit()) takers_.push_back({draw.sampler, key});
  }
  if (takers_.empty()) return;
  DrawCuts();
  std::uint32_t point = DecayedSampler::kNone;
  for (std::size_t i = 0; i < takers_.size(); ++i) {
    const auto cuts = std::span(cuts_).subspan(i * kStratifiedCuts, kStratifiedCuts);
    TakeInto(trees_[takers_[i].tree], takers_[i].key, cuts, &point);
  }
  store_.DropUnused(point);
  UpdateLimit();
}

// The first numbers that trees draw cuts with are spread evenly over the trees that take a point, by a random
// order for each: what one tree draws is uniform, but how many trees cut the point off at once varies less
// than by chance.
void RandomCutForest::State::DrawCuts() {
  const std::size_t count = takers_.size();
  shuffled_.resize(count);
  cuts_.resize(count * kStratifiedCuts);
  for (std::size_t cut = 0; cut < kStratifiedCuts; ++cut) {
    std::iota(shuffled_.begin(), shuffled_.end(), 0U);
    for (std::size_t i = 0; i < count; ++i) {
      std::swap(shuffled_[i], shuffled_[i + sampling_.Below(count - i)]);
      cuts_[i * kStratifiedCuts + cut] =
          (static_cast<double>(shuffled_[i]) + sampling_.Unit()) / static_cast<double>(count);
    }
  }
}

// Puts the window into a tree; *point is its place in the store once it has one.
void RandomCutForest::State::TakeInto(SampledTree& each, double key, std::span<const double> cuts,
                                      std::uint32_t* point) {
  if (const std::uint32_t old = each.sampler.Evictable(); old != DecayedSampler::kNone) {
    each.tree.Delete(old, store_);
    store_.Release(old);
  }
  if (*point == DecayedSampler::kNone) *point = store_.Add(window_.values.data());
  const std::uint32_t kept = each.tree.Insert(*point, store_, cuts, each.random);
  store_.AddReference(kept);
  each.sampler.Take(key, kept);
}

void RandomCutForest::State::UpdateLimit() {
  limit_ = trees_.front().sampler.Limit();
  for (const SampledTree& each : trees_) limit_ = std::max(limit_, each.sampler.Limit());
}

// Weighs the nearest points of every tree alike, however many of them are equally near.
ExpectedValue RandomCutForest::State::ExpectAt(const Window& window, std::span<const std::uint8_t> missing,
                                               std::size_t position) const {
  std::vector<CutTree::Neighbour> found;
  std::vector<std::pair<float, double>> weighted;  // value, weight
  for (const SampledTree& each : trees_) {
    found.clear();
    each.tree.AppendNearest(window.values.data(), missing, store_, found);
    const double weight = 1 / static_cast<double>(found.size());
    for (const CutTree::Neighbour& neighbour : found) {
      weighted.emplace_back(store_.At(neighbour.point)[position], weight);
    }
  }
  std::sort(weighted.begin(), weighted.end());
  const auto quantile = [&](double share) {
    double left = share * static_cast<double>(trees_.size());
    for (const auto& [value, weight] : weighted) {
      left -= weight;
      if (left <= 0) return static_cast<double>(value);
    }
    return static_cast<double>(weighted.back().first);
  };
  return {quantile(0.05), quantile(0.5), quantile(0.95)};
}

ExpectedValue RandomCutForest::State::Expect(std::span<const double> row, std::size_t column) const {
  HONRYU_CHECK(column < options.dimensions, "no such column");
  if (!ready() || std::isnan(origin_[column])) return {};
  scratch_ = window_;
  Shift(row, scratch_);
  const std::size_t position = point_dimensions_ - options.dimensions + column;
  std::vector<std::uint8_t> missing(point_dimensions_, 0);
  missing[position] = 1;
  ExpectedValue value = ExpectAt(scratch_, missing, position);
  value.low += origin_[column];
  value.median += origin_[column];
  value.high += origin_[column];
  return value;
}

std::size_t RandomCutForest::State::MemoryBytes() const {
  std::size_t bytes = sizeof(State) + store_.MemoryBytes() + trees_.capacity() * sizeof(SampledTree) +
                      origin_.capacity() * sizeof(double) +
                      (window_.values.capacity() + scratch_.values.capacity()) * sizeof(float) +
                      window_.replaced.capacity() + scratch_.replaced.capacity();
  for (const SampledTree& each : trees_) bytes += each.tree.MemoryBytes() + each.sampler.MemoryBytes();
  return bytes;
}

RandomCutForest::RandomCutForest(std::unique_ptr<State> state) : state_(std::move(state)) {}
RandomCutForest::RandomCutForest(RandomCutForest&&) noexcept = default;
RandomCutForest& RandomCutForest::operator=(RandomCutForest&&) noexcept = default;
RandomCutForest::~RandomCutForest() = default;

Result<RandomCutForest> RandomCutForest::Create(const ForestOptions& options) {
  HONRYU_TRY_VOID(CheckRange("dimensions", options.dimensions, 1, 1000));
  HONRYU_TRY_VOID(CheckRange("shingle", options.shingle, 1, 1000));
  HONRYU_TRY_VOID(CheckRange("dimensions x shingle", options.dimensions * options.shingle, 1, 4096));
  HONRYU_TRY_VOID(CheckRange("trees", options.trees, 1, 1000));
  HONRYU_TRY_VOID(CheckRange("sample size", options.sample_size, 2, CutTree::kMaxLeaves));
  return RandomCutForest(std::make_unique<State>(options));
}

double RandomCutForest::Process(std::span<const double> row, Attribution* attribution) {
  return state_->Process(row, attribution);
}
double RandomCutForest::Score(std::span<const double> row, Attribution* attribution) const {
  return state_->Score(row, attribution);
}
void RandomCutForest::Learn(std::span<const double> row) { state_->Learn(row); }
ExpectedValue RandomCutForest::Expect(std::span<const double> row, std::size_t column) const {
  return state_->Expect(row, column);
}
const ForestOptions& RandomCutForest::options() const { return state_->options; }
std::uint64_t RandomCutForest::rows() const { return state_->rows; }
bool RandomCutForest::ready() const { return state_->ready(); }
std::size_t RandomCutForest::MemoryBytes() const { return state_->MemoryBytes(); }
std::string RandomCutForest::Snapshot() const { return state_->Snapshot(); }

}  // namespace honryu::anomaly
