#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/alerting/rule.h"
#include "honryu/alerting/series.h"
#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace honryu::alerting {

/// What an engine wants written, in order of time.
struct EngineOutput {
  std::vector<Change> changes;
  std::vector<Notification> notifications;
  bool empty() const { return changes.empty() && notifications.empty(); }
};

/// Evaluates rules on the records of one stream.
///
/// Each rule keeps a SeriesState a series; steps into and out of FIRING (and NO_DATA if asked) are gathered
/// by group and become notifications: after group_wait, no two within group_interval, no more than the flood
/// limit (what is held back is sent together later, nothing is lost), none for what a silence covers until it
/// ends. A series that fires and resolves before its notification went out is not told of. Time is what
/// Process and Advance are given and never goes back; a replay of the same calls gives the same output, ids
/// included. Not thread-safe; does not block.
class Engine {
 public:
  /// `rules` must be valid; disabled ones are left out.
  explicit Engine(std::vector<Rule> rules);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  /// A record of the stream, `arrival` being its time in the log. kInvalidArgument when it is no JSON object.
  Result<void> Process(BytesView record, Timestamp arrival, EngineOutput& out);
  /// Time has come to `now`, and no record before it is missing.
  void Advance(Timestamp now, EngineOutput& out);
  /// Replaces all silences. They count from the next notification on.
  void SetSilences(std::vector<Silence> silences);

  /// All series that are not OK, by rule and key.
  std::vector<Alert> Active() const;
  std::size_t series() const;
  /// Series and keys that had to make room for others since the start.
  std::uint64_t evicted() const;

  /// State as JSON, silences excepted (docs/formats/alerts.md).
  std::string Snapshot() const;
  /// Takes the state of the rules that still exist; series of others are dropped. kCorrupt when it cannot be
  /// read; the engine is then as new.
  Result<void> Restore(std::string_view snapshot);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::alerting
