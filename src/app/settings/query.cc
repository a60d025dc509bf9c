#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

}  // namespace

void DescribeQuery(processors::materializer::MaterializerConfig& materializer, api::query::QueryConfig& query,
                   Section& section) {
  section.Field("instance", &materializer.instance,
                {.doc = "Name of this copy of the key figures; every query process needs its own."});
  section.Field("kpi_stream", &materializer.kpi_stream, {.doc = "Stream of rows that is read."});
  section.Field("retention", &materializer.retention,
                {.doc = "Rows of windows that ended before are dropped."}, {hours(1), hours(24 * 3650)});
  section.Field("default_limit", &query.default_limit, {.doc = "Rows of an answer unless asked otherwise."},
                {1, 1'000'000});
  section.Field("max_limit", &query.max_limit, {.doc = "Most rows of an answer."}, {1, 10'000'000});
  section.Field("live_interval", &query.live_interval, {.doc = "Between two live events."},
                {milliseconds(10), minutes(1)});
  section.Field("live_heartbeat", &query.live_heartbeat, {.doc = "A comment after this much silence."},
                {milliseconds(100), minutes(10)});
  section.Field("max_live", &query.max_live, {.doc = "Live connections; further ones get 503."},
                {1, 1'000'000});
  section.Field(
      "cors_origins", &query.cors_origins,
      {.doc = "Web origins that may read: \"*\", \"loopback\" (pages of this machine) or exact ones."});
  section.Check([&materializer, &query]() -> Result<void> {
    HONRYU_TRY_VOID(materializer.Validate());
    return query.Validate();
  });
}

}  // namespace honryu::app
