#include "honryu/analytics/watermark.h"

#include <algorithm>

namespace honryu::analytics {

void WatermarkTracker::Add(std::string_view source) {
  if (sources_.find(source) == sources_.end()) sources_.emplace(std::string(source), Source{});
}

void WatermarkTracker::Remove(std::string_view source) {
  if (const auto found = sources_.find(source); found != sources_.end()) sources_.erase(found);
}

void WatermarkTracker::Observe(std::string_view source, std::int64_t event_time_ms) {
  auto found = sources_.find(source);
  if (found == sources_.end()) found = sources_.emplace(std::string(source), Source{}).first;
  found->second.newest = std::max(found->second.newest, event_time_ms);
  found->second.idle = false;
}

void WatermarkTracker::SetIdle(std::string_view source) {
  if (const auto found = sources_.find(source); found != sources_.end()) found->second.idle = true;
}

bool WatermarkTracker::AllIdle() const {
  return !sources_.empty() &&
         std::all_of(sources_.begin(), sources_.end(), [](const auto& entry) { return entry.second.idle; });
}

bool WatermarkTracker::IsIdle(std::string_view source) const {
  const auto found = sources_.find(source);
  return found != sources_.end() && found->second.idle;
}

std::int64_t WatermarkTracker::Newest(std::string_view source) const {
  const auto found = sources_.find(source);
  return found == sources_.end() ? kNone : found->second.newest;
}

std::int64_t WatermarkTracker::Least() const {
  std::int64_t least = kNone;
  for (const auto& [name, source] : sources_) {
    if (source.idle) continue;
    if (source.newest == kNone) return kNone;
    if (least == kNone || source.newest - lateness_ms_ < least) least = source.newest - lateness_ms_;
  }
  return least;
}

std::int64_t WatermarkTracker::Advance() {
  AdvanceTo(Least());
  return watermark_;
}

void WatermarkTracker::AdvanceTo(std::int64_t watermark_ms) {
  watermark_ = std::max(watermark_, watermark_ms);
}

void WatermarkTracker::Reset() {
  watermark_ = kNone;
  for (auto& [name, source] : sources_) source.newest = kNone;
}

}  // namespace honryu::analytics
