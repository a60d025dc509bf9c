#include "honryu/kv/database.h"

#include "honryu/kv/folder.h"
#include "status.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>

namespace honryu::kv {
namespace {

rocksdb::Slice ToSlice(BytesView view) { return rocksdb::Slice(view.data(), view.size()); }
BytesView ToView(const rocksdb::Slice& slice) { return BytesView(slice.data(), slice.size()); }

rocksdb::ColumnFamilyOptions FamilyOptions(const OpenOptions& options, Layout layout,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  family.compression = rocksdb::kNoCompression;
  family.bottommost_compression = rocksdb::kDisableCompressionOption;
  family.arena_block_size = 1 << 20;  // an idle family costs little
  if (layout == Layout::kAppendOnly) {
    table.block_size = 64 << 10;
    family.write_buffer_size = options.append_write_buffer_bytes;
    family.max_write_buffer_number = 6;
    // Two levels and no size limit on the second: flushed files never overlap, so a compaction only moves
    // them down.
    family.num_levels = 2;
    family.level_compaction_dynamic_level_bytes = false;
    family.level0_file_num_compaction_trigger = 2;
    family.level0_slowdown_writes_trigger = 64;
    family.level0_stop_writes_trigger = 128;
    family.max_bytes_for_level_base = 1ULL << 50;
    family.target_file_size_base = 1ULL << 40;
    family.max_compaction_bytes = 1ULL << 50;
  } else {
    family.write_buffer_size = options.write_buffer_bytes;
  }
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

// RocksDB would try to recover from a full disk by itself, on a thread of its own; the log engine does that,
// by reopening.
class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::function<void(const Error&)> on_error) : on_error_(std::move(on_error)) {}
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (on_error_ && status != nullptr) on_error_(FromStatus(*status, "background work"));
  }

 private:
  const std::function<void(const Error&)> on_error_;
};

struct WalFile {
  std::string name;
  std::uint64_t bytes = 0;
};

std::vector<WalFile> WalFiles(rocksdb::Env& env, const std::string& path) {
  std::vector<std::string> names;
  std::vector<WalFile> files;
  if (!env.GetChildren(path, &names).ok()) return files;
  for (const std::string& name : names) {
    WalFile file{name, 0};
    if (!name.ends_with(".log") || !env.GetFileSize(path + "/" + name, &file.bytes).ok()) continue;
    files.push_back(std::move(file));
  }
  return files;
}

// Copies of the WAL files for whoever wants to look at them; opening replays and then removes the originals.
Result<std::string> KeepWalFiles(rocksdb::Env& env, const std::string& path) {
  const std::string folder = path + "/damaged-wal-" + std::to_string(env.NowMicros() / 1000000);
  if (const rocksdb::Status made = env.CreateDirIfMissing(folder); !made.ok())
    return FromStatus(made, "keeping a damaged write-ahead log");
  for (const WalFile& file : WalFiles(env, path)) {
    std::string content;
    rocksdb::Status copied = rocksdb::ReadFileToString(&env, path + "/" + file.name, &content);
    if (copied.ok()) copied = rocksdb::WriteStringToFile(&env, content, folder + "/" + file.name, true);
    if (!copied.ok()) return FromStatus(copied, "keeping a damaged write-ahead log");
  }
  return folder;
}

// No flush and no compaction runs while it lives. DB::DeleteFile needs that: while it waits for its turn at
// the manifest, a compaction may pick the same file, and of the two edits the second is "corruption", after
// which RocksDB writes no more and may even wait for ever. DeleteFilesInRange marks its files and is safe.
class BackgroundPause {
 public:
  explicit BackgroundPause(rocksdb::DB& db) : db_(db), paused_(db.PauseBackgroundWork().ok()) {}
  ~BackgroundPause() {
    if (paused_) (void)db_.ContinueBackgroundWork();
  }
  BackgroundPause(const BackgroundPause&) = delete;
  BackgroundPause& operator=(const BackgroundPause&) = delete;

 private:
  rocksdb::DB& db_;
  const bool paused_;
};

}  // namespace

class Family {
 public:
  Family(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) : db_(db), handle_(handle) {}
  ~Family() { (void)db_->DestroyColumnFamilyHandle(handle_); }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  rocksdb::ColumnFamilyHandle* handle() const { return handle_; }

 private:
  rocksdb::DB* db_;
  rocksdb::ColumnFamilyHandle* handle_;
};

