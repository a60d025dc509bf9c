#pragma once

#include "honryu/api/query/query_api.h"

#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::query {

/// ISO-8601, epoch milliseconds, or relative: "now", "now-90m", "now+1h".
/// kInvalidArgument.
Result<Timestamp> ParseTime(std::string_view text, Timestamp now);

/// Reads GET /v1/kpi's parameters. `known`: what the store has. Errors name the
/// parameter and what is allowed.
Result<views::KpiQuery> ReadKpiQuery(const http::Request& request, const QueryConfig& config,
                                     const std::vector<views::KpiMetric>& known, Timestamp now);

/// What a live connection wants; an empty text takes all. `group`: as in
/// KpiQuery.
struct LiveFilter {
  std::string metric, window;
  bool has_group = false, all_groups = false;
  std::string group;
  bool Takes(const views::KpiRow& row) const;
};
Result<LiveFilter> ReadLiveFilter(const http::Request& request, const QueryConfig& config,
                                  const std::vector<views::KpiMetric>& known);

}  // namespace honryu::api::query
