#pragma once

#include "api/query/parameters.h"
#include "honryu/codec/json.h"
#include "honryu/views/kpi_store.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace honryu::api::query {

/// Writes a row as queries and live events show it; `with_series`: also metric
/// and window.
void WriteRow(const views::KpiRow& row, bool with_series, codec::JsonWriter& json);

/// What one live connection has not been sent yet: the newest version of each
/// row (a slow connection skips the versions in between), at most `max_rows`;
/// beyond it everything is dropped and a snapshot is due. Thread-safe.
class Subscriber {
 public:
  Subscriber(LiveFilter filter, std::size_t max_rows) : filter_(std::move(filter)), max_rows_(max_rows) {}
  void Offer(const std::vector<views::KpiRow>& rows);
  struct Waiting {
    std::vector<views::KpiRow> rows;
    bool overflowed = false;
  };
  Waiting Take();
  const LiveFilter& filter() const { return filter_; }

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::int64_t>;
  const LiveFilter filter_;
  const std::size_t max_rows_;
  std::mutex mutex_;
  std::map<Key, views::KpiRow> rows_;
  bool overflowed_ = false;
};

/// Hands changed rows to the living subscribers. Thread-safe.
class LiveFeed {
 public:
  /// Null pointer when there are `max` already. It is dropped when its owner
  /// lets go of it.
  std::shared_ptr<Subscriber> Subscribe(LiveFilter filter, std::size_t max, std::size_t max_rows);
  void Publish(const std::vector<views::KpiRow>& rows);
  std::size_t size();

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Subscriber>> subscribers_;
};

}  // namespace honryu::api::query
