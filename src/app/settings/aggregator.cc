#include "app/settings/describe.h"
#include "honryu/base/units.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void DescribeErrorRule(processors::aggregator::ErrorRule& rule, Section& section) {
  section.Field("event_types", &rule.event_types, {.doc = "Events of these types are errors."});
  section.Field("severity_properties", &rule.severity_properties,
                {.doc = "Members of properties that tell a severity…"});
  section.Field("severity_values", &rule.severity_values, {.doc = "…which with one of these is an error."});
  section.Field("status_properties", &rule.status_properties,
                {.doc = "Members of properties that tell a status number…"});
  section.Field("status_from", &rule.status_from, {.doc = "…which from here up is an error."});
}

}  // namespace

void DescribeAggregator(processors::aggregator::AggregatorConfig& aggregator,
                        std::vector<std::string>& windows, Section& section) {
  section.Field("application", &aggregator.application,
                {.doc = "Name of the leases and checkpoints; a new name begins anew.",
                 .audience = config::Audience::kTunable});
  section.Field("stream", &aggregator.events_stream, {.doc = "Stream of events that is read."});
  section.Field("kpi_stream", &aggregator.kpi_stream, {.doc = "Stream that rows go to."});
  section.Field("late_stream", &aggregator.late_stream,
                {.doc = "Stream for events that come after their windows were closed."});
  section.Field("kpi_shards", &aggregator.kpi_shards,
                {.doc = "Shards of kpi_stream, when it must be created."}, {1, 10000});
  section.Field("late_shards", &aggregator.late_shards,
                {.doc = "Shards of late_stream, when it must be created."}, {1, 10000});
  section.Field("windows", &windows, {.doc = "Sizes of the windows, for instance 1m."});
  section.Field("allowed_lateness", &aggregator.allowed_lateness,
                {.doc = "A window stays open this long in event time after its end."},
                {Duration::zero(), hours(24)});
  section.Field("idle_timeout", &aggregator.idle_timeout,
                {.doc = "A shard that is caught up and silent this long does not hold back event time."},
                {milliseconds(10), hours(1)});
  section.Field("emit_interval", &aggregator.emit_interval, {.doc = "Between two updates of open windows."},
                {milliseconds(10), minutes(1)});
  section.Field("checkpoint_interval", &aggregator.checkpoint_interval,
                {.doc = "Checkpoints are saved at least this often."}, {milliseconds(10), minutes(10)});
  section.Field("max_groups", &aggregator.max_groups,
                {.doc = "Event types kept apart in one window; others count together as __other__."},
                {1, 1'000'000});
  section.Field("max_event_types", &aggregator.max_event_types,
                {.doc = "Event types kept apart since the start; further ones count together as __other__."},
                {1, 50'000});
  section.Field("exact_users", &aggregator.exact_users,
                {.doc = "Different users of a row are counted exactly up to this number, then estimated."},
                {1, 10'000'000});
  section.Field("max_window_memory", &aggregator.max_window_memory,
                {.doc = "Above this memory of open windows, shards ahead of the slowest one wait for it.",
                 .audience = config::Audience::kTunable},
                {ByteSize{1ULL << 20}, ByteSize{1ULL << 40}});
  section.Field("max_future", &aggregator.max_future,
                {.doc = "Events further ahead of their arrival count at their arrival."},
                {Duration::zero(), hours(24 * 365)});
  section.Field("lease_duration", &aggregator.lease_duration,
                {.doc = "After a crash another process takes over after this time.",
                 .audience = config::Audience::kTunable},
                {seconds(1), minutes(10)});
  section.Sub("errors", "Which events count as errors: any of the three is enough.",
              [&](Section& s) { DescribeErrorRule(aggregator.errors, s); });
  section.Check([&aggregator, &windows]() -> Result<void> {
    aggregator.windows.clear();
    for (const std::string& window : windows) {
      Result<Duration> size = ParseDuration(window);
      if (!size.ok()) return size.error().WithContext("windows");
      aggregator.windows.push_back(*size);
    }
    return aggregator.Validate();
  });
}

}  // namespace honryu::app
