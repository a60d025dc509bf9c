#pragma once

#include "honryu/analytics/distinct_counter.h"
#include "honryu/analytics/watermark.h"
#include "honryu/obs/metrics.h"
#include "honryu/processors/aggregator/aggregator.h"
#include "processors/aggregator/event_fields.h"
#include "processors/aggregator/kpi_state.h"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace honryu::processors::aggregator {

/// See MakeEventKpiOperator and KpiState.
class EventKpiOperator final : public WindowOperator {
 public:
  EventKpiOperator(AggregatorConfig config, obs::Registry& registry);

  void SetSources(const std::vector<std::string>& shards, const std::set<std::string>& parents) override;
  Result<std::optional<SequenceNumber>> StartSource(const std::string& shard,
                                                    std::optional<SequenceNumber> checkpoint,
                                                    std::string_view state, Timestamp now) override;
  void RestartSource(const std::string& shard) override;
  bool MustWait(const std::string& shard, Timestamp now) const override;
  void Process(const std::string& shard, std::span<const client::StreamRecord> records,
               Timestamp now) override;
  void Silent(const std::string& shard, Timestamp now) override;
  void EndSource(const std::string& shard) override;
  void PauseSource(const std::string& shard) override;
  std::vector<OutputRecord> Drain(Timestamp now) override;
  std::size_t pending_late() const override { return late_.size(); }
  std::string Snapshot() const override;
  std::optional<SequenceNumber> SafePosition(const std::string& shard) const override;
  bool Finished(const std::string& shard) const override;
  bool complete() const override;

 private:
  enum class Stage { kListed, kRunning, kEnded };
  struct Source {
    std::size_t index = 0;
    Stage stage = Stage::kListed;
    bool silent_since_candidate = false;
    bool silent_since_data = false;  ///< Of any shard.
    Timestamp last_data, last_silent;
    std::optional<SequenceNumber> last;  ///< Newest record processed, or the checkpoint begun from.
  };
  struct Group {
    std::uint64_t events = 0, errors = 0;
    analytics::DistinctCounter users;
    std::optional<std::uint64_t> told[3];  ///< Values of the last rows, by metric.
  };
  /// What a window needs of one shard: everything behind `from`.
  struct Hold {
    bool set = false;
    std::optional<SequenceNumber> from;
  };
  struct Window {
    std::map<std::string, Group, std::less<>> groups;  ///< By event type.
    Group all;
    std::vector<Hold> holds;  ///< By Source::index.
    bool changed = false;
    std::size_t memory = 0;  ///< Estimate, bytes.
  };
  struct Size {
    std::string name;
    std::int64_t ms = 0;
    ClosedWindows closed;
    std::map<std::int64_t, Window> open;  ///< By start.
  };
  struct Metrics {
    explicit Metrics(obs::Registry& registry);
    obs::Counter events, malformed, late, replayed, other_group, partial_rows, final_rows;
    obs::Gauge open_windows, watermark_s, memory;
  };

  bool IsClosed(const Size& size, std::int64_t start) const;
  void ProcessOne(const std::string& shard, Source& source, const client::StreamRecord& record);
  void Count(Window& window, const Source& source, const EventFields& fields);
  bool Admit(const std::string& type);
  void Add(Window& window, Group& group, const EventFields& fields) const;
  void TakeLate(const std::string& shard, const client::StreamRecord& record, std::int64_t time_ms,
                const std::vector<const std::string*>& sizes);
  void Adopt(KpiState state);
  /// Of the same shard, not of one before it of the same name.
  static bool SameShard(const SequenceNumber& a, const SequenceNumber& b);
  void ForgetRecords(const std::string& shard, Source& source);
  void MoveTime(Timestamp now);
  bool IdleSourcesConfirm() const;
  bool AllIdle() const;
  void EndEpoch();
  void DrainWindow(const Size& size, std::int64_t start, Window& window, bool final,
                   std::vector<OutputRecord>& out);
  void DrainGroup(const Size& size, std::int64_t start, const std::string& group_name, Group& group,
                  bool final, std::vector<OutputRecord>& out);

  const AggregatorConfig config_;
  Metrics metrics_;
  analytics::WatermarkTracker tracker_;
  std::vector<Size> sizes_;
  std::map<std::string, Source> sources_;
  std::set<std::string> parents_;  // shards whose children are known
  std::size_t next_index_ = 0;
  std::uint64_t generation_ = 0;
  std::optional<std::int64_t> epoch_first_;
  std::optional<std::int64_t> candidate_;                   ///< See MoveTime.
  std::map<std::string, SequenceNumber> processed_before_;  ///< By an earlier run; no later ones are replays.
  std::map<std::string, SequenceNumber> settled_;           ///< Up to here no record is needed again.
  std::size_t memory_ = 0;                                  ///< Of all open windows.
  std::set<std::string> types_;  ///< Kept apart; see AggregatorConfig::max_event_types.
  std::vector<OutputRecord> late_;
  std::vector<const std::string*> missed_;  ///< Scratch of ProcessOne.
};

}  // namespace honryu::processors::aggregator
