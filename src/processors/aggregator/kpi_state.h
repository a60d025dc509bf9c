#pragma once

#include "honryu/analytics/window.h"
#include "honryu/base/result.h"
#include "honryu/base/uint128.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::processors::aggregator {

/// What is known of one window size beyond its open windows.
struct ClosedWindows {
  analytics::TimeSpans spans;  ///< Starts of windows with final rows, of earlier epochs.
  /// The same of this epoch. Apart, because where there are too many a gap between two is given up: here it
  /// lies below the watermark, so no window that is open is closed by that.
  analytics::TimeSpans epoch;
  /// Read from states of the first form, never written: all windows from epoch_first to here are final.
  std::optional<std::int64_t> closed_to;
};

/// The operator's state that is saved with checkpoints (docs/formats/kpi-rows.md, "saved state").
///
/// Event time runs in epochs. An epoch begins with the first event and has one watermark, which only rises.
/// It ends when every shard is idle and no window is open; then the watermark is forgotten, and what was
/// closed is remembered as spans of time. So old data can be replayed into a server that has been idle, or
/// has seen newer data, and no window that was reported as final is ever opened again.
struct KpiState {
  std::uint64_t generation = 0;             ///< Rises with every change; the newest of all shards counts.
  std::optional<std::int64_t> epoch_first;  ///< Oldest event time of the epoch; absent: no epoch.
  std::optional<std::int64_t> watermark;
  std::map<std::string, ClosedWindows> windows;     ///< By name of the size.
  std::map<std::string, SequenceNumber> processed;  ///< By shard: how far it had been read.
};

/// {"v":1,…}
std::string EncodeState(const KpiState& state);
/// kCorrupt when it is not what EncodeState writes.
Result<KpiState> DecodeState(std::string_view text);

}  // namespace honryu::processors::aggregator
