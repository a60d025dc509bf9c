#include "honryu/sqlstate/kv_spill.h"

namespace honryu::sqlstate {
namespace {

constexpr std::size_t kBatch = 1000;  // deletions in one write

}  // namespace

KvSpill::KvSpill(kv::Database& database, std::string name, std::shared_ptr<kv::Family> family,
                 std::size_t max_bytes)
    : database_(database), name_(std::move(name)), family_(std::move(family)), max_bytes_(max_bytes) {}

KvSpill::~KvSpill() {
  family_.reset();
  (void)database_.DropFamily(name_);  // what stays is dropped when the family is opened again
}

Result<std::unique_ptr<KvSpill>> KvSpill::Open(kv::Database& database, std::string family,
                                               std::size_t max_bytes) {
  std::unique_ptr<KvSpill> spill(new KvSpill(database, std::move(family), nullptr, max_bytes));
  HONRYU_TRY_VOID(spill->MakeAnew());
  return spill;
}

Result<void> KvSpill::MakeAnew() {
  family_.reset();
  if (database_.Find(name_) != nullptr) HONRYU_TRY_VOID(database_.DropFamily(name_));
  HONRYU_TRY(family_, database_.CreateFamily(name_, kv::Layout::kGeneral));
  bytes_ = 0;
  return Ok();
}

Result<void> KvSpill::Put(std::span<const Entry> entries) {
  std::size_t bytes = bytes_;
  kv::WriteBatch batch;
  for (const auto& [key, value] : entries) {
    HONRYU_TRY(const std::optional<std::string> old, database_.Get(*family_, key));
    bytes += key.size() + value.size();
    if (old.has_value()) bytes -= key.size() + old->size();
    batch.Put(*family_, key, value);
  }
  if (bytes > max_bytes_)
    return Error(ErrorCode::kUnavailable, "the spill is full: " + std::to_string(bytes) + " bytes, limit " +
                                              std::to_string(max_bytes_));
  HONRYU_TRY_VOID(database_.Write(batch, false));
  bytes_ = bytes;
  return Ok();
}

Result<std::optional<std::string>> KvSpill::Get(std::string_view key) { return database_.Get(*family_, key); }

Result<void> KvSpill::Erase(std::span<const std::string> keys) {
  std::size_t bytes = bytes_;
  kv::WriteBatch batch;
  for (const std::string& key : keys) {
    HONRYU_TRY(const std::optional<std::string> old, database_.Get(*family_, key));
    if (!old.has_value()) continue;
    bytes -= key.size() + old->size();
    batch.Delete(*family_, key);
  }
  if (!batch.empty()) HONRYU_TRY_VOID(database_.Write(batch, false));
  bytes_ = bytes;
  return Ok();
}

Result<void> KvSpill::EraseRange(std::string_view from, std::string_view to) {
  if (from.empty() && to.empty()) return bytes_ == 0 ? Ok() : MakeAnew();
  kv::Iterator entry = database_.Scan(*family_, from, to);
  entry.SeekToFirst();
  while (entry.valid()) {
    kv::WriteBatch batch;
    std::size_t freed = 0;
    for (std::size_t i = 0; i < kBatch && entry.valid(); ++i, entry.Next()) {
      batch.Delete(*family_, entry.key());
      freed += entry.key().size() + entry.value().size();
    }
    HONRYU_TRY_VOID(database_.Write(batch, false));
    bytes_ -= freed;
  }
  return entry.status();
}

Result<void> KvSpill::Scan(std::string_view from, std::string_view to, const Visitor& visit) {
  kv::Iterator entry = database_.Scan(*family_, from, to);
  for (entry.SeekToFirst(); entry.valid(); entry.Next())
    if (!visit(entry.key(), entry.value())) return Ok();
  return entry.status();
}

}  // namespace honryu::sqlstate
