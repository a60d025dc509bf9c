#pragma once

#include "honryu/base/result.h"
#include "honryu/sql/type.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace honryu::sql {

/// A place in the program's text. Line and column begin at 1; a column is a Unicode character.
struct Position {
  std::uint32_t offset = 0;  ///< In bytes.
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// An identifier as written. Unquoted ones mean the same in upper case.
struct Name {
  std::string text;
  bool quoted = false;
  Position at;
  /// What it is called: `user_id` is USER_ID, `"user_id"` is user_id.
  std::string Folded() const;
};
using Path = std::vector<Name>;  ///< qualifier.column.field

struct Expr;
struct Query;
using ExprPtr = std::unique_ptr<Expr>;
using QueryPtr = std::unique_ptr<Query>;

/// Day-time intervals have months == 0.
struct Interval {
  std::int64_t ms = 0;
  std::int64_t months = 0;
};

enum class LiteralKind : std::uint8_t {
  kNull,
  kTrue,
  kFalse,
  kInteger,
  kDecimal,
  kFloat,
  kString,
  kTimestamp,
  kDate,
  kTime
};

enum class Operator : std::uint8_t {
  kOr,
  kAnd,
  kNot,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kConcat,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kNegate
};

enum class ExprKind : std::uint8_t {
  kLiteral,         ///< literal, text
  kInterval,        ///< interval
  kColumn,          ///< path
  kStar,            ///< path (qualifiers): * and t.*
  kUnary,           ///< op, args[0]
  kBinary,          ///< op, args[0..1]
  kCall,            ///< text (upper case), args, distinct, order, filter, over
  kCase,            ///< has_operand ? args[0] first; then WHEN, THEN pairs; has_else ? the last one
  kCast,            ///< args[0], type
  kExtract,         ///< unit, args[0]
  kFloorTo,         ///< unit, args[0]
  kCeilTo,          ///< unit, args[0]
  kStepBy,          ///< args[0], args[1]
  kTimeDifference,  ///< (args[0] - args[1]) unit
  kIsNull,          ///< args[0], negated
  kIsTrue,          ///< args[0], negated
  kIsFalse,         ///< args[0], negated
  kIsDistinct,      ///< args[0..1], negated: IS [NOT] DISTINCT FROM
  kIn,              ///< args[0] IN (args[1…]), negated
  kBetween,         ///< args[0] BETWEEN args[1] AND args[2], negated
  kLike,            ///< args[0] LIKE args[1] [ESCAPE args[2]], negated
  kSimilar,         ///< args[0] SIMILAR TO args[1] [ESCAPE args[2]], negated
  kSubscript,       ///< args[0][args[1]]
  kCursor,          ///< CURSOR(query)
  kTable,           ///< TABLE path [PARTITION BY args]
  kDescriptor       ///< DESCRIPTOR(path)
};

struct SortKey {
  ExprPtr expr;
  bool descending = false;
};

/// ROWS n PRECEDING (count) or RANGE interval PRECEDING.
struct Frame {
  bool rows = false;
  bool unbounded = false;
  std::int64_t count = 0;
  Interval range;
};

/// What stands in OVER (…) and WINDOW w AS (…).
struct WindowSpec {
  std::optional<Name> reference;  ///< OVER w
  std::vector<ExprPtr> partition;
  std::vector<SortKey> order;
  std::optional<Frame> frame;
  Position at;
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  LiteralKind literal = LiteralKind::kNull;
  Operator op = Operator::kOr;
  TimeUnit unit = TimeUnit::kSecond;
  bool distinct = false, negated = false, has_operand = false, has_else = false;
  std::uint32_t depth = 1;  ///< Of the tree below, this node included.
  Position at;
  std::string text;
  Path path;
  std::vector<ExprPtr> args;
  Type type;
  Interval interval;
  ExprPtr filter;
  std::unique_ptr<WindowSpec> over;
  QueryPtr query;
};

struct SelectItem {
  ExprPtr expr;
  std::optional<Name> alias;
};

/// What one selects from.
struct Source {
  Position at;
  Path name;       ///< A stream, table or view…
  QueryPtr query;  ///< …or a subquery…
  ExprPtr call;    ///< …or a table function.
  std::unique_ptr<WindowSpec> over;
  std::optional<Name> alias;
  std::vector<Name> columns;
  ExprPtr as_of;  ///< FOR SYSTEM_TIME AS OF …
};

enum class JoinKind : std::uint8_t { kInner, kLeft, kRight, kFull };

struct Join {
  JoinKind kind = JoinKind::kInner;
  Source source;
  std::optional<std::pair<Interval, Interval>> within;  ///< Before, after.
  std::optional<Interval> grace;
  ExprPtr on;
  Position at;
};

enum class KsqlWindowKind : std::uint8_t { kTumbling, kHopping, kSession };

/// WINDOW TUMBLING (SIZE …) of ksqlDB.
struct KsqlWindow {
  KsqlWindowKind kind = KsqlWindowKind::kTumbling;
  Interval size, advance;
  std::optional<Interval> retention, grace;
};

enum class GroupKind : std::uint8_t { kNone, kGroupBy, kStagger };

struct Group {
  GroupKind kind = GroupKind::kNone;
  std::vector<ExprPtr> keys;
  Interval stagger;  ///< Length of a stagger window.
  std::optional<KsqlWindow> ksql;
  Position at;
};

struct NamedWindow {
  Name name;
  WindowSpec spec;
};

struct Select {
  bool stream = false, distinct = false;
  std::vector<SelectItem> items;
  Source from;
  std::vector<Join> joins;
  ExprPtr where;
  Group group;
  ExprPtr having;
  std::vector<NamedWindow> windows;
  Position at;
};

enum class EmitKind : std::uint8_t { kDefault, kFinal, kChanges, kEvery, kWhen };
enum class LatePolicy : std::uint8_t { kDefault, kDrop, kUpdate, kSideStream };

struct Emit {
  EmitKind kind = EmitKind::kDefault;
  Interval every;
  ExprPtr when;
};

struct Lateness {
  std::optional<Interval> allowed;
  LatePolicy policy = LatePolicy::kDefault;
  std::optional<Name> stream;  ///< Of kSideStream.
};

struct Query {
  std::vector<Select> selects;  ///< Joined by UNION ALL.
  std::vector<SortKey> order;
  std::optional<std::int64_t> limit;
  Emit emit;
  Lateness lateness;
  Position at;
};

struct ColumnDefinition {
  Name name;
  Type type;
  bool not_null = false, key = false;
  std::string json_path;  ///< FROM '$.a.b'; empty: the column's own name.
};

struct Watermark {
  Name column;
  ExprPtr expr;
};

using Properties = std::vector<std::pair<std::string, std::string>>;

struct CreateStream {
  Name name;
  bool replace = false, if_not_exists = false;
  std::vector<ColumnDefinition> columns;
  std::optional<Watermark> watermark;
  std::string description;
  Properties with;
};
struct CreateTable {
  Name name;
  bool replace = false, if_not_exists = false, reference = false;
  std::vector<ColumnDefinition> columns;
  std::vector<Name> primary_key;
  std::optional<Watermark> watermark;
  Properties with;
};
struct InsertSelect {
  Name target;
  std::vector<Name> columns;
  QueryPtr query;
};
struct CreatePump {
  Name name;
  bool replace = false, if_not_exists = false, stopped = false;
  InsertSelect insert;
};
/// CREATE [MATERIALIZED] VIEW, and CREATE STREAM | TABLE … AS SELECT of ksqlDB.
struct CreateView {
  Name name;
  bool replace = false, if_not_exists = false, materialized = false;
  Properties with;
  QueryPtr query;
};
enum class AlterAction : std::uint8_t { kStart, kStop, kReset };
struct AlterPump {
  Name name;
  AlterAction action = AlterAction::kStart;
  std::string position;
};
enum class ObjectKind : std::uint8_t { kStream, kPump, kTable, kView };
struct Drop {
  ObjectKind kind = ObjectKind::kStream;
  Name name;
  bool if_exists = false;
};
struct Set {
  std::string key, value;
};
struct Statement;
struct Explain {
  std::unique_ptr<Statement> statement;
};

struct Statement {
  Position at;
  std::variant<CreateStream, CreateTable, CreatePump, CreateView, InsertSelect, AlterPump, Drop, Set, Explain,
               QueryPtr>
      body;
};

/// A parsed program with its text, which error messages quote.
struct Script {
  std::string text;
  std::vector<Statement> statements;
};

}  // namespace honryu::sql
