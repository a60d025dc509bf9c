#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::seconds;

}  // namespace

void DescribeTables(Settings& settings, Section& section) {
  section.Field("max_bytes", &settings.tables_bytes,
                {.doc = "All items with their keys, on disk and in memory; beyond it writes get "
                        "LimitExceededException. A lease takes about 1 KiB."},
                {ByteSize::MiB(1), ByteSize::GiB(4)});
  section.Field("max_tables", &settings.tables.max_tables, {.doc = "Tables at most."}, {1, 10'000});
}

void DescribeCloudWatch(api::cloudwatch::CloudWatchApiConfig& cloudwatch, Section& section) {
  section.Field("max_series", &cloudwatch.max_series,
                {.doc = "Metrics of applications kept for /metrics, by name and dimensions; data of more are "
                        "dropped and counted."},
                {1, 100'000});
  section.Field("series_life", &cloudwatch.series_life,
                {.doc = "A metric goes from /metrics that long after its last datum."},
                {seconds(10), hours(24)});
}

}  // namespace honryu::app
