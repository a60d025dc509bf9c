#pragma once

#include "honryu/sql/ast.h"
#include "honryu/sql/table_function.h"
#include "sql/aggregate.h"
#include "sql/binder.h"
#include "sql/json_path.h"
#include "sql/window.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace honryu::sql {

/// Columns that every row of a stream has behind its own ones; NULL where rows do not come from a shard.
enum class Metadata : std::uint8_t { kArrival, kPartitionKey, kSequenceNumber, kShard, kSkew };
inline constexpr std::size_t kMetadataColumns = 5;

/// A stream of the program.
struct StreamInfo {
  std::string name;
  Columns columns;
  std::vector<std::string> json_keys;      ///< Per column: the key in JSON, as written.
  std::vector<bool> any_case;              ///< Per column: the key is matched in any case.
  std::vector<JsonPath> paths;             ///< Per column: where FROM '$.…' says so; else empty.
  std::optional<std::size_t> time_column;  ///< Event time; none: ROWTIME is the time of arrival.
  std::vector<std::size_t> time_else;      ///< Columns that stand in where it is missing or no time.
  bool time_arrival = false;               ///< And in the end the time of arrival; else the row is an error.
  std::int64_t bound_ms = 0;               ///< How far rows may be out of order.
  std::vector<unsigned char> used;         ///< Per column and metadata: some query reads it.
  bool output = false;                     ///< Its rows are results.
  bool late = false;                       ///< Made for late rows of any kind: time, pump, row as JSON.
  std::vector<std::string> partition;  ///< Columns that the partition key is made of, as the program says.
};

/// A reference table.
struct TableInfo {
  std::string name;
  Columns columns;
  Properties with;
};

/// What is done with rows behind the watermark.
struct LateRows {
  LatePolicy policy = LatePolicy::kSideStream;
  std::string stream;          ///< Of kSideStream.
  std::int64_t hold_ms = 0;    ///< Results wait this long behind the watermark.
  std::int64_t update_ms = 0;  ///< Of kUpdate: how long closed windows are kept.
};

struct PlanNode;
using PlanPtr = std::unique_ptr<PlanNode>;

/// ERROR_STREAM as Kinesis Analytics has it, and a stream for late rows.
std::unique_ptr<StreamInfo> MakeErrorStream();
std::unique_ptr<StreamInfo> MakeLateStream(const std::string& name);

/// One operator of a query's plan. Which members count depends on the kind.
struct PlanNode {
  enum class Kind : std::uint8_t {
    kScan,           ///< stream
    kFilter,         ///< predicate
    kProject,        ///< exprs
    kAggregate,      ///< keys, window_start, window_end, window_time, aggregates
    kAssignWindows,  ///< window: rows get window_start, window_end, window_time
    kOver,           ///< exprs (partition), frame, aggregates, outputs
    kStreamJoin,     ///< join, keys of both sides, bounds, predicate
    kTableJoin,      ///< join, table, left_keys, table_columns, predicate
    kUnion,
    kTableFunction,  ///< function
    kSort,           ///< exprs, descending, sort_bucket or window (of the leading key, if it is a bucket)
    kLimit           ///< limit
  };
  Kind kind = Kind::kScan;
  std::vector<PlanPtr> inputs;
  Scope scope;  ///< Of the rows that come out.

  StreamInfo* stream = nullptr;
  BoundPtr predicate;
  std::vector<BoundPtr> exprs;
  WindowDefinition window;
  std::unique_ptr<unsigned char> windows_used;  ///< Of kAssignWindows: something names the columns it adds.
  BoundPtr monotonic;                           ///< The key of a kMonotonic or kIncreasing window.
  std::vector<AggregateCall> aggregates;
  Emit emit;
  LateRows late;
  std::int64_t state_ttl_ms = 0;
  Frame frame;
  bool inclusive = false;            ///< A RANGE frame holds the row that is exactly as old as it is long.
  std::vector<std::size_t> outputs;  ///< Of kOver: columns that the aggregates go to.
  std::size_t width = 0;             ///< Of kOver: columns of a row that comes out.
  JoinKind join = JoinKind::kInner;
  std::vector<BoundPtr> left_keys, right_keys;
  /// right time - left time lies in [-before, after] ms; `exclusive`: the ends do not count.
  std::int64_t before_ms = 0, after_ms = 0;
  bool exclusive = false;
  const TableInfo* table = nullptr;
  std::vector<std::size_t> table_columns;
  std::unique_ptr<TableFunction> function;
  std::vector<bool> descending;
  bool sort_bucket = false;  ///< The leading key is computed from the row's time.
  std::int64_t limit = 0;
  std::string detail;  ///< For EXPLAIN.
};

/// A continuous query: what it computes and the stream that its rows go to.
struct PlannedQuery {
  std::string name;  ///< Of the pump or view; "query" and a number for others.
  std::string target;
  PlanPtr root;
  bool stopped = false;
};

/// A program, planned.
struct Plan {
  std::map<std::string, std::unique_ptr<StreamInfo>> streams;
  std::map<std::string, std::unique_ptr<TableInfo>> tables;
  std::vector<PlannedQuery> queries;  ///< Ordered so that a stream's readers come behind its writers.
  std::map<std::string, std::string> settings;
  std::uint64_t fingerprint = 0;  ///< Of the normalised text: snapshots belong to one.
};

/// Plans a program. `text` and `prelude` are programs; the prelude declares what the host feeds.
Result<std::unique_ptr<Plan>> PlanProgram(std::string_view prelude, std::string_view text,
                                          const TableFunctionRegistry& functions);

/// The plan as text, one operator a line.
std::string ExplainPlan(const Plan& plan);

}  // namespace honryu::sql
