#pragma once

#include "honryu/kv/database.h"
#include "honryu/log/meta_store.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace honryu::log {

/// The MetaStore in family `meta`, keys under "m". All entries are also in memory. Value: version u64, bytes.
class RocksdbMetaStore final : public MetaStore {
 public:
  /// Reads all entries. `on_failure` is told of writes that failed; commits are then refused until Attach.
  static Result<std::unique_ptr<RocksdbMetaStore>> Open(std::shared_ptr<kv::Database> database,
                                                        std::function<void(const Error&)> on_failure);
  explicit RocksdbMetaStore(std::function<void(const Error&)> on_failure)
      : on_failure_(std::move(on_failure)) {}
  /// Lets go of the database: commits are refused, reads go on from memory.
  void Detach();
  /// Goes on with the database opened anew. A failed commit that turns out to be on disk is undone, for its
  /// caller was told that it failed and memory has gone on without it.
  Result<void> Attach(std::shared_ptr<kv::Database> database);

  Result<Entry> Get(std::string_view key) const override;
  Result<std::vector<Entry>> List(std::string_view prefix) const override;
  Result<void> Commit(const std::vector<Write>& writes) override;

 private:
  using Entries = std::map<std::string, Entry, std::less<>>;
  static Result<Entries> Load(const kv::Database& database);

  const std::function<void(const Error&)> on_failure_;
  mutable std::mutex mutex_;  // leaf; held over a write, so that commits are serial
  std::shared_ptr<kv::Database> database_;
  Entries entries_;
  std::uint64_t last_version_ = 0;
};

}  // namespace honryu::log
