#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace honryu::analytics {

/// Start of the tumbling window of `size_ms` (above 0) that holds `time_ms`: the largest multiple of the size
/// that is not above the time, for times before 1970 too. [-60000..0)[0..60000)
constexpr std::int64_t WindowStart(std::int64_t time_ms, std::int64_t size_ms) {
  const std::int64_t rest = time_ms % size_ms;
  return time_ms - (rest < 0 ? rest + size_ms : rest);
}

/// A set of time points kept as disjoint half-open spans [start, end), in order. Spans that touch become one.
/// At most `max_spans` are kept: beyond it the smallest gap between two is given up (its points become part
/// of the set), so memory is bounded. Value type.
class TimeSpans {
 public:
  explicit TimeSpans(std::size_t max_spans = 256) : max_spans_(max_spans) {}
  /// Adds [start, end); an empty span changes nothing.
  void Add(std::int64_t start_ms, std::int64_t end_ms);
  bool Contains(std::int64_t time_ms) const;
  const std::vector<std::pair<std::int64_t, std::int64_t>>& spans() const { return spans_; }

 private:
  std::size_t max_spans_;
  std::vector<std::pair<std::int64_t, std::int64_t>> spans_;
};

}  // namespace honryu::analytics
