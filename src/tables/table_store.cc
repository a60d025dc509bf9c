#include "honryu/tables/table_store.h"

#include "honryu/codec/endian.h"
#include "honryu/obs/log.h"
#include "tables/table_store_impl.h"

#include <chrono>
#include <set>
#include <utility>

// On disk (docs/formats/tables.md): "f" the format; "t" name: a table; "i" table id, key: an item; "k" token:
// a transaction that was done.
namespace honryu::tables {

namespace {

constexpr std::string_view kFormatKey = "f";
constexpr std::string_view kFormat = "1";
constexpr std::string_view kFamily = "tables";
constexpr Duration kTokenLife = std::chrono::minutes(10);  // DynamoDB's
constexpr std::size_t kMaxTokens = 10000;
constexpr Duration kSweepEvery = std::chrono::minutes(1);
constexpr std::size_t kMaxSwept = 1000;
constexpr std::int64_t kOldestExpiry =
    5LL * 365 * 86400;  // s; DynamoDB leaves what is older: likely a mistake

std::string TableKey(std::string_view name) { return "t" + std::string(name); }

std::string RowKey(std::uint64_t table, std::string_view key) {
  std::string out = "i";
  codec::AppendBigEndian64(out, table);
  return out.append(key);
}

Error TableNotFound() { return Error(ErrorCode::kNotFound, "Requested resource not found"); }

Row MakeRow(const Item& item) {
  return Row{std::make_shared<const std::string>(EncodeItem(item)), SizeOf(item)};
}

}  // namespace

// Changes that are decided but not yet on disk: what a write sees lies over what is published.
struct TableStore::Impl::Staged {
  std::map<std::pair<Table*, std::string>, std::optional<Row>> rows;
  std::map<std::string, Token> tokens;
  std::int64_t growth = 0;  // of the footprint of rows
  std::uint64_t base = 0;   // footprint of what is published

