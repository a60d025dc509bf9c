#include "app/settings/describe.h"

namespace honryu::app {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void DescribeAggregator(processors::sql_app::SqlConfig& aggregator, Section& section) {
  section.Field("apps_dir", &aggregator.apps_dir,
                {.doc = "Folder of SQL applications, *.sql; empty: the key figures that are built in "
                        "(config/apps/kpi.sql).",
                 .example = "/etc/honryu/apps"});
  section.Field("state_stream", &aggregator.state_stream,
                {.doc = "Stream for large states of applications, and for the leases that say who runs what.",
                 .audience = config::Audience::kTunable});
  section.Field("idle_timeout", &aggregator.idle_timeout,
                {.doc = "A shard that is caught up and silent this long does not hold back event time."},
                {milliseconds(10), hours(1)});
  section.Field("emit_interval", &aggregator.emit_interval, {.doc = "Between two looks at what has come."},
                {milliseconds(10), minutes(1)});
  section.Field("checkpoint_interval", &aggregator.checkpoint_interval,
                {.doc = "States are saved at least this often, large ones as state_rate allows."},
                {milliseconds(10), minutes(10)});
  section.Field("state_rate", &aggregator.state_rate,
                {.doc = "How much saved state an application writes a second; larger states are saved less "
                        "often, and more is repeated after a crash.",
                 .audience = config::Audience::kTunable},
                {ByteSize::KiB(1), ByteSize::GiB(1)});
  section.Field("max_groups", &aggregator.max_groups,
                {.doc = "Groups that one operator of a query may hold; rows beyond go to its error stream."},
                {1, 1'000'000'000});
  section.Field(
      "max_state", &aggregator.max_state,
      {.doc = "Memory of an application's state, about; beyond it what was not used lately goes to disk, "
              "below data_dir. 0: no bound."},
      {ByteSize{0}, ByteSize::GiB(1024)});
  section.Field("max_spill", &aggregator.max_spill,
                {.doc = "What an application may hold there; rows that need more go to its error stream.",
                 .audience = config::Audience::kTunable},
                {ByteSize::MiB(1), ByteSize::GiB(16384)});
  section.Field("max_buffer", &aggregator.max_buffer,
                {.doc = "Records of an application that were read and wait to be processed.",
                 .audience = config::Audience::kTunable},
                {ByteSize::MiB(1), ByteSize::GiB(16)});
  section.Field("lanes", &aggregator.lanes,
                {.doc = "Threads that work on the shards of one application beside each other, where its "
                        "program has aggregates in two phases; 0: as many as there are cores, at most 4.",
                 .audience = config::Audience::kTunable},
                {0, 64});
  section.Field("max_future", &aggregator.max_future,
                {.doc = "Rows further ahead of their arrival than this are set back to it."},
                {Duration::zero(), hours(24 * 365)});
  section.Field("lease_duration", &aggregator.lease_duration,
                {.doc = "After a crash another process takes over after this time.",
                 .audience = config::Audience::kTunable},
                {seconds(1), minutes(10)});
  section.Check([&aggregator] { return aggregator.Validate(); });
}

}  // namespace honryu::app
