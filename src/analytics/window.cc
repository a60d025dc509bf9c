#include "honryu/analytics/window.h"

#include <algorithm>

namespace honryu::analytics {

void TimeSpans::Add(std::int64_t start_ms, std::int64_t end_ms) {
  if (start_ms >= end_ms) return;
  const auto first = std::lower_bound(spans_.begin(), spans_.end(), start_ms,
                                      [](const auto& span, std::int64_t time) { return span.second < time; });
  auto last = first;
  for (; last != spans_.end() && last->first <= end_ms; ++last) {
    start_ms = std::min(start_ms, last->first);
    end_ms = std::max(end_ms, last->second);
  }
  const auto place = spans_.erase(first, last);
  spans_.insert(place, {start_ms, end_ms});
  if (spans_.size() <= max_spans_) return;
  std::size_t narrowest = 1;
  for (std::size_t i = 2; i < spans_.size(); ++i) {
    if (spans_[i].first - spans_[i - 1].second < spans_[narrowest].first - spans_[narrowest - 1].second)
      narrowest = i;
  }
  spans_[narrowest - 1].second = spans_[narrowest].second;
  spans_.erase(spans_.begin() + static_cast<std::ptrdiff_t>(narrowest));
}

bool TimeSpans::Contains(std::int64_t time_ms) const {
  const auto after = std::upper_bound(spans_.begin(), spans_.end(), time_ms,
                                      [](std::int64_t time, const auto& span) { return time < span.first; });
  return after != spans_.begin() && time_ms < std::prev(after)->second;
}

}  // namespace honryu::analytics