  const Row* Find(Table* table, const std::string& key) const {
    const auto staged = rows.find({table, key});
    if (staged != rows.end()) return staged->second ? &*staged->second : nullptr;
    const auto stored = table->rows().find(key);
    return stored == table->rows().end() ? nullptr : &stored->second;
  }
  void Set(Table* table, const std::string& key, std::optional<Row> row) {
    const Row* old = Find(table, key);
    if (old != nullptr) growth -= static_cast<std::int64_t>(Footprint(key, *old));
    if (row) growth += static_cast<std::int64_t>(Footprint(key, *row));
    rows[{table, key}] = std::move(row);
  }
};

TableStore::Impl::Impl(TableStoreConfig config_in, const Clock& clock_in, async::Runtime& runtime,
                       obs::Registry& metrics)
    : config(std::move(config_in)), clock(clock_in), calls(runtime, "table store") {
  commits = metrics.MakeCounter("honryu_tables_commits_total", "Writes of the table store to disk.");
  written = metrics.MakeCounter("honryu_tables_items_written_total", "Items put, changed or deleted.");
  const auto refused = [&metrics](const char* reason) {
    return metrics.MakeCounter("honryu_tables_refused_total",
                               "Changes of items that were refused, by reason.", {{"reason", reason}});
  };
  refused_full = refused("full");
  refused_condition = refused("condition");
  refused_disk = refused("disk");
  expired = metrics.MakeCounter("honryu_tables_expired_items_total", "Items deleted by their time to live.");
  tables_gauge = metrics.MakeGauge("honryu_tables_tables", "Tables.");
  items_gauge = metrics.MakeGauge("honryu_tables_items", "Items in all tables.");
  bytes_gauge = metrics.MakeGauge("honryu_tables_bytes", "What counts against tables.max_bytes.");
}

Result<void> TableStore::Impl::Load() {
  family.reset();
  database.reset();
  kv::OpenOptions options;
  options.path = config.path;
  options.file_system = config.file_system;
  options.write_buffer_bytes = 4 << 20;
  options.max_wal_bytes = 16 << 20;
  options.block_cache_bytes = 1 << 20;  // all is read once, at the start
  HONRYU_TRY(std::unique_ptr<kv::Database> opened, kv::Database::Open(options, "append-"));
  std::shared_ptr<kv::Family> found = opened->Find(kFamily);
  if (found == nullptr) {
    HONRYU_TRY(found, opened->CreateFamily(std::string(kFamily), kv::Layout::kGeneral));
    kv::WriteBatch batch;
    batch.Put(*found, kFormatKey, kFormat);
    HONRYU_TRY_VOID(opened->Write(batch, true));
  }
  std::map<std::uint64_t, std::unique_ptr<Table>> by_id;
  std::map<std::string, Token> loaded_tokens;
  std::uint64_t next_id = 1;
  kv::Iterator at = opened->Scan(*found, {}, {});
  // Tables sort behind their items, so they come first in a round of their own.
  for (at.Seek("t"); at.valid() && at.key().starts_with("t"); at.Next()) {
    HONRYU_TRY(TableDescription about, DecodeDescription(at.value()));
    const std::uint64_t id = about.id;
    next_id = std::max(next_id, id + 1);
    by_id[id] = std::make_unique<Table>(std::move(about));
  }
  HONRYU_TRY_VOID(at.status());
  for (at.SeekToFirst(); at.valid(); at.Next()) {
    const BytesView key = at.key();
    if (key == kFormatKey && at.value() != kFormat) {
      return Error(ErrorCode::kFailedPrecondition, "the table store is in format " + std::string(at.value()) +
                                                       ", this version reads " + std::string(kFormat));
    }
    if (key.starts_with("k") && at.value().size() == 16) {
      loaded_tokens[std::string(key.substr(1))] = {
          codec::LoadU64(at.value().data()),
          TimestampFromMs(static_cast<std::int64_t>(codec::LoadU64(at.value().data() + 8)))};
    }
    if (!key.starts_with("i") || key.size() < 9) continue;
    const auto table = by_id.find(codec::LoadBigEndian64(key.data() + 1));
    if (table == by_id.end()) return Error(ErrorCode::kCorrupt, "a stored item belongs to no table");
    HONRYU_TRY(const Item item, DecodeItem(at.value()));
    table->second->Replace(std::string(key.substr(9)),
                           Row{std::make_shared<const std::string>(at.value()), SizeOf(item)});
  }
  HONRYU_TRY_VOID(at.status());
  std::map<std::string, std::unique_ptr<Table>, std::less<>> by_name;
  for (auto& [id, table] : by_id) by_name[table->about().name] = std::move(table);
  {
    const std::unique_lock lock(state_mutex);
    std::swap(tables, by_name);
  }
  next_table_id = std::max(next_table_id, next_id);
  tokens = std::move(loaded_tokens);
  token_order.clear();
  std::multimap<Timestamp, std::string> by_time;
  for (const auto& [token, about] : tokens) by_time.emplace(about.expires, token);
  for (auto& [expires, token] : by_time) token_order.push_back(token);
  database = std::move(opened);
  family = std::move(found);
  CountState();
  return Ok();
}

void TableStore::Impl::CountState() {
  std::size_t items = 0;
  std::uint64_t bytes = 0;
  for (const auto& [name, table] : tables) {
    items += table->rows().size();
    bytes += table->footprint();
  }
  tables_gauge.Set(static_cast<double>(tables.size()));
  items_gauge.Set(static_cast<double>(items));
  bytes_gauge.Set(static_cast<double>(bytes));
}

// Whoever comes first commits for all who have queued meanwhile.
async::Task<Result<void>> TableStore::Impl::Submit(std::shared_ptr<PendingChange> change) {
  {
    const std::lock_guard lock(queue_mutex);
    queue.push_back(change);
  }
  Result<void> turn = co_await calls.RunInTurn([this]() -> Result<void> {
    CommitQueued();
    return Ok();
  });
  if (!turn.ok()) {
    // Refused (too many wait) or cancelled: it may be under way all the same, unless it still stands in the
    // queue.
    const std::lock_guard lock(queue_mutex);
    std::erase(queue, change);
    co_return turn.error();
  }
  co_return change->result;
}

void TableStore::Impl::CommitQueued() {
  for (;;) {
    std::vector<std::shared_ptr<PendingChange>> changes;
    {
      const std::lock_guard lock(queue_mutex);
      while (!queue.empty() && changes.size() < 256) {
        const bool of_table = queue.front()->define != nullptr;
        if (of_table && !changes.empty()) break;
        changes.push_back(std::move(queue.front()));
        queue.pop_front();
        if (of_table) break;
      }
    }
    if (changes.empty()) return;
    if (changes.front()->define != nullptr) {
      CommitTable(*changes.front());
    } else {
      CommitItems(changes);
    }
  }
}

void TableStore::Impl::CommitItems(const std::vector<std::shared_ptr<PendingChange>>& changes) {
  if (const Result<void> usable = ReopenIfBroken(); !usable.ok()) {
    for (const auto& change : changes) change->result = usable;
    refused_disk.Add(static_cast<double>(changes.size()));
    return;
  }
  Staged staged;
  for (const auto& [name, table] : tables) staged.base += table->footprint();
  for (const auto& change : changes) Stage(*change, staged);
  StageExpired(staged);
  Result<void> stored = Ok();
  if (!staged.rows.empty() || !staged.tokens.empty()) {
    kv::WriteBatch batch;
    for (const auto& [place, row] : staged.rows) {
      const std::string key = RowKey(place.first->about().id, place.second);
      if (row) {
        batch.Put(*family, key, *row->encoded);
      } else {
        batch.Delete(*family, key);
      }
    }
    for (const auto& [token, about] : staged.tokens) {
      std::string value;
      codec::AppendU64(value, about.hash);
      codec::AppendU64(value, static_cast<std::uint64_t>(ToMs(about.expires)));
      batch.Put(*family, "k" + token, value);
    }
    ForgetTokens(batch);
    stored = WriteToDisk(batch);
  }
  if (stored.ok()) {
    Publish(staged);
  } else {
    refused_disk.Add(static_cast<double>(changes.size()));
  }
  for (const auto& change : changes)
    if (change->result.ok()) change->result = stored;
}

void TableStore::Impl::Publish(const Staged& staged) {
  {
    const std::unique_lock lock(state_mutex);
    for (const auto& [place, row] : staged.rows) place.first->Replace(place.second, row);
  }
  for (const auto& [token, about] : staged.tokens) {
    tokens[token] = about;
    token_order.push_back(token);
  }
  written.Add(static_cast<double>(staged.rows.size()));
  CountState();
}

void TableStore::Impl::ForgetTokens(kv::WriteBatch& batch) {
  while (!token_order.empty()) {
    const auto oldest = tokens.find(token_order.front());
    if (token_order.size() <= kMaxTokens && oldest != tokens.end() && clock.Now() < oldest->second.expires)
      return;
    batch.Delete(*family, "k" + token_order.front());
    if (oldest != tokens.end()) tokens.erase(oldest);
    token_order.pop_front();
  }
}

void TableStore::Impl::Stage(PendingChange& change, Staged& staged) {
  change.outcomes.assign(change.writes.size(), WriteOutcome());
  change.result = Ok();
  if (!change.token.empty()) {
    const auto fresh = staged.tokens.find(change.token);
    const auto known = tokens.find(change.token);
    const Token* before = fresh != staged.tokens.end()                                   ? &fresh->second
                          : known != tokens.end() && clock.Now() < known->second.expires ? &known->second
                                                                                         : nullptr;
    if (before != nullptr) {
      if (before->hash != change.token_hash)
        change.result = Error(ErrorCode::kAlreadyExists, "the token was used with other writes");
      return;
    }
  }
  // All of them on a copy of what is staged of their items, so that a refusal leaves nothing behind.
  Staged trial;
  trial.base = staged.base;
  trial.growth = staged.growth;
  std::set<std::pair<Table*, std::string>> places;
  for (const Write& write : change.writes) {
    const auto table = tables.find(write.table);
    if (table == tables.end()) continue;
    const Result<std::string> key =
        KeyOf(table->second->about(), write.item, write.kind != Write::Kind::kPut);
    if (!key.ok()) continue;
    if (!places.emplace(table->second.get(), *key).second) {
      change.result = Error(ErrorCode::kInvalidArgument,
                            "Transaction request cannot include multiple operations on one item");
      return;
    }
    const auto over = staged.rows.find({table->second.get(), *key});
    if (over != staged.rows.end()) trial.rows.insert(*over);
  }
  bool refused = false;
  for (std::size_t i = 0; i < change.writes.size(); ++i) {
    WriteOutcome& outcome = change.outcomes[i];
    const Result<void> done = StageWrite(change.writes[i], trial, outcome);
    if (done.ok()) continue;
    refused = true;
    if (done.error().code() == ErrorCode::kConflict) refused_condition.Add();
    outcome.refused = done.error();
  }
  if (refused) return;
  if (trial.growth > staged.growth &&
      trial.base + static_cast<std::uint64_t>(std::max<std::int64_t>(0, trial.growth)) > config.max_bytes) {
    refused_full.Add();
    change.result =
        Error(ErrorCode::kTooLarge, "the table store is full: limit " + std::to_string(config.max_bytes) +
                                        " bytes (tables.max_bytes)");
    return;
  }
  for (auto& [place, row] : trial.rows) staged.rows[place] = std::move(row);
  staged.growth = trial.growth;
  if (!change.token.empty())
    staged.tokens[change.token] = Token{
        change.token_hash, clock.Now() + std::chrono::duration_cast<std::chrono::milliseconds>(kTokenLife)};
}

Result<void> TableStore::Impl::StageWrite(const Write& write, Staged& staged, WriteOutcome& outcome) {
  const auto found = tables.find(write.table);
  if (found == tables.end()) return TableNotFound();
  Table* table = found->second.get();
  const TableDescription& about = table->about();
  HONRYU_TRY(const std::string key, KeyOf(about, write.item, write.kind != Write::Kind::kPut));
  if (const Row* row = staged.Find(table, key)) {
    HONRYU_TRY(outcome.before, DecodeItem(*row->encoded));
  }
  if (write.condition && !Matches(*write.condition, outcome.before ? *outcome.before : Item()))
    return Error(ErrorCode::kConflict, "The conditional request failed");
  switch (write.kind) {
    case Write::Kind::kCheck:
      outcome.after = outcome.before;
      return Ok();
    case Write::Kind::kDelete:
      if (outcome.before) staged.Set(table, key, std::nullopt);
      return Ok();
    case Write::Kind::kPut:
      outcome.after = write.item;
      break;
    case Write::Kind::kUpdate: {
      for (const Path& path : write.update.Touched()) {
        const std::string& name = path.front().name;
        if (name == about.key.hash.name || (about.key.range && name == about.key.range->name)) {
          return Error(ErrorCode::kInvalidArgument,
                       "One or more parameter values were invalid: Cannot update attribute " + name +
                           ". This attribute is part of the key");
        }
      }
      Item item = outcome.before ? *outcome.before : write.item;
      HONRYU_TRY_VOID(Apply(write.update, item));
      outcome.after = std::move(item);
      break;
    }
  }
  HONRYU_TRY_VOID(CheckIndexKeys(about, *outcome.after));
  Row row = MakeRow(*outcome.after);
  if (row.bytes > kMaxItemBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 write.kind == Write::Kind::kPut
                     ? "Item size has exceeded the maximum allowed size"
                     : "Item size to update has exceeded the maximum allowed size");
  }
  staged.Set(table, key, std::move(row));
  return Ok();
}

