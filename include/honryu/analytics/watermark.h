#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>

namespace honryu::analytics {

/// How far event time has come, over several sources that are each nearly in order (the shards of a stream).
///
/// A source's own watermark is the newest event time it has shown less the allowed lateness: events older
/// than that are not expected of it any more. The joint watermark is the least over the sources that are not
/// idle, and never goes back (the "low watermark" of Akidau et al., MillWheel 2013). A source that has shown
/// nothing yet holds it back altogether until it is marked idle.
class WatermarkTracker {
 public:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

  explicit WatermarkTracker(std::int64_t allowed_lateness_ms) : lateness_ms_(allowed_lateness_ms) {}

  /// From now on this source counts; nothing happens if it does already.
  void Add(std::string_view source);
  /// The source has ended, and holds nothing back any more.
  void Remove(std::string_view source);
  /// An event of this source; it is then not idle. Adds the source if need be.
  void Observe(std::string_view source, std::int64_t event_time_ms);
  /// The source has nothing to say for now and does not hold the others back.
  void SetIdle(std::string_view source);
  /// True when there are sources and every one is idle.
  bool AllIdle() const;

  bool IsIdle(std::string_view source) const;
  /// The newest event time that the source has shown; kNone: nothing yet.
  std::int64_t Newest(std::string_view source) const;
  /// What the sources allow just now: the least of those not idle; kNone: nothing known, or all idle.
  std::int64_t Least() const;

  /// Moves the joint watermark up to what the sources allow and gives it; kNone: nothing known yet.
  /// All idle: stays where it is.
  std::int64_t Advance();
  /// Moves the joint watermark at least up to `watermark_ms`, whatever the sources say.
  void AdvanceTo(std::int64_t watermark_ms);
  std::int64_t watermark() const { return watermark_; }
  /// Forgets the joint watermark and what the sources have shown, not the sources nor their idleness: event
  /// time may begin anew anywhere.
  void Reset();

 private:
  struct Source {
    std::int64_t newest = kNone;
    bool idle = false;
  };
  std::int64_t lateness_ms_;
  std::int64_t watermark_ = kNone;
  std::map<std::string, Source, std::less<>> sources_;
};

}  // namespace honryu::analytics
