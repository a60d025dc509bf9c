#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/units.h"
#include "honryu/log/encryption.h"
#include "honryu/log/engine.h"
#include "honryu/log/meta_store.h"
#include "honryu/obs/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace honryu::log {

enum class Durability {
  kFsync,     ///< Acknowledged means on disk (default).
  kInterval,  ///< fsync every `sync_interval`; a power cut may lose that much.
  kNone,      ///< The operating system decides; survives kill -9 but not a power cut.
};

struct RocksdbEngineConfig {
  std::string path;
  Durability durability = Durability::kFsync;
  Duration sync_interval = std::chrono::milliseconds(200);
  ByteSize max_queued = ByteSize::MiB(64);     ///< Appends waiting for the committer; beyond it kOverloaded.
  ByteSize max_commit = ByteSize::MiB(16);     ///< One commit takes at most this much from the queue.
  ByteSize segment_bytes = ByteSize::MiB(64);  ///< A group's segment is sealed at this size,
  Duration segment_age = std::chrono::hours(1);  ///< or at this age.
  ByteSize tail_cache =
      ByteSize::MiB(64);  ///< Newest batches kept in memory for readers, all partitions together.
  ByteSize min_free_disk =
      ByteSize::MiB(256);               ///< Below it puts are refused (retryable) until there is room again.
  std::shared_ptr<const KeyRing> keys;  ///< To read sealed records with; null: none.
};

/// The single-machine engine on RocksDB, with its MetaStore in the same database. Layout and recovery:
/// docs/storage-format.md.
class RocksdbEngine : public LogEngine {
 public:
  /// Opens or creates the database and recovers. `clock` and `metrics` must outlive it. Blocks.
  /// `fault_file_system`: tests may pass a rocksdb::FileSystem wrapper as an opaque shared pointer; null in
  /// production.
  static Result<std::unique_ptr<RocksdbEngine>> Open(const RocksdbEngineConfig& config, const Clock& clock,
                                                     async::Runtime& runtime, obs::Registry& metrics,
                                                     std::shared_ptr<void> fault_file_system = nullptr);
  virtual MetaStore& meta() = 0;
};

struct VerifyReport {
  std::uint64_t partitions = 0, segments = 0, batches = 0, records = 0, bytes = 0;
  std::uint64_t sealed_records = 0;  ///< Of `records`: encrypted, checked but not opened; not in `bytes`.
  std::vector<std::string> faults;   ///< One line each, with group, segment, partition and position.
};
/// Reads everything below `path` (the engine must not be running), checks every checksum, the order and
/// contiguity of positions and the index. `progress` gets (batches so far, bytes so far) now and then.
/// kCorrupt never: faults are listed.
Result<VerifyReport> VerifyLog(const std::string& path,
                               std::function<void(std::uint64_t, std::uint64_t)> progress);

}  // namespace honryu::log
