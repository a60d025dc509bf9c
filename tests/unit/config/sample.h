#pragma once

#include "honryu/config/schema.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace honryu::config {

enum class Durability { kFsync, kInterval, kNone };

struct SampleKey {
  std::string name;
  std::string key;
  double per_second = 0;
  std::vector<std::string> scopes{"write"};
};

// One field of every kind.
struct Sample {
  bool demo = false;
  std::string data_dir = "/var/lib/honryu";
  struct Broker {
    std::uint16_t port = 4567;
    int shards = 4;
    std::int64_t offset = -5;
    std::uint32_t connections = 100;
    std::uint64_t entries = 1000;
    double share = 0.5;
    Duration timeout = std::chrono::seconds(5);
    ByteSize queue = ByteSize::MiB(64);
    Durability durability = Durability::kFsync;
    std::string codec = "lz4";
    std::optional<ByteSize> retention;
    std::optional<Duration> age;
    std::optional<std::string> peer;
    std::optional<std::uint64_t> count;
    std::string password;
  } broker;
  std::vector<std::string> origins{"loopback"};
  std::vector<SampleKey> api_keys;
};

inline void DescribeKey(SampleKey& key, Section& section) {
  section.Field("name", &key.name, {.doc = "Shown in logs.", .example = "mobile", .required = true},
                {.min_length = 1, .max_length = 64});
  section.Field("key", &key.key, {.doc = "The secret.", .secret = true, .required = true}, {.min_length = 8});
  section.Field("per_second", &key.per_second, {.doc = "Events a second; 0: no limit."}, {0, 1e9});
  section.Field("scopes", &key.scopes, {.doc = "What the key may do."},
                {.allowed = {"read", "write", "admin"}});
}

inline void DescribeSample(Sample& sample, Section& section) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  section.Field("demo", &sample.demo, {.doc = "Runs the demo generator."});
  section.Field("data_dir", &sample.data_dir, {.doc = "Folder of the log and of all state."},
                {.min_length = 1});
  section.Sub("broker", "The log and the Kinesis API.", [&sample](Section& s) {
    Sample::Broker& broker = sample.broker;
    s.Field("port", &broker.port, {.doc = "Port to listen on.", .former_key = "listen_port"}, {1, 65535});
    s.Field("shards", &broker.shards, {.doc = "Shards of a new stream."}, {1, 10000});
    s.Field("offset", &broker.offset, {.doc = "Any whole number."});
    s.Field("connections", &broker.connections, {.doc = "Open at once.", .audience = Audience::kTunable});
    s.Field("entries", &broker.entries, {.doc = "Old.", .audience = Audience::kDeprecated});
    s.Field("share", &broker.share, {.doc = "Of the memory.", .reloadable = true}, {0, 1});
    s.Field("timeout", &broker.timeout, {.doc = "Of one write."}, {milliseconds(1), hours(1)});
    s.Field("queue", &broker.queue, {.doc = "Waiting bytes."}, {ByteSize::KiB(64), ByteSize::GiB(4)});
    s.Enum("durability", &broker.durability, {.doc = "When a put is acknowledged."},
           {{"fsync", Durability::kFsync}, {"interval", Durability::kInterval}, {"none", Durability::kNone}});
    s.Field("codec", &broker.codec, {.doc = "Compression."}, {.allowed = {"none", "lz4", "zstd"}});
    s.Field("retention", &broker.retention, {.doc = "Bytes kept.", .example = "10GiB"});
    s.Field("age", &broker.age, {.doc = "Time kept."});
    s.Field("peer", &broker.peer, {.doc = "Another broker."});
    s.Field("count", &broker.count, {.doc = "Records kept."});
    s.Field("password", &broker.password, {.doc = "For operators.", .secret = true});
    s.Check([&broker]() -> Result<void> {
      if (broker.durability == Durability::kNone && broker.shards > 100)
        return Error(ErrorCode::kInvalidArgument, "too many shards for durability none\nsecond rule broken");
      return Ok();
    });
  });
  section.Field("origins", &sample.origins, {.doc = "Web origins that may post."}, {.max_length = 20});
  section.List("api_keys", &sample.api_keys, {.doc = "Who may write."}, DescribeKey);
}

inline DescribeFunction Describing(Sample& sample) {
  return [&sample](Section& section) { DescribeSample(sample, section); };
}

}  // namespace honryu::config
