#include "api/query/parameters.h"

#include "honryu/base/units.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace honryu::api::query {

namespace {

constexpr Duration kDefaultSpan = std::chrono::hours(1);

Error Wrong(const std::string& parameter, const std::string& expected, std::string_view found) {
  return Error(ErrorCode::kInvalidArgument, parameter + ": expected " + expected + ", found \"" +
                                                std::string(found.substr(0, 100)) + "\"");
}

std::string ListOf(const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

Result<void> CheckNames(const http::Request& request, const std::set<std::string>& allowed) {
  std::set<std::string> seen;
  for (const auto& [name, value] : request.query) {
    if (name == "api_key") continue;  // looked at before; EventSource can send it nowhere else
    if (!allowed.contains(name)) {
      return Error(ErrorCode::kInvalidArgument,
                   "unknown parameter \"" + name.substr(0, 100) + "\"; allowed: " + ListOf(allowed));
    }
    if (!seen.insert(name).second) return Error(ErrorCode::kInvalidArgument, name + ": given more than once");
  }
  return Ok();
}

Result<void> CheckKnown(const std::string& parameter, const std::string& value,
                        const std::vector<std::string>& configured,
                        const std::vector<views::KpiMetric>& known) {
  std::set<std::string> names(configured.begin(), configured.end());
  for (const views::KpiMetric& metric : known) {
    if (parameter == "metric") names.insert(metric.metric);
    if (parameter == "window") names.insert(metric.windows.begin(), metric.windows.end());
  }
  if (names.contains(value)) return Ok();
  return Wrong(parameter, "one of " + ListOf(names), value);
}

/// "event_type=page_view", or "event_type=*" for all of the dimension.
Result<bool> ReadGroup(const std::string& text, std::string* group) {
  const std::size_t equals = text.find('=');
  if (!text.empty() && (equals == std::string::npos || equals == 0))
    return Wrong("group",
                 "nothing (all together), dimension=value or dimension=*, as "
                 "in event_type=page_view",
                 text);
  const bool all = equals != std::string::npos && text.substr(equals + 1) == "*";
  *group = all ? text.substr(0, equals) : text;
  return all;
}

std::string ValueOr(const http::Request& request, std::string_view name, std::string fallback) {
  const std::string* value = request.Query(name);
  if (value == nullptr) return fallback;
  return *value;
}

}  // namespace

Result<Timestamp> ParseTime(std::string_view text, Timestamp now) {
  if (text == "now") return now;
  if (text.starts_with("now-") || text.starts_with("now+")) {
    HONRYU_TRY(const Duration distance, ParseDuration(text.substr(4)));
    if (distance > std::chrono::hours(24 * 365 * 100))
      return Error(ErrorCode::kInvalidArgument, "more than 100 years away");
    const std::chrono::milliseconds ms(ToMs(distance));
    return text[3] == '-' ? now - ms : now + ms;
  }
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  // Four digits are a year's, and ISO's matter.
  if (error == std::errc() && end == text.data() + text.size() && (text.size() > 8 || text == "0"))
    return TimestampFromMs(ms);
  return ParseTimestamp(text);
}

Result<views::KpiQuery> ReadKpiQuery(const http::Request& request, const QueryConfig& config,
                                     const std::vector<views::KpiMetric>& known, Timestamp now) {
  HONRYU_TRY_VOID(CheckNames(request, {"metric", "from", "to", "group", "window", "limit"}));
  views::KpiQuery query;
  query.metric = ValueOr(request, "metric", "");
  if (query.metric.empty()) return Error(ErrorCode::kInvalidArgument, "metric: missing; see /v1/kpi/metrics");
  HONRYU_TRY_VOID(CheckKnown("metric", query.metric, config.metrics, known));
  query.window = ValueOr(request, "window", "1m");
  HONRYU_TRY_VOID(CheckKnown("window", query.window, config.windows, known));
  HONRYU_TRY(query.all_groups, ReadGroup(ValueOr(request, "group", ""), &query.group));
  const std::string form = "ISO-8601, epoch milliseconds or now-1h";
  const std::string to = ValueOr(request, "to", "now");
  const Result<Timestamp> end = ParseTime(to, now);
  if (!end.ok()) return Wrong("to", form, to);
  query.to = *end;
  const std::string from = ValueOr(request, "from", "");
  const Result<Timestamp> begin =
      from.empty() ? Result<Timestamp>(query.to - std::chrono::milliseconds(ToMs(kDefaultSpan)))
                   : ParseTime(from, now);
  if (!begin.ok()) return Wrong("from", form, from);
  query.from = *begin;
  if (query.from >= query.to)
    return Error(ErrorCode::kInvalidArgument, "from: expected a time before to (" +
                                                  FormatTimestamp(query.to) + "), found " +
                                                  FormatTimestamp(query.from));
  query.limit = config.default_limit;
  if (const std::string* limit = request.Query("limit"); limit != nullptr) {
    const auto [stop, error] = std::from_chars(limit->data(), limit->data() + limit->size(), query.limit);
    if (error != std::errc() || stop != limit->data() + limit->size() || query.limit < 1 ||
        query.limit > config.max_limit) {
      return Wrong("limit", "a number from 1 to " + std::to_string(config.max_limit), *limit);
    }
  }
  return query;
}

bool LiveFilter::Takes(const views::KpiRow& row) const {
  if (!metric.empty() && row.metric != metric) return false;
  if (!window.empty() && row.window != window) return false;
  if (!has_group) return true;
  return all_groups ? row.group.starts_with(group + "=") : row.group == group;
}

Result<LiveFilter> ReadLiveFilter(const http::Request& request, const QueryConfig& config,
                                  const std::vector<views::KpiMetric>& known) {
  HONRYU_TRY_VOID(CheckNames(request, {"metric", "group", "window"}));
  LiveFilter filter;
  filter.metric = ValueOr(request, "metric", "");
  if (!filter.metric.empty()) HONRYU_TRY_VOID(CheckKnown("metric", filter.metric, config.metrics, known));
  filter.window = ValueOr(request, "window", "");
  if (!filter.window.empty()) HONRYU_TRY_VOID(CheckKnown("window", filter.window, config.windows, known));
  if (const std::string* group = request.Query("group"); group != nullptr) {
    filter.has_group = true;
    HONRYU_TRY(filter.all_groups, ReadGroup(*group, &filter.group));
  }
  return filter;
}

}  // namespace honryu::api::query
