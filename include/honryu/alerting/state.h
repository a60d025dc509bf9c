#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace honryu::alerting {

/// Written to streams by name, to snapshots by number: never renumber.
enum class AlertState : std::uint8_t {
  kOk = 0,
  kPending = 1,  ///< The condition holds, but not for long enough.
  kFiring = 2,
  kResolved = 3,  ///< It held and does not any more; becomes OK after a while.
  kNoData = 4,    ///< Nothing came for `stale_after`.
};
/// "ok", "pending", "firing", "resolved", "no_data".
std::string_view AlertStateName(AlertState state);
Result<AlertState> ParseAlertState(std::string_view name);

/// What happens when no sample has come for `stale_after`.
enum class OnStale : std::uint8_t {
  kNoData,   ///< NO_DATA.
  kResolve,  ///< As if the condition had ceased for good: for streams that only tell of trouble.
  kKeep,     ///< Nothing.
  kBreach,   ///< The condition holds: absence of data is what the rule is about.
};

struct StateOptions {
  Duration for_duration{};    ///< PENDING lasts so long.
  Duration clear_duration{};  ///< FIRING goes on until the condition has not held for so long.
  Duration resolved_hold = std::chrono::minutes(5);  ///< RESOLVED becomes OK after this.
  Duration stale_after{};                            ///< 0: never stale.
  OnStale on_stale = OnStale::kNoData;
};

/// A step from one state to another.
struct Transition {
  AlertState from = AlertState::kOk;
  AlertState to = AlertState::kOk;
  Timestamp at;
  Timestamp firing_since;  ///< When to or from is firing: its beginning.
};

/// The state of one series under one rule.
///
///   OK ──breach──► PENDING ──for──► FIRING ──clear, clear_for──► RESOLVED ──hold──► OK
///    ▲               │ clear          ▲  └─stale─► NO_DATA          │ breach
///    └───────────────┘                └── breach ──┘ clear: RESOLVED └────► PENDING
///
/// A breach with for_duration 0 goes to FIRING at once, without PENDING. Steps that time brings carry the
/// time at which they were due, however late Advance is called: what comes out depends on samples alone. A
/// sample at the very time of a due step counts before it. Value type.
class SeriesState {
 public:
  SeriesState() = default;

  /// A sample at `time` (not before the last call's) says whether the condition holds.
  void Observe(const StateOptions& options, Timestamp time, bool breach, std::vector<Transition>& out);
  /// Takes the steps due up to `now`, that time included.
  void Advance(const StateOptions& options, Timestamp now, std::vector<Transition>& out);
  /// When Advance has something to do; empty: never.
  std::optional<Timestamp> NextDue(const StateOptions& options) const;

  AlertState state() const { return state_; }
  Timestamp since() const { return since_; }
  /// Beginning of FIRING, while firing or (NO_DATA) interrupted.
  Timestamp firing_since() const { return firing_since_; }
  bool was_firing() const { return was_firing_; }
  Timestamp last_sample() const { return last_sample_; }

  /// All of it, in the order of the members, for snapshots.
  struct Raw {
    AlertState state = AlertState::kOk;
    std::int64_t since_ms = 0, firing_since_ms = 0, last_sample_ms = 0, clear_since_ms = 0;
    bool has_sample = false, clearing = false, was_firing = false, stale_done = false;
  };
  Raw raw() const;
  static SeriesState FromRaw(const Raw& raw);

 private:
  void Move(AlertState to, Timestamp at, std::vector<Transition>& out);
  void Breach(const StateOptions& options, Timestamp at, std::vector<Transition>& out);
  void Clear(Duration clear_duration, Timestamp at, std::vector<Transition>& out);
  void Step(const StateOptions& options, Timestamp due, std::vector<Transition>& out);

  AlertState state_ = AlertState::kOk;
  bool has_sample_ = false;
  bool clearing_ = false;
  bool was_firing_ = false;  // NO_DATA came out of FIRING
  bool stale_done_ = false;  // this silence has had its effect
  Timestamp since_{};
  Timestamp firing_since_{};
  Timestamp last_sample_{};
  Timestamp clear_since_{};
};

}  // namespace honryu::alerting
