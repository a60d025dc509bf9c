#include "honryu/views/kpi_store.h"

#include "views/kpi_row.h"
#include "views/table.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

namespace honryu::views {

namespace {

constexpr std::string_view kFormatKey = "f";
constexpr std::string_view kFormat = "1";
constexpr char kPositionKey = 'p';
constexpr char kOpenKey = 'o';
constexpr std::size_t kDropBatch = 1000;

/// True if `fresh` takes the place of `old`.
bool Replaces(const KpiRow& fresh, const KpiRow& old) {
  if (fresh.final != old.final) return fresh.final;
  return fresh.revision >= old.revision;
}

class TableKpiStore final : public KpiStore {
 public:
  TableKpiStore(std::unique_ptr<Table> table, KpiLimits limits) : table_(std::move(table)), limits_(limits) {}

  Result<void> Load();
  Result<void> Apply(const std::vector<KpiRow>& rows, const std::string& shard,
                     const SequenceNumber& position) override;
  Result<Position> Positions() const override;
  Result<std::vector<KpiRow>> Find(const KpiQuery& query) const override;
  Result<std::vector<KpiMetric>> Metrics() const override;
  std::vector<KpiMetric> Names() const override;
  std::uint64_t refused_rows() const override { return refused_; }
  std::vector<KpiRow> Open() const override;
  Result<std::size_t> DropBefore(Timestamp time) override;
  void SetListener(Listener listener) override;

 private:
  using Series = std::tuple<std::string, std::string,
                            std::string>;  // metric, window, group

  /// Series by metric, and how many of them have each window and each group.
  struct Known {
    std::map<std::string, std::size_t> windows, groups;
  };
  void AddSeries(const Series& series);
  void RemoveSeries(const Series& series);
  /// Under state_mutex_.
  static KpiMetric Describe(const std::string& name, const Known& known, std::size_t max_groups);

  Result<void> FindIn(const KpiQuery& query, const std::string& group, std::vector<KpiRow>& out) const;