struct WriteBatch::Impl {
  rocksdb::WriteBatch batch;
};
WriteBatch::WriteBatch() : impl_(std::make_unique<Impl>()) {}
WriteBatch::~WriteBatch() = default;
WriteBatch::WriteBatch(WriteBatch&&) noexcept = default;
WriteBatch& WriteBatch::operator=(WriteBatch&&) noexcept = default;

// The batch is memory only: its operations fail for absurd sizes alone, which callers exclude.
void WriteBatch::Put(const Family& family, BytesView key, BytesView value) {
  HONRYU_CHECK(impl_->batch.Put(family.handle(), ToSlice(key), ToSlice(value)).ok(),
               "write batch refused a put");
}
void WriteBatch::PutParts(const Family& family, BytesView key, std::span<const BytesView> parts) {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(parts.size());
  for (const BytesView part : parts) slices.push_back(ToSlice(part));
  const rocksdb::Slice key_slice = ToSlice(key);
  const rocksdb::Status status =
      impl_->batch.Put(family.handle(), rocksdb::SliceParts(&key_slice, 1),
                       rocksdb::SliceParts(slices.data(), static_cast<int>(slices.size())));
  HONRYU_CHECK(status.ok(), "write batch refused a put");
}
void WriteBatch::Delete(const Family& family, BytesView key) {
  HONRYU_CHECK(impl_->batch.Delete(family.handle(), ToSlice(key)).ok(), "write batch refused a delete");
}
bool WriteBatch::empty() const { return impl_->batch.Count() == 0; }

struct Iterator::Impl {
  std::string lower, upper;
  rocksdb::Slice lower_slice, upper_slice;
  std::unique_ptr<rocksdb::Iterator> it;
};
Iterator::Iterator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Iterator::~Iterator() = default;
Iterator::Iterator(Iterator&&) noexcept = default;
void Iterator::SeekToFirst() { impl_->it->SeekToFirst(); }
void Iterator::Seek(BytesView key) { impl_->it->Seek(ToSlice(key)); }
void Iterator::SeekForPrev(BytesView key) { impl_->it->SeekForPrev(ToSlice(key)); }
void Iterator::Next() { impl_->it->Next(); }
bool Iterator::valid() const { return impl_->it->Valid(); }
BytesView Iterator::key() const { return ToView(impl_->it->key()); }
BytesView Iterator::value() const { return ToView(impl_->it->value()); }
Result<void> Iterator::status() const {
  const rocksdb::Status status = impl_->it->status();
  if (!status.ok()) return FromStatus(status, "scan");
  return Ok();
}

