#include "rocksdb_meta.h"

#include "honryu/codec/endian.h"

#include <algorithm>

namespace honryu::log {

namespace {
constexpr char kPrefix[] = "m";
constexpr char kAfterPrefix[] = "n";
}  // namespace

Result<std::unique_ptr<RocksdbMetaStore>> RocksdbMetaStore::Open(std::shared_ptr<kv::Database> database) {
  auto store = std::make_unique<RocksdbMetaStore>();
  const std::shared_ptr<kv::Family> family = database->Find("meta");
  if (family == nullptr) return Error(ErrorCode::kCorrupt, "the database has no family 'meta'");
  kv::Iterator it = database->Scan(*family, kPrefix, kAfterPrefix);
  for (it.SeekToFirst(); it.valid(); it.Next()) {
    if (it.value().size() < 8) return Error(ErrorCode::kCorrupt, "meta entry is cut short");
    Entry entry;
    entry.key = it.key().substr(1);
    entry.version = codec::LoadU64(it.value().data());
    entry.value = it.value().substr(8);
    store->last_version_ = std::max(store->last_version_, entry.version);
    store->entries_[entry.key] = std::move(entry);
  }
  HONRYU_TRY_VOID(it.status());
  store->database_ = std::move(database);
  return store;
}

void RocksdbMetaStore::Reset(std::shared_ptr<kv::Database> database) {
  const std::lock_guard lock(mutex_);
  database_ = std::move(database);
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
      std::string value;
      codec::AppendU64(value, ++version);
      batch.Put(*family, key, value + *write.value);
    } else {
      batch.Delete(*family, key);
    }
  }
  // A failed write leaves open whether it reached the disk; memory keeps the old state, and a later write or
  // reopening settles it.
  if (const Result<void> written = database_->Write(batch, true); !written.ok()) {
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
