#pragma once

#include "honryu/base/random.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::demo {

/// What goes wrong in the pretended app while an incident lasts.
enum class IncidentKind : std::uint8_t {
  kErrorBurst,     ///< A quarter of the events are errors, and ten times as many sessions crash.
  kTrafficDrop,    ///< Only a third of the usual traffic comes.
  kHotUser,        ///< One user alone sends as much again as all others together.
  kPlatformDrop,   ///< Only a fifth of what Android phones usually send comes.
  kReserveCancel,  ///< One user reserves and cancels again, twice a second, beside the usual traffic.
};

struct Incident {
  IncidentKind kind = IncidentKind::kErrorBurst;
  Timestamp begin;
  Duration length = std::chrono::minutes(2);

  bool Covers(Timestamp t) const { return t >= begin && t - begin < length; }
};

/// Reads "error-burst", "traffic-drop", "hot-user", "platform-drop" or "reserve-cancel", with "@AFTER" and
/// "+LENGTH" as wanted, both in whole units of s, m or h: "hot-user@30s+2m". Without them the incident begins
/// 60 s after `start` and lasts two minutes. kInvalidArgument otherwise.
Result<Incident> ParseIncident(std::string_view text, Timestamp start);

struct GeneratorOptions {
  std::uint64_t seed = 1;
  std::uint32_t users = 10'000;    ///< 1 to 5,000,000.
  double events_per_second = 200;  ///< Mean over a day, more than 0.
  bool daily_curve = true;         ///< Night and evening in Tokyo; false: the same rate all day.
  Timestamp start;                 ///< Of the first event.
  std::vector<Incident> incidents;
  /// Adds what a server that logs everything would: request, timing, a message of several sentences. Such an
  /// event has about 1 KB instead of 450 bytes.
  bool detailed = false;

  Result<void> Validate() const;
};

struct DemoEvent {
  Timestamp time;
  std::string json;  ///< One event as POST /v1/events takes it, without a line end.
};

/// Traffic of a pretended app in Tokyo: users by Zipf's law, sessions that walk from page to page, texts in
/// Japanese and English, devices in plausible shares, crashes. A pure function of its options: the same
/// options give the same bytes, event ids too (another `start` gives other ids, so that a demo that is
/// started anew is not taken for a repetition of the last one). Holds about 100 bytes for each user that was
/// active. Not thread-safe.
class DemoGenerator {
 public:
  /// The options must be valid.
  explicit DemoGenerator(const GeneratorOptions& options);
  ~DemoGenerator();
  DemoGenerator(const DemoGenerator&) = delete;
  DemoGenerator& operator=(const DemoGenerator&) = delete;

  /// Appends the events from where the last call ended (at first: options.start) until `until`, in order of
  /// time, at most `limit` of them. What the limit cut off comes with the next call.
  void Generate(Timestamp until, std::size_t limit, std::vector<DemoEvent>& out);
  /// Where the next call goes on.
  Timestamp position() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Traffic at `t` relative to the mean of a day, by the hour in Tokyo: 0.2 in the small hours to 1.8 in the
/// evening.
double DailyFactor(Timestamp t);

/// A UUID (RFC 9562 version 8) that depends on nothing but its arguments.
std::string DerivedUuid(std::uint64_t space, std::uint64_t number);

}  // namespace honryu::demo
