#include "honryu/anomaly/hotspots.h"

#include "honryu/base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace honryu::anomaly {
namespace {

constexpr std::size_t kWordBits = 64;

void Set(std::uint64_t* row, std::size_t bit, bool on) {
  const std::uint64_t mask = std::uint64_t{1} << (bit % kWordBits);
  if (on) {
    row[bit / kWordBits] |= mask;
  } else {
    row[bit / kWordBits] &= ~mask;
  }
}

bool IsSet(const std::uint64_t* row, std::size_t bit) {
  return (row[bit / kWordBits] >> (bit % kWordBits) & 1) != 0;
}

void AppendNumbers(const std::vector<double>& values, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",", values[i]);
  out += ']';
}

}  // namespace

HotspotFinder::HotspotFinder(const HotspotOptions& options)
    : options_(options),
      words_((options.window_size + kWordBits - 1) / kWordBits),
      points_(options.window_size * options.dimensions),
      near_(options.window_size * words_),
      near_count_(options.window_size) {}

Result<HotspotFinder> HotspotFinder::Create(const HotspotOptions& options) {
  if (options.dimensions < 1 || options.dimensions > 100) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("dimensions out of range: {}, expected 1 to 100", options.dimensions));
  }
  if (options.window_size < 2 || options.window_size > 10000) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("window size out of range: {}, expected 2 to 10000", options.window_size));
  }
  if (!(options.scan_radius > 0) || !std::isfinite(options.scan_radius)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("scan radius out of range: {}, expected above 0", options.scan_radius));
  }
  if (options.minimum_points < 2 || options.minimum_points > options.window_size) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("minimum points out of range: {}, expected 2 to {}",
                                                          options.minimum_points, options.window_size));
  }
  return HotspotFinder(options);
}

// Writes the point over the oldest one and brings the bits of both up to date.
void HotspotFinder::Place(std::span<const double> point) {
  const std::size_t at = next_;
  next_ = (next_ + 1) % options_.window_size;
  std::copy(point.begin(), point.end(),
            points_.begin() + static_cast<std::ptrdiff_t>(at * options_.dimensions));
  count_ = std::min(count_ + 1, options_.window_size);
  near_count_[at] = 0;
  std::uint64_t* const row = near_.data() + at * words_;
  const double reach = options_.scan_radius * options_.scan_radius;
  for (std::size_t other = 0; other < count_; ++other) {
    std::uint64_t* const other_row = near_.data() + other * words_;
    const bool was = other != at && IsSet(other_row, at);
    double distance = 0;
    const double* const there = points_.data() + other * options_.dimensions;
    for (std::size_t i = 0; i < options_.dimensions; ++i)
      distance += (there[i] - point[i]) * (there[i] - point[i]);
    const bool is = distance <= reach;
    Set(row, other, is);
    Set(other_row, at, is);
    if (is) ++near_count_[at];
    if (other == at) continue;
    if (is && !was) ++near_count_[other];
    if (was && !is) --near_count_[other];
  }
}

// Takes the cores that `core` reaches out of `open_cores`; the hotspot is they and their neighbours.
Hotspot HotspotFinder::Grow(std::size_t core, std::vector<std::uint64_t>& open_cores) const {
  std::vector<std::uint64_t> members(words_, 0);
  std::vector<std::size_t> to_visit{core};
  Set(open_cores.data(), core, false);
  while (!to_visit.empty()) {
    const std::uint64_t* const row = near_.data() + to_visit.back() * words_;
    to_visit.pop_back();
    for (std::size_t word = 0; word < words_; ++word) {
      members[word] |= row[word];
      std::uint64_t reached = row[word] & open_cores[word];
      open_cores[word] &= ~reached;
      for (; reached != 0; reached &= reached - 1) {
        to_visit.push_back(word * kWordBits + static_cast<std::size_t>(std::countr_zero(reached)));
      }
    }
  }
  Hotspot hotspot;
  hotspot.min_values.assign(options_.dimensions, std::numeric_limits<double>::max());
  hotspot.max_values.assign(options_.dimensions, std::numeric_limits<double>::lowest());
  double points = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (!IsSet(members.data(), i)) continue;
    points += 1;
    for (std::size_t d = 0; d < options_.dimensions; ++d) {
      hotspot.min_values[d] = std::min(hotspot.min_values[d], points_[i * options_.dimensions + d]);
      hotspot.max_values[d] = std::max(hotspot.max_values[d], points_[i * options_.dimensions + d]);
    }
  }
  hotspot.density = points;
  for (std::size_t d = 0; d < options_.dimensions; ++d) {
    hotspot.density /= std::max(options_.scan_radius, hotspot.max_values[d] - hotspot.min_values[d]);
  }
  // Tiny radii to the power of many dimensions: beyond what a double, and JSON, can tell.
  hotspot.density = std::min(hotspot.density, std::numeric_limits<double>::max());
  return hotspot;
}

std::vector<Hotspot> HotspotFinder::Process(std::span<const double> point) {
  HONRYU_CHECK(point.size() == options_.dimensions, "a point has one value a dimension");
  if (std::all_of(point.begin(), point.end(), [](double value) { return std::isfinite(value); }))
    Place(point);
  std::vector<std::uint64_t> open_cores(words_, 0);
  for (std::size_t i = 0; i < count_; ++i)
    Set(open_cores.data(), i, near_count_[i] >= options_.minimum_points);
  std::vector<Hotspot> hotspots;
  for (std::size_t i = 0; i < count_; ++i) {
    if (IsSet(open_cores.data(), i)) hotspots.push_back(Grow(i, open_cores));
  }
  std::sort(hotspots.begin(), hotspots.end(), [](const Hotspot& a, const Hotspot& b) {
    return a.density != b.density ? a.density > b.density : a.min_values < b.min_values;
  });
  return hotspots;
}

std::string HotspotsJson(std::span<const Hotspot> hotspots) {
  std::string out = R"({"hotspots":[)";
  for (std::size_t i = 0; i < hotspots.size(); ++i) {
    fmt::format_to(std::back_inserter(out), R"({}{{"density":{},"minValues":)", i == 0 ? "" : ",",
                   hotspots[i].density);
    AppendNumbers(hotspots[i].min_values, out);
    out += R"(,"maxValues":)";
    AppendNumbers(hotspots[i].max_values, out);
    out += '}';
  }
  return out + "]}";
}

}  // namespace honryu::anomaly