// Items whose time has come, with the changes that are written anyway; most a minute late.
void TableStore::Impl::StageExpired(Staged& staged) {
  if (clock.Mono() < next_sweep) return;
  next_sweep = clock.Mono() + kSweepEvery;
  const std::int64_t now = ToMs(clock.Now()) / 1000;
  std::size_t swept = 0;
  for (const auto& [name, table] : tables) {
    const std::string& attribute = table->about().ttl_attribute;
    if (attribute.empty()) continue;
    for (const auto& [key, row] : table->rows()) {
      if (swept >= kMaxSwept) return;
      if (staged.rows.contains({table.get(), key})) continue;
      const Result<Item> item = DecodeItem(*row.encoded);
      if (!item.ok()) continue;
      const auto found = item->find(attribute);
      const auto* time = found == item->end() ? nullptr : found->second.As<Decimal>();
      if (time == nullptr || time->ToInt() > now || time->ToInt() < now - kOldestExpiry) continue;
      staged.Set(table.get(), key, std::nullopt);
      ++swept;
      expired.Add();
    }
  }
}

void TableStore::Impl::CommitTable(PendingChange& change) {
  change.result = ReopenIfBroken();
  if (!change.result.ok()) return;
  const auto found = tables.find(change.table);
  const Table* const now = found == tables.end() ? nullptr : found->second.get();
  Result<std::optional<TableDescription>> wanted = change.define(now);
  if (!wanted.ok()) {
    change.result = wanted.error();
    return;
  }
  kv::WriteBatch batch;
  if (*wanted) {
    if (now == nullptr) {
      if (tables.size() >= config.max_tables) {
        change.result = Error(ErrorCode::kTooLarge, "there are " + std::to_string(tables.size()) +
                                                        " tables already: limit (tables.max_tables)");
        return;
      }
      (*wanted)->id = next_table_id++;
    }
    batch.Put(*family, TableKey(change.table), EncodeDescription(**wanted));
    change.defined = **wanted;
  } else {
    batch.Delete(*family, TableKey(change.table));
    for (const auto& [key, row] : now->rows()) batch.Delete(*family, RowKey(now->about().id, key));
    change.defined = now->Describe();
  }
  change.result = WriteToDisk(batch);
  if (!change.result.ok()) return;
  // Made and destroyed outside of the lock, on which event loops may wait.
  std::unique_ptr<Table> table;
  if (*wanted) {
    table = now == nullptr ? std::make_unique<Table>(**wanted) : std::make_unique<Table>(*now);
    if (now != nullptr) table->Redefine(**wanted);
  }
  {
    const std::unique_lock lock(state_mutex);
    std::swap(tables[change.table], table);
    if (!*wanted) tables.erase(change.table);
  }
  CountState();
}

