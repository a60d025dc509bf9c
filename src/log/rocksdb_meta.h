#pragma once

#include "honryu/kv/database.h"
#include "honryu/log/meta_store.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace honryu::log {

/// The MetaStore in family `meta`, keys under "m". All entries are also in memory. Value: version u64, bytes.
class RocksdbMetaStore final : public MetaStore {
 public:
  /// Reads all entries. `database` is replaced by Reset after the engine had to reopen it.
  static Result<std::unique_ptr<RocksdbMetaStore>> Open(std::shared_ptr<kv::Database> database);
  void Reset(std::shared_ptr<kv::Database> database);

  Result<Entry> Get(std::string_view key) const override;
  Result<std::vector<Entry>> List(std::string_view prefix) const override;
  Result<void> Commit(const std::vector<Write>& writes) override;

 private:
  mutable std::mutex mutex_;  // leaf; held over a write, so that commits are serial
  std::shared_ptr<kv::Database> database_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t last_version_ = 0;
};

}  // namespace honryu::log
