#include "views/table.h"

#include "honryu/kv/database.h"

#include <map>
#include <mutex>
#include <utility>

namespace honryu::views {

namespace {

class MemoryTable final : public Table {
 public:
  Result<void> Write(const std::vector<TableChange>& changes, bool /*sync*/) override {
    const std::lock_guard lock(mutex_);
    for (const TableChange& change : changes) {
      if (change.value.has_value()) {
        entries_.insert_or_assign(change.key, *change.value);
      } else {
        entries_.erase(change.key);
      }
    }
    return Ok();
  }
  Result<std::optional<std::string>> Get(BytesView key) const override {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }
  Result<void> Scan(BytesView lower, BytesView upper, const Visitor& visit) const override {
    const std::lock_guard lock(mutex_);
    auto at = entries_.lower_bound(lower);
    while (at != entries_.end() && BytesView(at->first) < upper) {
      const std::optional<std::string> next = visit(at->first, at->second);
      if (!next.has_value()) break;
      at = next->empty() ? std::next(at) : entries_.lower_bound(*next);
    }
    return Ok();
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;
};

class KvTable final : public Table {
 public:
  KvTable(std::unique_ptr<kv::Database> database, std::shared_ptr<kv::Family> family)
      : database_(std::move(database)), family_(std::move(family)) {}

  Result<void> Write(const std::vector<TableChange>& changes, bool sync) override {
    kv::WriteBatch batch;
    for (const TableChange& change : changes) {
      if (change.value.has_value()) {
        batch.Put(*family_, change.key, *change.value);
      } else {
        batch.Delete(*family_, change.key);
      }
    }
    return database_->Write(batch, sync);
  }
  Result<std::optional<std::string>> Get(BytesView key) const override {
    return database_->Get(*family_, key);
  }
  Result<void> Scan(BytesView lower, BytesView upper, const Visitor& visit) const override {
    kv::Iterator at = database_->Scan(*family_, lower, upper);
    at.Seek(lower);
    while (at.valid()) {
      const std::optional<std::string> next = visit(at.key(), at.value());
      if (!next.has_value()) return Ok();
      if (next->empty()) {
        at.Next();
      } else {
        at.Seek(*next);
      }
    }
    return at.status();
  }

 private:
  std::unique_ptr<kv::Database> database_;
  std::shared_ptr<kv::Family> family_;  // dies before the database
};

}  // namespace

std::unique_ptr<Table> MakeMemoryTable() { return std::make_unique<MemoryTable>(); }

Result<std::unique_ptr<Table>> OpenTable(const std::string& path) {
  kv::OpenOptions options;
  options.path = path;
  HONRYU_TRY(std::unique_ptr<kv::Database> database, kv::Database::Open(options, "append-"));
  std::shared_ptr<kv::Family> family = database->Find("kpi");
  if (family == nullptr) {
    HONRYU_TRY(family, database->CreateFamily("kpi", kv::Layout::kGeneral));
  }
  return std::unique_ptr<Table>(std::make_unique<KvTable>(std::move(database), std::move(family)));
}

}  // namespace honryu::views
