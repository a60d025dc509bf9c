#pragma once

#include "honryu/async/blocking_calls.h"
#include "honryu/kv/database.h"
#include "tables/table_state.h"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

namespace honryu::tables {

/// A change that waits for its turn, and what became of it. Touched by its caller before it is queued and
/// after its turn, by the committing thread between.
struct PendingChange {
  // Of items:
  std::vector<Write> writes;
  std::string token;
  std::uint64_t token_hash = 0;
  std::vector<WriteOutcome> outcomes;
  // Of a table: what it makes of the current one (null pointer: none); a null pointer deletes it.
  std::string table;
  std::function<Result<std::optional<TableDescription>>(const Table* now)> define;
  std::optional<TableDescription> defined;

  Result<void> result;
};

struct TableStore::Impl {
  Impl(TableStoreConfig config_in, const Clock& clock_in, async::Runtime& runtime, obs::Registry& metrics);

  /// Reads everything from disk, in place of what is in memory.
  Result<void> Load();
  async::Task<Result<void>> Submit(std::shared_ptr<PendingChange> change);
  async::Task<Result<TableDescription>> Define(
      std::string table, std::function<Result<std::optional<TableDescription>>(const Table* now)> define);

  // On the committing thread: one at a time.
  void CommitQueued();
  void CommitItems(const std::vector<std::shared_ptr<PendingChange>>& changes);
  void CommitTable(PendingChange& change);
  struct Staged;
  void Stage(PendingChange& change, Staged& staged);
  Result<void> StageWrite(const Write& write, Staged& staged, WriteOutcome& outcome);
  void StageExpired(Staged& staged);
  Result<void> WriteToDisk(kv::WriteBatch& batch);
  Result<void> ReopenIfBroken();
  void ForgetTokens(kv::WriteBatch& batch);
  void Publish(const Staged& staged);
  void CountState();

  const TableStoreConfig config;
  const Clock& clock;
  obs::Counter commits, written, refused_full, refused_condition, refused_disk, expired;
  obs::Gauge tables_gauge, items_gauge, bytes_gauge;

  std::mutex queue_mutex;
  std::deque<std::shared_ptr<PendingChange>> queue;

  // Changed by the committing thread alone, under the lock; read by others under the shared lock.
  mutable std::shared_mutex state_mutex;
  std::map<std::string, std::unique_ptr<Table>, std::less<>> tables;

  // Of the committing thread.
  struct Token {
    std::uint64_t hash = 0;
    Timestamp expires;
  };
  std::map<std::string, Token> tokens;
  std::deque<std::string> token_order;  // oldest first
  std::uint64_t next_table_id = 1;
  MonoTime next_sweep;
  std::unique_ptr<kv::Database> database;  // null pointer after a failed write, until it is opened again
  std::shared_ptr<kv::Family> family;

  async::BlockingCalls calls;  // last: waits for its calls
};

}  // namespace honryu::tables
