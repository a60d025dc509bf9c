#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void DescribeStorage(log::RocksdbEngineConfig& storage, Section& section) {
  section.Enum("durability", &storage.durability,
               {.doc = "fsync: acknowledged means on disk; interval: a power cut may lose sync_interval; "
                       "none: the operating system decides."},
               {{"fsync", log::Durability::kFsync},
                {"interval", log::Durability::kInterval},
                {"none", log::Durability::kNone}});
  section.Field("sync_interval", &storage.sync_interval,
                {.doc = "Time between two syncs with durability interval."}, {milliseconds(1), seconds(60)});
  section.Field("segment_bytes", &storage.segment_bytes,
                {.doc = "A stream's segment is closed at this size; retention drops whole segments."},
                {ByteSize::KiB(64), ByteSize::GiB(1)});
  section.Field("segment_age", &storage.segment_age, {.doc = "A stream's segment is closed at this age."},
                {seconds(1), hours(24 * 30)});
  section.Field("tail_cache", &storage.tail_cache,
                {.doc = "Newest records kept in memory for readers, all streams together."},
                {ByteSize{0}, ByteSize::GiB(64)});
  section.Field("max_queued", &storage.max_queued,
                {.doc = "Appends that wait for the disk; beyond it puts get "
                        "ProvisionedThroughputExceededException or 429."},
                {ByteSize::MiB(1), ByteSize::GiB(16)});
  section.Field("max_commit", &storage.max_commit,
                {.doc = "Most that one fsync covers.", .audience = config::Audience::kTunable},
                {ByteSize::MiB(1), ByteSize::MiB(256)});
  section.Field("min_free_disk", &storage.min_free_disk,
                {.doc = "Below this free space puts are refused until there is room again."},
                {ByteSize{0}, ByteSize::GiB(1024)});
}

}  // namespace honryu::app
