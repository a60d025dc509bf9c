#pragma once

#include "honryu/tables/value.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// DynamoDB's expressions ("Expressions in DynamoDB", developer guide): conditions, updates, projections. All
// parsers return kInvalidArgument with the service's own message.
namespace honryu::tables {

/// One step of a document path: a name, or an index into a list.
struct PathStep {
  std::string name;
  std::size_t index = 0;
  bool is_index = false;
  friend bool operator==(const PathStep&, const PathStep&) = default;
};
/// "a.b[2]"; never empty, the first step is a name.
using Path = std::vector<PathStep>;
Path PathOf(std::string name);
std::string PathText(const Path& path);
/// The value at a path; null pointer when there is none.
const Value* Find(const Item& item, const Path& path);

/// Something that has a value beside an item: a path, a constant, or the size of what a path leads to.
struct Operand {
  enum class Kind { kPath, kConstant, kSize };
  Kind kind = Kind::kConstant;
  Path path;
  Value constant;

  static Operand OfPath(Path path) { return Operand{Kind::kPath, std::move(path), Value()}; }
  static Operand Constant(Value value) { return Operand{Kind::kConstant, {}, std::move(value)}; }
};

/// A condition as a tree.
struct Condition {
  enum class Op {
    kAnd,
    kOr,
    kNot,
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kBetween,     ///< operands: what, low, high
    kIn,          ///< operands: what, any of the others
    kExists,      ///< operands: a path
    kNotExists,   ///< operands: a path
    kHasType,     ///< operands: a path, the type's name
    kBeginsWith,  ///< operands: what, the prefix
    kContains,    ///< operands: what (text, set or list), the part
  };
  Op op = Op::kAnd;  ///< Of no parts: true.
  std::vector<Operand> operands;
  std::vector<Condition> parts;  ///< kAnd, kOr, kNot.
};

/// Whether the item fits. What is absent, or of another type, compares as false (and as true in "<>").
bool Matches(const Condition& condition, const Item& item);

/// What a request defines for its expressions, and which of it they have used.
struct Substitutions {
  std::map<std::string, std::string> names;  ///< "#n"
  std::map<std::string, Value> values;       ///< ":v"
  std::set<std::string> used;

  /// kInvalidArgument when something defined was never used.
  Result<void> CheckAllUsed() const;
};

/// Bounds of every parser.
inline constexpr std::size_t kMaxExpressionBytes = 4096;
inline constexpr std::size_t kMaxExpressionDepth = 50;
inline constexpr std::size_t kMaxExpressionOperators = 300;

/// `what` names the parameter in messages: "ConditionExpression".
Result<Condition> ParseCondition(std::string_view text, Substitutions& substitutions, std::string_view what);

/// The range of a key that a query asks for.
struct KeyCondition {
  Value hash;
  std::optional<Condition> range;  ///< On the range key alone.
};
/// A condition that is, as a KeyConditionExpression must be, "hash = value" or that and one condition on the
/// range key. `range_name` is empty for a key without one.
Result<KeyCondition> KeyConditionOf(const Condition& condition, std::string_view hash_name,
                                    std::string_view range_name);

/// What an UpdateItem does to an item.
struct Update {
  /// A value made of at most two operands.
  struct Term {
    Operand operand;
    std::optional<Operand> fallback;  ///< if_not_exists(operand.path, fallback)
  };
  struct Set {
    Path path;
    enum class Op { kTake, kPlus, kMinus, kListAppend } op = Op::kTake;
    Term left, right;  ///< The second only where the operation has two.
  };
  struct Change {
    Path path;
    Value value;
  };
  std::vector<Set> set;
  std::vector<Path> remove;
  std::vector<Change> add;  ///< A number to a number, elements to a set (or to a list, by legacy requests).
  std::vector<Change> remove_from;  ///< DELETE: elements from a set.

  /// All paths that it touches.
  std::vector<Path> Touched() const;
};

/// SET, REMOVE, ADD and DELETE clauses.
Result<Update> ParseUpdate(std::string_view text, Substitutions& substitutions);
/// Applies it; every operand is read from the item as it was before. kInvalidArgument in DynamoDB's words: an
/// operand that is absent or of the wrong type, a path that does not exist, a number that does not fit.
Result<void> Apply(const Update& update, Item& item);

Result<std::vector<Path>> ParseProjection(std::string_view text, Substitutions& substitutions);
/// Only what the paths lead to, with the containers around it.
Item Project(const Item& item, const std::vector<Path>& paths);

}  // namespace honryu::tables
