#include "app/settings/describe.h"
#include "honryu/codec/base64.h"

namespace honryu::app {
namespace {

using config::Section;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

void DescribeEncryptionKey(log::EncryptionKey& key, Section& section) {
  section.Field("id", &key.id,
                {.doc = "What StartStreamEncryption calls it, for instance alias/honryu.", .required = true});
  section.Field(
      "secret", &key.secret,
      {.doc = "32 random bytes in base64 (openssl rand -base64 32).", .secret = true, .required = true});
}

}  // namespace

void DescribeStorage(log::RocksdbEngineConfig& storage, std::vector<log::EncryptionKey>& keys,
                     Section& section) {
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
  section.List(
      "encryption_keys", &keys,
      {.doc = "Streams are encrypted with these once StartStreamEncryption asks for it, by the first for "
              "alias/aws/kinesis. A key must stay while records are kept that need it."},
      DescribeEncryptionKey);
  section.Check([&storage, &keys]() -> Result<void> {
    if (keys.empty()) return Ok();
    std::vector<log::EncryptionKey> decoded = keys;
    for (log::EncryptionKey& key : decoded) {
      Result<std::string> secret = codec::Base64Decode(key.secret);
      if (!secret.ok()) return secret.error().WithContext("encryption_keys: " + key.id + ": secret");
      key.secret = std::move(*secret);
    }
    HONRYU_TRY(storage.keys, log::KeyRing::Make(std::move(decoded)));
    return Ok();
  });
}

}  // namespace honryu::app