Result<void> TableStore::Impl::ReopenIfBroken() {
  if (database != nullptr) return Ok();
  Result<void> loaded = Load();
  if (loaded.ok()) {
    LOG(info, "the table store takes changes again");
    return loaded;
  }
  LOG_LIMITED(error, "the table store cannot be opened again", {"error", loaded.error()});
  return Error(ErrorCode::kUnavailable, loaded.error().message());
}

Result<void> TableStore::Impl::WriteToDisk(kv::WriteBatch& batch) {
  Result<void> stored = database->Write(batch, true);
  commits.Add();
  if (stored.ok()) return stored;
  // Whether it is on disk is open. What is there will be read when the next change comes.
  LOG_LIMITED(error, "the table store cannot write", {"error", stored.error()});
  family.reset();
  database.reset();
  return Error(ErrorCode::kUnavailable, stored.error().message());
}

TableStore::TableStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TableStore::~TableStore() = default;

Result<std::unique_ptr<TableStore>> TableStore::Open(TableStoreConfig config, const Clock& clock,
                                                     async::Runtime& runtime, obs::Registry& metrics) {
  auto impl = std::make_unique<Impl>(std::move(config), clock, runtime, metrics);
  if (const Result<void> loaded = impl->Load(); !loaded.ok())
    return loaded.error().WithContext("table store " + impl->config.path);
  return std::unique_ptr<TableStore>(new TableStore(std::move(impl)));
}