  const std::unique_ptr<Table> table_;
  const KpiLimits limits_;
  std::atomic<std::uint64_t> refused_ = 0;
  std::mutex write_mutex_;  // one writer at a time; taken before state_mutex_
  Listener listener_;       // guarded by write_mutex_
  mutable std::mutex state_mutex_;
  std::set<Series> series_;             // guarded by state_mutex_; changed under write_mutex_ only
  std::map<std::string, Known> known_;  // the same by metric; guarded by state_mutex_
  std::map<std::string, KpiRow> open_;  // by RowKey; guarded by state_mutex_
};

Result<void> TableKpiStore::Load() {
  HONRYU_TRY(const std::optional<std::string> format, table_->Get(kFormatKey));
  if (format.has_value() && *format != kFormat)
    return Error(ErrorCode::kFailedPrecondition,
                 "the kpi store has format " + *format + ", this version reads format 1");
  if (!format.has_value()) {
    std::vector<TableChange> first;
    first.push_back({std::string(kFormatKey), std::string(kFormat)});
    HONRYU_TRY_VOID(table_->Write(first, true));
  }
  Result<void> readable = Ok();
  // One step a series, not a row: from each key to behind the last of its
  // series.
  HONRYU_TRY_VOID(table_->Scan("r", "s", [&](BytesView key, BytesView value) -> std::optional<std::string> {
    Result<KpiRow> row = DecodeRow(key, value);
    if (!row.ok()) {
      readable = row.error();
      return std::nullopt;
    }
    AddSeries({row->metric, row->window, row->group});
    return AfterPrefix(RowPrefix(row->window, row->metric, row->group));
  }));
  HONRYU_TRY_VOID(std::move(readable));
  std::vector<std::string> keys;
  HONRYU_TRY_VOID(table_->Scan("o", "p", [&](BytesView key, BytesView) {
    keys.emplace_back(key.substr(1));
    return std::optional<std::string>("");
  }));
  for (const std::string& key : keys) {
    HONRYU_TRY(const std::optional<std::string> value, table_->Get(key));
    if (!value.has_value()) continue;
    HONRYU_TRY(KpiRow row, DecodeRow(key, *value));
    open_.emplace(key, std::move(row));
  }
  return Ok();
}

void TableKpiStore::AddSeries(const Series& series) {
  if (!series_.insert(series).second) return;
  const auto& [metric, window, group] = series;
  Known& known = known_[metric];
  ++known.windows[window];
  ++known.groups[group];
}

void TableKpiStore::RemoveSeries(const Series& series) {
  if (series_.erase(series) == 0) return;
  const auto& [metric, window, group] = series;
  const auto known = known_.find(metric);
  const auto drop = [](std::map<std::string, std::size_t>& counts, const std::string& name) {
    const auto found = counts.find(name);
    if (--found->second == 0) counts.erase(found);
  };
  drop(known->second.windows, window);
  drop(known->second.groups, group);
  if (known->second.windows.empty()) known_.erase(known);
}

Result<void> TableKpiStore::Apply(const std::vector<KpiRow>& rows, const std::string& shard,
                                  const SequenceNumber& position) {
  const std::lock_guard write_lock(write_mutex_);
  std::map<std::string, KpiRow> changed;  // the newest of each key
  std::set<Series> fresh;
  for (const KpiRow& row : rows) {
    // Only this thread changes series_, and only behind this loop.
    if (const Series series = {row.metric, row.window, row.group}; !series_.contains(series)) {
      if (!fresh.contains(series) && series_.size() + fresh.size() >= limits_.max_series) {
        ++refused_;
        continue;
      }
      fresh.insert(series);
    }
    std::string key = RowKey(row);
    if (const auto before = changed.find(key); before != changed.end()) {
      if (Replaces(row, before->second)) before->second = row;
      continue;
    }
    HONRYU_TRY(const std::optional<std::string> stored, table_->Get(key));
    if (stored.has_value()) {
      HONRYU_TRY(const KpiRow old, DecodeRow(key, *stored));
      if (!Replaces(row, old)) continue;
    }
    changed.emplace(std::move(key), row);
  }
  std::vector<TableChange> changes;
  std::vector<KpiRow> news;
  for (const auto& [key, row] : changed) {
    changes.push_back({key, EncodeRow(row)});
    TableChange open = {kOpenKey + key, std::nullopt};
    if (!row.final) open.value = "";
    changes.push_back(std::move(open));
    news.push_back(row);
  }
  changes.push_back({kPositionKey + shard, position.ToDecimal()});
  // Not synced: what a crash of the machine takes is read from the stream
  // again, rows and position together.
  HONRYU_TRY_VOID(table_->Write(changes, false));
  {
    const std::lock_guard lock(state_mutex_);
    for (auto& [key, row] : changed) {
      AddSeries({row.metric, row.window, row.group});
      if (row.final) {
        open_.erase(key);
      } else {
        open_.insert_or_assign(key, row);
      }
    }
  }
  if (listener_ && !news.empty()) listener_(news);
  return Ok();
}

Result<KpiStore::Position> TableKpiStore::Positions() const {
  Position positions;
  Result<void> readable = Ok();
  HONRYU_TRY_VOID(table_->Scan("p", "q", [&](BytesView key, BytesView value) -> std::optional<std::string> {
    Result<SequenceNumber> sequence = SequenceNumber::FromDecimal(value);
    if (!sequence.ok()) {
      readable = Error(ErrorCode::kCorrupt, "a position in the kpi store is not readable");
      return std::nullopt;
    }
    positions.emplace(key.substr(1), *sequence);
    return "";
  }));
  HONRYU_TRY_VOID(std::move(readable));
  return positions;
}

Result<void> TableKpiStore::FindIn(const KpiQuery& query, const std::string& group,
                                   std::vector<KpiRow>& out) const {
  const std::string prefix = RowPrefix(query.window, query.metric, group);
  Result<void> result = Ok();
  HONRYU_TRY_VOID(table_->Scan(prefix + TimeKey(query.from), prefix + TimeKey(query.to),
                               [&](BytesView key, BytesView value) -> std::optional<std::string> {
                                 Result<KpiRow> row = DecodeRow(key, value);
                                 if (!row.ok() || out.size() >= query.limit) {
                                   result = row.ok()
                                                ? Error(ErrorCode::kTooLarge,
                                                        "more than " + std::to_string(query.limit) + " rows")
                                                : row.error();
                                   return std::nullopt;
                                 }
                                 out.push_back(std::move(*row));
                                 return "";
                               }));
  return result;
}

Result<std::vector<KpiRow>> TableKpiStore::Find(const KpiQuery& query) const {
  std::vector<std::string> groups;
  if (query.all_groups) {
    const std::lock_guard lock(state_mutex_);
    const std::string prefix = query.group + "=";
    for (auto at = series_.lower_bound({query.metric, query.window, prefix}); at != series_.end(); ++at) {
      const auto& [metric, window, group] = *at;
      if (metric != query.metric || window != query.window || !group.starts_with(prefix)) break;
      groups.push_back(group);
    }
  } else {
    groups.push_back(query.group);
  }
  std::vector<KpiRow> rows;
  if (query.from >= query.to) return rows;
  for (const std::string& group : groups) HONRYU_TRY_VOID(FindIn(query, group, rows));
  std::sort(rows.begin(), rows.end(), [](const KpiRow& a, const KpiRow& b) {
    return std::tie(a.start, a.group) < std::tie(b.start, b.group);
  });
  return rows;
}

Result<std::vector<KpiMetric>> TableKpiStore::Metrics() const {
  std::vector<KpiMetric> metrics;
  const std::lock_guard lock(state_mutex_);
  for (const auto& [name, known] : known_) metrics.push_back(Describe(name, known, kMaxListedGroups));
  return metrics;
}

std::vector<KpiMetric> TableKpiStore::Names() const {
  std::vector<KpiMetric> metrics;
  const std::lock_guard lock(state_mutex_);
  for (const auto& [name, known] : known_) metrics.push_back(Describe(name, known, 0));
  return metrics;
}

KpiMetric TableKpiStore::Describe(const std::string& name, const Known& known, std::size_t max_groups) {
  KpiMetric metric;
  metric.metric = name;
  for (const auto& [window, count] : known.windows) metric.windows.push_back(window);
  for (const auto& [group, count] : known.groups) {
    if (metric.groups.size() >= max_groups) break;
    metric.groups.push_back(group);
  }
  metric.groups_cut = metric.groups.size() < known.groups.size();
  return metric;
}

std::vector<KpiRow> TableKpiStore::Open() const {
  const std::lock_guard lock(state_mutex_);
  std::vector<KpiRow> rows;
  for (const auto& [key, row] : open_) rows.push_back(row);
  return rows;
}

Result<std::size_t> TableKpiStore::DropBefore(Timestamp time) {
  const std::lock_guard write_lock(write_mutex_);
  std::set<Series> all;
  {
    const std::lock_guard lock(state_mutex_);
    all = series_;
  }
  std::size_t dropped = 0;
  for (const Series& series : all) {
    const auto& [metric, window, group] = series;
    const std::string prefix = RowPrefix(window, metric, group);
    bool emptied = false;
    for (bool more = true; more;) {
      more = false;
      emptied = true;
      std::vector<TableChange> changes;
      Result<void> readable = Ok();
      HONRYU_TRY_VOID(table_->Scan(prefix, AfterPrefix(prefix),
                                   [&](BytesView key, BytesView value) -> std::optional<std::string> {
                                     Result<KpiRow> row = DecodeRow(key, value);
                                     if (!row.ok()) readable = row.error();
                                     more = row.ok() && row->end <= time && changes.size() >= 2 * kDropBatch;
                                     emptied = row.ok() && row->end <= time && !more;
                                     if (!emptied) return std::nullopt;
                                     changes.push_back({std::string(key), std::nullopt});
                                     changes.push_back({kOpenKey + std::string(key), std::nullopt});
                                     return "";
                                   }));
      HONRYU_TRY_VOID(std::move(readable));
      if (changes.empty()) break;
      HONRYU_TRY_VOID(table_->Write(changes, false));
      dropped += changes.size() / 2;
      const std::lock_guard lock(state_mutex_);
      for (std::size_t i = 0; i < changes.size(); i += 2) open_.erase(changes[i].key);
    }
    if (!emptied) continue;
    const std::lock_guard lock(state_mutex_);
    RemoveSeries(series);
  }
  return dropped;
}

void TableKpiStore::SetListener(Listener listener) {
  const std::lock_guard write_lock(write_mutex_);
  listener_ = std::move(listener);
}

}  // namespace

std::unique_ptr<KpiStore> MakeMemoryKpiStore(KpiLimits limits) {
  return std::make_unique<TableKpiStore>(MakeMemoryTable(), limits);
}

Result<std::unique_ptr<KpiStore>> OpenKpiStore(const std::string& path, KpiLimits limits) {
  HONRYU_TRY(std::unique_ptr<Table> table, OpenTable(path));
  auto store = std::make_unique<TableKpiStore>(std::move(table), limits);
  HONRYU_TRY_VOID(store->Load());
  return std::unique_ptr<KpiStore>(std::move(store));
}

}  // namespace honryu::views
