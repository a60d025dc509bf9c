#include "honryu/alerting/state.h"

#include <algorithm>
#include <string>

namespace honryu::alerting {

namespace {

constexpr std::string_view kNames[] = {"ok", "pending", "firing", "resolved", "no_data"};

Timestamp After(Timestamp from, Duration duration) {
  return from + std::chrono::milliseconds(ToMs(duration));
}

}  // namespace

std::string_view AlertStateName(AlertState state) { return kNames[static_cast<std::size_t>(state)]; }

Result<AlertState> ParseAlertState(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<AlertState>(i);
  }
  return Error(ErrorCode::kInvalidArgument, "no state of an alert: " + std::string(name));
}

void SeriesState::Move(AlertState to, Timestamp at, std::vector<Transition>& out) {
  if (to == AlertState::kFiring && !was_firing_) firing_since_ = at;
  out.push_back({state_, to, at, firing_since_});
  was_firing_ = to == AlertState::kNoData && (state_ == AlertState::kFiring || was_firing_);
  clearing_ = false;
  state_ = to;
  since_ = at;
}

void SeriesState::Breach(const StateOptions& options, Timestamp at, std::vector<Transition>& out) {
  clearing_ = false;
  if (state_ == AlertState::kFiring || state_ == AlertState::kPending) return;
  if (was_firing_ || options.for_duration <= Duration::zero()) {
    Move(AlertState::kFiring, at, out);
  } else {
    Move(AlertState::kPending, at, out);
  }
}

void SeriesState::Clear(Duration clear_duration, Timestamp at, std::vector<Transition>& out) {
  switch (state_) {
    case AlertState::kPending:
      Move(AlertState::kOk, at, out);
      return;
    case AlertState::kFiring:
      if (clear_duration <= Duration::zero()) {
        Move(AlertState::kResolved, at, out);
      } else if (!clearing_) {
        clearing_ = true;
        clear_since_ = at;
      }
      return;
    case AlertState::kNoData:
      Move(was_firing_ ? AlertState::kResolved : AlertState::kOk, at, out);
      return;
    case AlertState::kOk:
    case AlertState::kResolved:
      return;
  }
}

std::optional<Timestamp> SeriesState::NextDue(const StateOptions& options) const {
  std::optional<Timestamp> due;
  const auto consider = [&due](Timestamp t) { due = due.has_value() ? std::min(*due, t) : t; };
  if (state_ == AlertState::kPending) consider(After(since_, options.for_duration));
  if (state_ == AlertState::kFiring && clearing_) consider(After(clear_since_, options.clear_duration));
  if (state_ == AlertState::kResolved) consider(After(since_, options.resolved_hold));
  const bool stales = options.stale_after > Duration::zero() && options.on_stale != OnStale::kKeep &&
                      has_sample_ && !stale_done_;
  if (stales) consider(After(last_sample_, options.stale_after));
  return due;
}

// What is due at `due`: the steps of the state first, then staleness.
void SeriesState::Step(const StateOptions& options, Timestamp due, std::vector<Transition>& out) {
  if (state_ == AlertState::kPending && After(since_, options.for_duration) <= due) {
    Move(AlertState::kFiring, due, out);
    return;
  }
  if (state_ == AlertState::kFiring && clearing_ && After(clear_since_, options.clear_duration) <= due) {
    Move(AlertState::kResolved, due, out);
    return;
  }
  if (state_ == AlertState::kResolved && After(since_, options.resolved_hold) <= due) {
    Move(AlertState::kOk, due, out);
    return;
  }
  stale_done_ = true;
  switch (options.on_stale) {
    case OnStale::kNoData:
      if (state_ != AlertState::kNoData) Move(AlertState::kNoData, due, out);
      break;
    case OnStale::kResolve:
      Clear(Duration::zero(), due, out);
      break;
    case OnStale::kBreach:
      Breach(options, due, out);
      break;
    case OnStale::kKeep:
      break;
  }
}

void SeriesState::Advance(const StateOptions& options, Timestamp now, std::vector<Transition>& out) {
  for (std::optional<Timestamp> due = NextDue(options); due.has_value() && *due <= now;
       due = NextDue(options))
    Step(options, *due, out);
}

void SeriesState::Observe(const StateOptions& options, Timestamp time, bool breach,
                          std::vector<Transition>& out) {
  Advance(options, time - std::chrono::milliseconds(1), out);
  has_sample_ = true;
  stale_done_ = false;
  last_sample_ = time;
  if (breach) {
    Breach(options, time, out);
  } else {
    Clear(options.clear_duration, time, out);
  }
  Advance(options, time, out);
}

SeriesState::Raw SeriesState::raw() const {
  Raw raw;
  raw.state = state_;
  raw.since_ms = ToMs(since_);
  raw.firing_since_ms = ToMs(firing_since_);
  raw.last_sample_ms = ToMs(last_sample_);
  raw.clear_since_ms = ToMs(clear_since_);
  raw.has_sample = has_sample_;
  raw.clearing = clearing_;
  raw.was_firing = was_firing_;
  raw.stale_done = stale_done_;
  return raw;
}

SeriesState SeriesState::FromRaw(const Raw& raw) {
  SeriesState state;
  state.state_ = raw.state;
  state.since_ = TimestampFromMs(raw.since_ms);
  state.firing_since_ = TimestampFromMs(raw.firing_since_ms);
  state.last_sample_ = TimestampFromMs(raw.last_sample_ms);
  state.clear_since_ = TimestampFromMs(raw.clear_since_ms);
  state.has_sample_ = raw.has_sample;
  state.clearing_ = raw.clearing;
  state.was_firing_ = raw.was_firing;
  state.stale_done_ = raw.stale_done;
  return state;
}

}  // namespace honryu::alerting
