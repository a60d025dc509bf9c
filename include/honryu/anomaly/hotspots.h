#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace honryu::anomaly {

/// Parameters of the Kinesis function HOTSPOTS.
struct HotspotOptions {
  std::size_t dimensions = 2;       ///< Numbers in a point: 1 to 100.
  std::size_t window_size = 1000;   ///< The last points looked at: 2 to 10000 (Kinesis: 100 to 1000).
  double scan_radius = 0.1;         ///< Points this near (Euclid) are neighbours; above 0.
  std::size_t minimum_points = 20;  ///< Points that make a hotspot: 2 to window_size.
};

/// A region with many points: the smallest box around them.
struct Hotspot {
  /// Points in it by the volume of its box, sides shorter than the scan radius counted as that long.
  /// Finite.
  double density = 0;
  std::vector<double> min_values;
  std::vector<double> max_values;
};

/// The dense regions of the last points of a stream.
///
/// DBSCAN (Ester, Kriegel, Sander, Xu 1996) over a sliding window: a point with at least `minimum_points`
/// neighbours (itself counted) is a core, neighbouring cores and their neighbours are one hotspot. Which
/// points are neighbours is kept as a bit matrix that changes by one row and column a point, so a point costs
/// O(window x dimensions + window^2 / 64). Memory: window^2 / 8 bytes. Movable; not thread-safe; does not
/// block.
class HotspotFinder {
 public:
  /// kInvalidArgument when an option is out of its range.
  static Result<HotspotFinder> Create(const HotspotOptions& options);

  /// Adds a point (the oldest one leaves a full window); one that is not finite is left out. Returns the
  /// hotspots of the window, densest first.
  std::vector<Hotspot> Process(std::span<const double> point);

 private:
  explicit HotspotFinder(const HotspotOptions& options);
  void Place(std::span<const double> point);
  Hotspot Grow(std::size_t core, std::vector<std::uint64_t>& open_cores) const;

  HotspotOptions options_;
  std::size_t words_;  // of a row of bits
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  std::vector<double> points_;       // window_size x dimensions, a ring
  std::vector<std::uint64_t> near_;  // bit matrix; a point is near itself
  std::vector<std::uint32_t> near_count_;
};

/// As the HOTSPOTS_RESULT column: {"hotspots":[{"density":d,"minValues":[…],"maxValues":[…]},…]}.
std::string HotspotsJson(std::span<const Hotspot> hotspots);

}  // namespace honryu::anomaly
