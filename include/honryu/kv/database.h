#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::kv {

/// A column family of a Database. Opaque; valid until it is dropped or the database is closed.
class Family;

/// How a family is used.
enum class Layout {
  kGeneral,     ///< Small keys, updated in place: ordinary levelled compaction.
  kAppendOnly,  ///< Keys only ever rise between flushes, values are already compressed: files are moved,
                ///< never rewritten.
};

struct OpenOptions {
  std::string path;
  bool create = true;
  bool read_only = false;
  std::uint64_t write_buffer_bytes = 32ULL << 20;  ///< A general family's memtable.
  std::uint64_t append_write_buffer_bytes =
      160ULL << 20;  ///< An append-only family's; above its flush size, so that only Flush seals.
  std::uint64_t max_wal_bytes =
      1ULL << 30;  ///< Families that hold older WAL files back are flushed beyond it.
  std::uint64_t block_cache_bytes = 32ULL << 20;
  /// Told of background work that failed (a flush, a compaction): writes are refused from then on. Called on
  /// RocksDB's threads, with its locks held: must not call back.
  std::function<void(const Error&)> on_background_error;
  /// A rocksdb::FileSystem to use instead of the real one (fault injection); null in production.
  std::shared_ptr<void> file_system;
};

/// Changes that are applied together or not at all. Not thread-safe.
class WriteBatch {
 public:
  WriteBatch();
  ~WriteBatch();
  WriteBatch(WriteBatch&&) noexcept;
  WriteBatch& operator=(WriteBatch&&) noexcept;

  void Put(const Family& family, BytesView key, BytesView value);
  /// The value is the parts joined.
  void PutParts(const Family& family, BytesView key, std::span<const BytesView> parts);
  void Delete(const Family& family, BytesView key);
  bool empty() const;

 private:
  friend class Database;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A cursor in key order over a snapshot. Check status() when valid() becomes false. Not thread-safe; must
/// not outlive the database. May block.
class Iterator {
 public:
  struct Impl;
  explicit Iterator(std::unique_ptr<Impl> impl);
  ~Iterator();
  Iterator(Iterator&&) noexcept;

  void SeekToFirst();
  void Seek(BytesView key);
  /// To the last key <= `key`.
  void SeekForPrev(BytesView key);
  void Next();
  bool valid() const;
  BytesView key() const;    ///< Until the next move.
  BytesView value() const;  ///< Until the next move.
  Result<void> status() const;

 private:
  std::unique_ptr<Impl> impl_;
};

/// The write-ahead log was damaged before its end, other than by a write that a crash cut short: what stood
/// behind the damage is lost.
struct WalDamage {
  std::string message;          ///< RocksDB's own words, with the position.
  std::string kept_in;          ///< Folder with copies of the damaged files; empty when opened read-only.
  std::uint64_t wal_bytes = 0;  ///< Size of all its files: more records than that cannot be lost.
};

/// Bytes written since the database was opened, by cause: the terms of the write amplification.
struct WriteStatistics {
  std::uint64_t wal_bytes = 0, flush_bytes = 0, compaction_bytes = 0;
};

/// RocksDB, narrowed to what Honryu uses: the only place that includes it. Thread-safe unless said otherwise;
/// every call may block. Errors: kCorrupt (checksum, structure), kUnavailable (no space, or writes are
/// refused after an earlier failure), kNotFound, kIo.
class Database {
 public:
  /// Opens all families that exist; those whose name begins with `append_prefix` as kAppendOnly.
  static Result<std::unique_ptr<Database>> Open(const OpenOptions& options, std::string_view append_prefix);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::vector<std::string> FamilyNames() const;
  /// Null pointer when there is none of that name.
  std::shared_ptr<Family> Find(std::string_view name) const;
  Result<std::shared_ptr<Family>> CreateFamily(const std::string& name, Layout layout);
  /// Drops the family with its files; they go when the last user of the handle has let go.
  Result<void> DropFamily(const std::string& name);

  Result<void> Write(WriteBatch& batch, bool sync);
  /// Makes everything written so far durable. After a Write or background work failed, neither this nor
  /// Flush succeeds any more (kIo): the database must be opened again.
  Result<void> Sync();
  Result<std::optional<std::string>> Get(const Family& family, BytesView key) const;
  /// Over keys in [lower, upper); empty bounds are open. Verifies checksums. `readahead_bytes` for long
  /// scans.
  Iterator Scan(const Family& family, BytesView lower, BytesView upper,
                std::size_t readahead_bytes = 0) const;

  /// Turns the family's memtable into a file; without `wait` only the switch to a fresh memtable has happened
  /// on return.
  Result<void> Flush(const Family& family, bool wait);
  /// Drops all files that lie wholly in [begin, end); keys in other files stay. Returns how many files that
  /// reach into the range are left, or may do so when the flushes that run have ended.
  Result<std::size_t> DeleteFiles(const Family& family, BytesView begin, BytesView end);
  /// Estimate of what [begin, end) takes in files and memory.
  std::uint64_t ApproximateBytes(const Family& family, BytesView begin, BytesView end) const;
  WriteStatistics Statistics() const;
  /// What opening found, if anything.
  const std::optional<WalDamage>& wal_damage() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes, syncs and removes a file of `bytes` in options.path: whether the disk takes writes now.
Result<void> ProbeDisk(const OpenOptions& options, std::uint64_t bytes);

}  // namespace honryu::kv
