#include "app/settings/describe.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void DescribeBroker(Settings& settings, Section& section) {
  section.Field("endpoint", &settings.broker_client.endpoint,
                {.doc = "Where processes without the broker role find it."});
  section.Field(
      "ca_file", &settings.broker_ca_file,
      {.doc = "For an https endpoint: PEM file with the certificates to trust; empty: the system's."});
  section.Field("access_key_id", &settings.broker_client.access_key_id,
                {.doc = "One of the broker's kinesis.access_keys, with which they sign; empty: unsigned."});
  section.Field("secret_access_key", &settings.broker_client.secret_access_key,
                {.doc = "Its secret.", .secret = true});
  section.Field("retention_bytes", &settings.retention_bytes,
                {.doc = "Per stream, as stored; null: no limit.", .example = "100GiB"});
  section.Field("default_retention_hours", &settings.broker.default_retention_hours,
                {.doc = "Of new streams."}, {24, 8760});
  section.Field("max_record", &settings.max_record, {.doc = "Largest record: data plus partition key."},
                {ByteSize::KiB(1), ByteSize::MiB(10)});
  section.Field("max_streams", &settings.broker.max_streams, {.doc = "Streams at most."}, {1, 100'000});
  section.Field("iterator_lifetime", &settings.broker.iterator_lifetime,
                {.doc = "Shard iterators expire after it."}, {seconds(1), hours(24)});
  section.Field("retention_check", &settings.broker.retention_check,
                {.doc = "Time between two rounds of retention."}, {milliseconds(100), hours(1)});
  section.Enum(
      "quotas", &settings.broker.quotas,
      {.doc = "unlimited: what memory and disk bear; aws: the limits of a Kinesis shard, 1 MiB/s and "
              "1,000 records/s in, 2 MiB/s and 5 reads/s out (long polls of this server's own roles "
              "do not count), 2 MiB/s to a fan-out consumer, and the call rates of managing operations."},
      {{"unlimited", broker::QuotaProfile::kUnlimited}, {"aws", broker::QuotaProfile::kAws}});
  section.Field(
      "update_delay", &settings.broker.update_delay,
      {.doc = "A stream is UPDATING at least as long before its shards are split or merged, and through the "
              "Kinesis API CREATING and DELETING, which its clients wait to see."},
      {milliseconds(0), seconds(60)});
  section.Sub("on_demand", "When on-demand streams get and lose shards by themselves.", [&](Section& s) {
    broker::OnDemandConfig& scaling = settings.broker.on_demand;
    s.Field("interval", &scaling.interval, {.doc = "Time between two looks at the load."},
            {milliseconds(100), hours(1)});
    s.Field("shard_bytes", &scaling.shard_bytes, {.doc = "Bytes a second that fill a shard."},
            {1024, 1ULL << 30});
    s.Field("shard_records", &scaling.shard_records, {.doc = "Records a second that fill a shard."},
            {1, 10'000'000});
    s.Field("split_above", &scaling.split_above,
            {.doc = "A shard this full, twice in a row, is split at the median of its load."}, {0.05, 10});
    s.Field("merge_below", &scaling.merge_below,
            {.doc = "Neighbours that are together emptier than this are merged."}, {0, 1});
    s.Field("merge_after", &scaling.merge_after, {.doc = "How long they must have been so."},
            {milliseconds(100), hours(24)});
    s.Field("min_shards", &scaling.min_shards, {.doc = "No stream gets fewer by merging."}, {1, 10'000});
    s.Field("max_shards", &scaling.max_shards, {.doc = "No stream gets more by splitting."}, {1, 10'000});
  });
}

}  // namespace honryu::app