async::Task<Result<TableDescription>> TableStore::Impl::Define(
    std::string table, std::function<Result<std::optional<TableDescription>>(const Table* now)> define) {
  auto change = std::make_shared<PendingChange>();
  change->table = std::move(table);
  change->define = std::move(define);
  Result<void> done = co_await Submit(change);
  if (!done.ok()) co_return done.error();
  co_return std::move(*change->defined);
}

async::Task<Result<TableDescription>> TableStore::Create(async::Context /*ctx*/, TableDescription table) {
  const std::string name = table.name;
  const Timestamp now = impl_->clock.Now();
  std::function<Result<std::optional<TableDescription>>(const Table*)> define =
      [table = std::move(table), now](const Table* existing) -> Result<std::optional<TableDescription>> {
    if (existing != nullptr) return Error(ErrorCode::kAlreadyExists, "Table already exists: " + table.name);
    TableDescription made = table;
    made.created = now;
    return std::optional<TableDescription>(std::move(made));
  };
  Result<TableDescription> made = co_await impl_->Define(name, std::move(define));
  co_return made;
}

async::Task<Result<TableDescription>> TableStore::Delete(async::Context /*ctx*/, std::string name) {
  std::function<Result<std::optional<TableDescription>>(const Table*)> define =
      [name](const Table* existing) -> Result<std::optional<TableDescription>> {
    if (existing == nullptr)
      return Error(ErrorCode::kNotFound, "Requested resource not found: Table: " + name + " not found");
    if (existing->about().deletion_protection) {
      return Error(
          ErrorCode::kFailedPrecondition,
          "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
          "protection first.");
    }
    return std::optional<TableDescription>();
  };
  Result<TableDescription> gone = co_await impl_->Define(name, std::move(define));
  co_return gone;
}

async::Task<Result<TableDescription>> TableStore::Change(
    async::Context /*ctx*/, std::string name, std::function<Result<void>(TableDescription&)> change) {
  std::function<Result<std::optional<TableDescription>>(const Table*)> define =
      [name, change = std::move(change)](const Table* existing) -> Result<std::optional<TableDescription>> {
    if (existing == nullptr)
      return Error(ErrorCode::kNotFound, "Requested resource not found: Table: " + name + " not found");
    TableDescription changed = existing->about();
    HONRYU_TRY_VOID(change(changed));
    return std::optional<TableDescription>(std::move(changed));
  };
  Result<TableDescription> changed = co_await impl_->Define(name, std::move(define));
  co_return changed;
}

async::Task<Result<std::vector<WriteOutcome>>> TableStore::Commit(async::Context /*ctx*/,
                                                                  std::vector<Write> writes,
                                                                  std::string token,
                                                                  std::uint64_t token_hash) {
  auto change = std::make_shared<PendingChange>();
  change->writes = std::move(writes);
  change->token = std::move(token);
  change->token_hash = token_hash;
  Result<void> done = co_await impl_->Submit(change);
  if (!done.ok()) co_return done.error();
  co_return std::move(change->outcomes);
}

}  // namespace honryu::tables