struct Database::Impl {
  OpenOptions options;
  std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::Statistics> statistics;
  /// A write or background work failed, so the write-ahead log may be broken. RocksDB aborts the process (by
  /// an assertion that distributions leave in) when such a log is synced, be it before a flush.
  std::atomic<bool> broken{false};
  std::mutex reason_mutex;  // leaf
  std::string reason;       // why `broken`, the first cause
  void Break(const Error& why) {
    const std::lock_guard lock(reason_mutex);
    if (!broken) reason = why.message();
    broken = true;
  }
  Error Broken(const char* what) {
    const std::lock_guard lock(reason_mutex);
    return Error(ErrorCode::kIo, std::string(what) + ": earlier writing failed: " + reason);
  }
  std::unique_ptr<rocksdb::DB> db;
  mutable std::mutex mutex;  // guards families; leaf
  std::map<std::string, std::shared_ptr<Family>, std::less<>> families;
  std::optional<WalDamage> wal_damage;
  rocksdb::Status OpenFiles(rocksdb::DBOptions& db_options, std::string_view append_prefix);
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Database::~Database() {
  impl_->families.clear();
  (void)impl_->db->Close();
}

rocksdb::Status Database::Impl::OpenFiles(rocksdb::DBOptions& db_options, std::string_view append_prefix) {
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(db_options, options.path, &names);
  if (!listed.ok()) {
    if (!options.create || options.read_only) return listed;
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    const Layout layout = name.starts_with(append_prefix) ? Layout::kAppendOnly : Layout::kGeneral;
    descriptors.emplace_back(name, FamilyOptions(options, layout, cache));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(db_options, options.path, descriptors, &handles, &opened)
          : rocksdb::DB::Open(db_options, options.path, descriptors, &handles, &opened);
  if (!status.ok()) return status;
  db.reset(opened);
  for (std::size_t i = 0; i < names.size(); ++i)
    families[names[i]] = std::make_shared<Family>(opened, handles[i]);
  return status;
}

Result<std::unique_ptr<Database>> Database::Open(const OpenOptions& options, std::string_view append_prefix) {
  if (options.create && !options.read_only) HONRYU_TRY_VOID(MakeFolder(options.path));
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  impl->statistics = rocksdb::CreateDBStatistics();
  impl->statistics->set_stats_level(rocksdb::StatsLevel::kExceptDetailedTimers);
  rocksdb::DBOptions db_options;
  if (options.file_system != nullptr) {
    impl->env = rocksdb::NewCompositeEnv(std::static_pointer_cast<rocksdb::FileSystem>(options.file_system));
    db_options.env = impl->env.get();
  }
  db_options.create_if_missing = options.create;
  db_options.create_missing_column_families = true;
  db_options.statistics = impl->statistics;
  db_options.max_total_wal_size = options.max_wal_bytes;
  db_options.track_and_verify_wals_in_manifest = true;
  db_options.max_background_jobs = 2;
  db_options.keep_log_file_num = 4;
  db_options.max_log_file_size = 4 << 20;
  db_options.max_bgerror_resume_count = 0;
  db_options.listeners.push_back(
      std::make_shared<Listener>([broken = impl.get(), told = options.on_background_error](const Error& why) {
        broken->Break(why);
        if (told) told(why);
      }));
  // A record cut short at the end is what a crash leaves. Any other damage is reported, and only then is
  // everything before it taken.
  db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  rocksdb::Status opened = impl->OpenFiles(db_options, append_prefix);
  if (opened.IsCorruption()) {
    WalDamage damage;
    damage.message = opened.ToString();
    for (const WalFile& file : WalFiles(*db_options.env, options.path)) damage.wal_bytes += file.bytes;
    if (!options.read_only) {
      HONRYU_TRY(damage.kept_in, KeepWalFiles(*db_options.env, options.path));
    }
    db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    opened = impl->OpenFiles(db_options, append_prefix);
    impl->wal_damage = std::move(damage);
  }
  if (!opened.ok()) return FromStatus(opened, "opening " + options.path);
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

std::vector<std::string> Database::FamilyNames() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, family] : impl_->families) names.push_back(name);
  return names;
}

std::shared_ptr<Family> Database::Find(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->families.find(name);
  return found == impl_->families.end() ? nullptr : found->second;
}

Result<std::shared_ptr<Family>> Database::CreateFamily(const std::string& name, Layout layout) {
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const rocksdb::Status status =
      impl_->db->CreateColumnFamily(FamilyOptions(impl_->options, layout, impl_->cache), name, &handle);
  if (!status.ok()) return FromStatus(status, "creating family " + name);
  auto family = std::make_shared<Family>(impl_->db.get(), handle);
  const std::lock_guard lock(impl_->mutex);
  impl_->families[name] = family;
  return family;
}

Result<void> Database::DropFamily(const std::string& name) {
  std::shared_ptr<Family> family;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto found = impl_->families.find(name);
    if (found == impl_->families.end()) return Error(ErrorCode::kNotFound, "no family " + name);
    family = found->second;
    impl_->families.erase(found);
  }
  const rocksdb::Status status = impl_->db->DropColumnFamily(family->handle());
  if (!status.ok()) return FromStatus(status, "dropping family " + name);
  return Ok();
}

Result<void> Database::Write(WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = impl_->db->Write(options, &batch.impl_->batch);
  if (status.ok()) return Ok();
  const Error failed = FromStatus(status, "write");
  if (status.IsIOError()) impl_->Break(failed);
  return failed;
}

Result<void> Database::Sync() {
  if (impl_->broken) return impl_->Broken("sync");
  const rocksdb::Status status = impl_->db->SyncWAL();
  if (!status.ok()) return FromStatus(status, "sync");
  return Ok();
}

