#include "rocksdb_meta.h"

#include "honryu/codec/endian.h"

#include <algorithm>

namespace honryu::log {

namespace {
constexpr char kPrefix[] = "m";
constexpr char kAfterPrefix[] = "n";

std::string Row(std::uint64_t version, BytesView value) {
  std::string row;
  codec::AppendU64(row, version);
  return row.append(value);
}
}  // namespace

Result<RocksdbMetaStore::Entries> RocksdbMetaStore::Load(const kv::Database& database) {
  const std::shared_ptr<kv::Family> family = database.Find("meta");
  if (family == nullptr) return Error(ErrorCode::kCorrupt, "the database has no family 'meta'");
  Entries entries;
  kv::Iterator it = database.Scan(*family, kPrefix, kAfterPrefix);
  for (it.SeekToFirst(); it.valid(); it.Next()) {
    if (it.value().size() < 8) return Error(ErrorCode::kCorrupt, "meta entry is cut short");
    Entry entry;
    entry.key = it.key().substr(1);
    entry.version = codec::LoadU64(it.value().data());
    entry.value = it.value().substr(8);
    entries[entry.key] = std::move(entry);
  }
  HONRYU_TRY_VOID(it.status());
  return entries;
}

Result<std::unique_ptr<RocksdbMetaStore>> RocksdbMetaStore::Open(
    std::shared_ptr<kv::Database> database, std::function<void(const Error&)> on_failure) {
  auto store = std::make_unique<RocksdbMetaStore>(std::move(on_failure));
  HONRYU_TRY(store->entries_, Load(*database));
  for (const auto& [key, entry] : store->entries_)
    store->last_version_ = std::max(store->last_version_, entry.version);
  store->database_ = std::move(database);
  return store;
}

void RocksdbMetaStore::Detach() {
  const std::lock_guard lock(mutex_);
  database_.reset();
}

Result<void> RocksdbMetaStore::Attach(std::shared_ptr<kv::Database> database) {
  const std::lock_guard lock(mutex_);
  HONRYU_TRY(const Entries stored, Load(*database));
  const std::shared_ptr<kv::Family> family = database->Find("meta");
  kv::WriteBatch undo;
  for (const auto& [key, entry] : stored) {
    last_version_ = std::max(last_version_, entry.version);
    if (!entries_.contains(key)) undo.Delete(*family, kPrefix + key);
  }
  for (const auto& [key, entry] : entries_) {
    const auto found = stored.find(key);
    if (found == stored.end() || found->second.version != entry.version)
      undo.Put(*family, kPrefix + key, Row(entry.version, entry.value));
  }
  if (!undo.empty()) HONRYU_TRY_VOID(database->Write(undo, true));
  database_ = std::move(database);
  return Ok();
}

Result<MetaStore::Entry> RocksdbMetaStore::Get(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Error(ErrorCode::kNotFound, "no key " + std::string(key));
  return found->second;
}

Result<std::vector<MetaStore::Entry>> RocksdbMetaStore::List(std::string_view prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> out;
  for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it)
    out.push_back(it->second);
  return out;
}

Result<void> RocksdbMetaStore::Commit(const std::vector<Write>& writes) {
  const std::lock_guard lock(mutex_);
  if (database_ == nullptr) return Error(ErrorCode::kUnavailable, "the database is being reopened");
  for (const Write& write : writes) {
    const auto found = entries_.find(write.key);
    const std::uint64_t version = found == entries_.end() ? 0 : found->second.version;
    if (write.expected_version && *write.expected_version != version)
      return Error(ErrorCode::kConflict, "key has changed: " + write.key);
  }
  const std::shared_ptr<kv::Family> family = database_->Find("meta");
  kv::WriteBatch batch;
  std::uint64_t version = last_version_;
  for (const Write& write : writes) {
    const std::string key = kPrefix + write.key;
    if (write.value) {
      batch.Put(*family, key, Row(++version, *write.value));
    } else {
      batch.Delete(*family, key);
    }
  }
  // A failed write leaves open whether it reached the disk; memory keeps the old state, and reopening puts it
  // back.
  if (const Result<void> written = database_->Write(batch, true); !written.ok()) {
    database_.reset();
    last_version_ = version;
    on_failure_(written.error());
    return Error(
        written.error().code() == ErrorCode::kCorrupt ? ErrorCode::kCorrupt : ErrorCode::kUnavailable,
        written.error().message());
  }
  for (const Write& write : writes) {
    if (write.value) {
      entries_[write.key] = Entry{write.key, *write.value, ++last_version_};
    } else {
      entries_.erase(write.key);
    }
  }
  return Ok();
}

}  // namespace honryu::log
