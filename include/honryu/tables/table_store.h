#pragma once

#include "honryu/async/runtime.h"
#include "honryu/async/task.h"
#include "honryu/base/time.h"
#include "honryu/obs/metrics.h"
#include "honryu/tables/expression.h"
#include "honryu/tables/value.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::tables {

/// A key attribute; a string, number or binary.
struct KeyAttribute {
  std::string name;
  Value::Type type = Value::Type::kString;
  friend bool operator==(const KeyAttribute&, const KeyAttribute&) = default;
};
struct KeySchema {
  KeyAttribute hash;
  std::optional<KeyAttribute> range;
  friend bool operator==(const KeySchema&, const KeySchema&) = default;
};

/// A secondary index: holds the items that have all of its key attributes, sorted by them.
struct IndexDescription {
  std::string name;
  KeySchema key;
  bool local = false;                 ///< Of the table's own hash key.
  bool all = true;                    ///< Projects whole items; else the keys and `included`.
  std::vector<std::string> included;  ///< Empty with `all` false: KEYS_ONLY.
  std::int64_t read_units = 0, write_units = 0;
  // Found by Describe:
  std::uint64_t items = 0, bytes = 0;
};

/// What a table is. Throughput, deletion protection and backups are kept and given back; only deletion
/// protection has an effect.
struct TableDescription {
  std::string name;
  std::uint64_t id = 0;  ///< Given by the store; no two tables have the same.
  KeySchema key;
  std::vector<IndexDescription> indexes;
  Timestamp created;
  bool on_demand = true;
  std::int64_t read_units = 0, write_units = 0;
  bool deletion_protection = false;
  bool point_in_time_recovery = false;
  std::string ttl_attribute;  ///< Empty: items do not expire. Else they go some time after the seconds in it.
  std::map<std::string, std::string> tags;
  // Found by Describe:
  std::uint64_t items = 0, bytes = 0;
};

/// One change of a Commit.
struct Write {
  enum class Kind { kPut, kUpdate, kDelete, kCheck };
  Kind kind = Kind::kPut;
  std::string table;
  Item item;  ///< kPut: the whole item; else the key alone.
  Update update;
  std::optional<Condition> condition;  ///< On the item as it is; an absent one has no attributes.
};

/// What has become of a Write.
struct WriteOutcome {
  /// kConflict: the condition does not hold. kInvalidArgument: in DynamoDB's words. kNotFound: no such table.
  std::optional<Error> refused;
  std::optional<Item> before, after;  ///< nullopt: no item. After a refused condition `before` is the reason.
};

/// A page of items in the order of their keys.
struct Page {
  std::vector<Item> items;
  std::size_t scanned = 0;       ///< Read before the filter.
  std::size_t bytes = 0;         ///< DynamoDB's size of those.
  std::optional<Item> last_key;  ///< Where to go on; nullopt: this is the end.
};

struct ReadRequest {
  std::string table;
  std::string index;                 ///< Empty: the table itself.
  std::optional<KeyCondition> keys;  ///< A query; nullopt: a scan.
  std::optional<Condition> filter;
  std::optional<Item> start_after;
  std::size_t limit = 0;  ///< Of items read; 0: as many as fit a page.
  bool backwards = false;
  std::uint32_t segment = 0, segments = 1;  ///< Of a parallel scan.
};

struct TableStoreConfig {
  std::string path;                       ///< Folder of its database.
  std::uint64_t max_bytes = 64ULL << 20;  ///< Stored items and their keys; all are kept in memory as well.
  std::size_t max_tables = 256;
  std::shared_ptr<void> file_system = {};  ///< As kv::OpenOptions::file_system; null in production.
};

inline constexpr std::size_t kMaxItemBytes = 400 << 10;  ///< DynamoDB's.
inline constexpr std::size_t kPageBytes = 1 << 20;       ///< DynamoDB's.
inline constexpr std::size_t kMaxIndexes = 20;           ///< Of a table.

/// Tables of items with DynamoDB's meaning: for leases, checkpoints and elections of client libraries that
/// keep them there. Not a database for anything large: all items are in memory and bounded. Every change is
/// on disk when its task returns; changes that wait share one write. Reads see what is on disk and never wait
/// for it. Thread-safe. Errors of changes: kTooLarge when the store or the number of tables is full,
/// kUnavailable when the disk does not take the write (whether it has is then open; the store reopens its
/// database and goes on), kOverloaded when too many changes wait.
class TableStore {
 public:
  /// Opens or creates it. kFailedPrecondition when its format is newer; kCorrupt, kIo.
  static Result<std::unique_ptr<TableStore>> Open(TableStoreConfig config, const Clock& clock,
                                                  async::Runtime& runtime, obs::Registry& metrics);
  ~TableStore();
  TableStore(const TableStore&) = delete;
  TableStore& operator=(const TableStore&) = delete;

  /// Names in order.
  std::vector<std::string> Names() const;
  /// kNotFound. Looks at all entries of its indexes to count them.
  Result<TableDescription> Describe(std::string_view name) const;
  /// The same without what Describe counts.
  Result<TableDescription> About(std::string_view name) const;
  /// kAlreadyExists. The description as stored comes back.
  async::Task<Result<TableDescription>> Create(async::Context ctx, TableDescription table);
  /// kNotFound; kFailedPrecondition when deletion protection is on. What it was comes back.
  async::Task<Result<TableDescription>> Delete(async::Context ctx, std::string name);
  /// Changes what `change` may change: indexes, throughput, flags, tags. Its error comes back. kNotFound.
  async::Task<Result<TableDescription>> Change(async::Context ctx, std::string name,
                                               std::function<Result<void>(TableDescription&)> change);

  /// All writes or none; what each of them met comes back. At most one write an item (kInvalidArgument).
  /// `token` non-empty: the same writes with it again, within ten minutes, do nothing; others are
  /// kAlreadyExists.
  async::Task<Result<std::vector<WriteOutcome>>> Commit(async::Context ctx, std::vector<Write> writes,
                                                        std::string token = {}, std::uint64_t token_hash = 0);

  /// The item of a key; nullopt when there is none. kNotFound, kInvalidArgument.
  Result<std::optional<Item>> Get(std::string_view table, const Item& key) const;
  /// kNotFound, kInvalidArgument.
  Result<Page> Read(const ReadRequest& request) const;

 private:
  struct Impl;
  explicit TableStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::tables
