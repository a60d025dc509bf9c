#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/uint128.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::views {

/// One key figure of one window (docs/formats/kpi-rows.md).
struct KpiRow {
  std::string metric;
  std::string window;  ///< Name of its size: "1m".
  std::string group;   ///< "event_type=page_view"; empty: all together.
  Timestamp start, end;
  double value = 0;
  bool approximate = false;
  bool final = false;
  std::uint64_t revision = 0;

  friend bool operator==(const KpiRow&, const KpiRow&) = default;
};

/// Reads a record of the kpi stream. kInvalidArgument says what is wrong with
/// it.
Result<KpiRow> ParseKpiRow(std::string_view json);

struct KpiQuery {
  std::string metric;
  std::string window = "1m";
  std::string group;  ///< Exactly this one; with `all_groups` a dimension: "event_type".
  bool all_groups = false;
  Timestamp from, to;         ///< Windows whose start lies in [from, to).
  std::size_t limit = 10000;  ///< kTooLarge when there are more.
};

/// A metric, and in which windows and groups it is known.
struct KpiMetric {
  std::string metric;
  std::vector<std::string> windows;
  std::vector<std::string> groups;  ///< Sorted; at most kMaxListedGroups.
  bool groups_cut = false;
};
inline constexpr std::size_t kMaxListedGroups = 1000;

/// The newest version of each row. A final row replaces a partial one and is
/// never replaced by one; among equals in that the higher or the same revision
/// wins (rewriting is harmless). Thread-safe; every call may block on the disk.
/// Errors: kIo, kCorrupt, kUnavailable (disk full).
class KpiStore {
 public:
  using Position = std::map<std::string,
                            SequenceNumber>;  ///< By shard: the last record applied.
  /// Gets the rows that an Apply has changed, on its thread, in order; must be
  /// quick and not call the store.
  using Listener = std::function<void(const std::vector<KpiRow>&)>;

  virtual ~KpiStore() = default;

  /// Takes over rows and the position reached with them, together or not at
  /// all. Rows of a series beyond KpiLimits::max_series are left out: they cannot be added up here. Writers
  /// keep below it by counting what is too much as one group (the aggregator's "__other__").
  virtual Result<void> Apply(const std::vector<KpiRow>& rows, const std::string& shard,
                             const SequenceNumber& position) = 0;
  virtual Result<Position> Positions() const = 0;
  /// Rows by start, then group.
  virtual Result<std::vector<KpiRow>> Find(const KpiQuery& query) const = 0;
  virtual Result<std::vector<KpiMetric>> Metrics() const = 0;
  /// The same without the groups: what a query is checked against. Does not block on the disk.
  virtual std::vector<KpiMetric> Names() const = 0;
  /// Rows refused since the start because their series would have been one too many.
  virtual std::uint64_t refused_rows() const = 0;
  /// The rows not yet final: the windows under way.
  virtual std::vector<KpiRow> Open() const = 0;
  /// Drops rows of windows that ended before `time`, and gives their number.
  virtual Result<std::size_t> DropBefore(Timestamp time) = 0;
  /// One listener; null: none. Returns when a running call of the former one
  /// has ended.
  virtual void SetListener(Listener listener) = 0;
};

/// Bounds on memory: names of all series are kept there.
struct KpiLimits {
  std::size_t max_series = 200000;  ///< Different (metric, window, group).
};

std::unique_ptr<KpiStore> MakeMemoryKpiStore(KpiLimits limits = {});
/// Opens or creates a database in the folder `path`. A store in a newer format
/// is refused (kFailedPrecondition).
Result<std::unique_ptr<KpiStore>> OpenKpiStore(const std::string& path, KpiLimits limits = {});

}  // namespace honryu::views