Result<std::optional<std::string>> Database::Get(const Family& family, BytesView key) const {
  std::string value;
  const rocksdb::Status status =
      impl_->db->Get(rocksdb::ReadOptions(), family.handle(), ToSlice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return FromStatus(status, "get");
  return std::optional<std::string>(std::move(value));
}

Iterator Database::Scan(const Family& family, BytesView lower, BytesView upper,
                        std::size_t readahead_bytes) const {
  auto impl = std::make_unique<Iterator::Impl>();
  impl->lower = lower;
  impl->upper = upper;
  impl->lower_slice = impl->lower;
  impl->upper_slice = impl->upper;
  rocksdb::ReadOptions options;
  options.readahead_size = readahead_bytes;
  options.fill_cache = readahead_bytes == 0;
  if (!lower.empty()) options.iterate_lower_bound = &impl->lower_slice;
  if (!upper.empty()) options.iterate_upper_bound = &impl->upper_slice;
  impl->it.reset(impl_->db->NewIterator(options, family.handle()));
  return Iterator(std::move(impl));
}

Result<void> Database::Flush(const Family& family, bool wait) {
  if (impl_->broken) return impl_->Broken("flush");
  rocksdb::FlushOptions options;
  options.wait = wait;
  options.allow_write_stall = true;
  const rocksdb::Status status = impl_->db->Flush(options, family.handle());
  if (!status.ok()) return FromStatus(status, "flush");
  return Ok();
}

Result<std::size_t> Database::DeleteFiles(const Family& family, BytesView begin, BytesView end) {
  const rocksdb::Slice begin_slice = ToSlice(begin), end_slice = ToSlice(end);
  rocksdb::Status status =
      rocksdb::DeleteFilesInRange(impl_->db.get(), family.handle(), &begin_slice, &end_slice, false);
  if (!status.ok()) return FromStatus(status, "deleting files");
  // Level 0 is not looked at by that. There only the oldest file may go, so they go from the oldest on.
  rocksdb::ColumnFamilyMetaData metadata;
  impl_->db->GetColumnFamilyMetaData(family.handle(), &metadata);
  std::vector<rocksdb::SstFileMetaData> files;
  // A memtable that is being flushed becomes a file soon, and may reach into the range.
  std::uint64_t flushing = 0;
  impl_->db->GetIntProperty(family.handle(), rocksdb::DB::Properties::kNumImmutableMemTable, &flushing);
  std::size_t left = flushing;
  for (const rocksdb::LevelMetaData& level : metadata.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      const bool reaches_in = BytesView(file.largestkey) >= begin && BytesView(file.smallestkey) < end;
      if (level.level == 0) {
        files.push_back(file);
      } else if (reaches_in) {
        ++left;
      }
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.largest_seqno < b.largest_seqno; });
  const auto inside = [&](const rocksdb::SstFileMetaData& file) {
    return BytesView(file.smallestkey) >= begin && BytesView(file.largestkey) < end;
  };
  std::optional<BackgroundPause> pause;
  if (!files.empty() && inside(files.front())) pause.emplace(*impl_->db);
  bool oldest = true;
  for (const rocksdb::SstFileMetaData& file : files) {
    // Also one that was moved down before the pause began: below level 1 there is nothing.
    oldest = oldest && inside(file) && impl_->db->DeleteFile(file.name).ok();
    if (!oldest && BytesView(file.largestkey) >= begin && BytesView(file.smallestkey) < end) ++left;
  }
  return left;
}

std::uint64_t Database::ApproximateBytes(const Family& family, BytesView begin, BytesView end) const {
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  const rocksdb::Range range(ToSlice(begin), ToSlice(end));
  std::uint64_t size = 0;
  const rocksdb::Status status = impl_->db->GetApproximateSizes(options, family.handle(), &range, 1, &size);
  return status.ok() ? size : 0;
}

const std::optional<WalDamage>& Database::wal_damage() const { return impl_->wal_damage; }

Result<void> ProbeDisk(const OpenOptions& options, std::uint64_t bytes) {
  const std::unique_ptr<rocksdb::Env> own =
      options.file_system == nullptr
          ? nullptr
          : rocksdb::NewCompositeEnv(std::static_pointer_cast<rocksdb::FileSystem>(options.file_system));
  rocksdb::Env& env = own == nullptr ? *rocksdb::Env::Default() : *own;
  const std::string name = options.path + "/probe.tmp";
  const rocksdb::Status written =
      rocksdb::WriteStringToFile(&env, std::string(static_cast<std::size_t>(bytes), 'p'), name, true);
  (void)env.DeleteFile(name);
  if (!written.ok()) return FromStatus(written, "writing to " + options.path);
  return Ok();
}

WriteStatistics Database::Statistics() const {
  WriteStatistics out;
  out.wal_bytes = impl_->statistics->getTickerCount(rocksdb::WAL_FILE_BYTES);
  out.flush_bytes = impl_->statistics->getTickerCount(rocksdb::FLUSH_WRITE_BYTES);
  out.compaction_bytes = impl_->statistics->getTickerCount(rocksdb::COMPACT_WRITE_BYTES);
  return out;
}

}  // namespace honryu::kv
