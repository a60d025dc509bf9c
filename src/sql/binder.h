#pragma once

#include "honryu/sql/ast.h"
#include "sql/bound.h"
#include "sql/window.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// A column that an expression may name.
struct ScopeColumn {
  std::string qualifier;  ///< Alias of its source, folded; may be empty.
  std::string name;
  Type type;
  std::size_t index = 0;  ///< In the row.
  bool row_time = false;  ///< Its value is the row's time.
  bool hidden = false;    ///< Not part of *.
  bool not_null = false;
  bool monotonic = false;  ///< Never goes back from row to row (window_start and the like).
  std::optional<WindowDefinition> bucket = {};  ///< It is the start of this window of the row's time.
  unsigned char* used = nullptr;                ///< Set to 1 by whoever reads the column.
};

struct Scope {
  std::vector<ScopeColumn> columns;
  /// Hidden ones have no name.
  Columns ToColumns() const;
};

/// Turns syntax into something that runs: finds columns, works out types, puts in casts. Errors point into
/// the program's text.
class Binder {
 public:
  Binder(std::string_view text, const Scope& scope) : text_(text), scope_(scope) {}

  /// Looks at every expression first; a null result means that the binder goes on by itself.
  using Hook = std::function<Result<BoundPtr>(const Expr& expr)>;
  void set_hook(Hook hook) { hook_ = std::move(hook); }

  Result<BoundPtr> Bind(const Expr& expr);
  /// A condition.
  Result<BoundPtr> BindBoolean(const Expr& expr);
  /// Cast to `type` if that is allowed without being asked for; `what` is for the message.
  Result<BoundPtr> Assign(BoundPtr value, const Type& type, Position at, std::string_view what,
                          bool truncate = false) const;
  Error Fail(Position at, std::string_view message, std::string_view hint = {}) const;
  const Scope& scope() const { return scope_; }
  /// The column that a path names: its place in the scope, and how many parts of the path that took;
  /// nullopt: none. An error: several.
  Result<std::optional<std::pair<std::size_t, std::size_t>>> Resolve(const Path& path) const;

 private:
  Result<BoundPtr> BindColumn(const Expr& expr);
  Result<BoundPtr> BindLiteral(const Expr& expr);
  Result<std::vector<BoundPtr>> BindArgs(const Expr& expr, std::size_t from = 0);
  // bind_operator.cc
  Result<BoundPtr> BindUnary(const Expr& expr);
  Result<BoundPtr> BindBinary(const Expr& expr);
  Result<BoundPtr> BindArithmetic(const Expr& expr, BoundPtr left, BoundPtr right);
  Result<BoundPtr> BindTimeArithmetic(const Expr& expr, BoundPtr left, BoundPtr right);
  Result<BoundPtr> Compare(Operator op, BoundPtr left, BoundPtr right, Position at);
  Result<Type> Unify(std::vector<BoundPtr>& values, Position at, std::string_view what);
  // bind_predicate.cc
  Result<BoundPtr> BindIs(const Expr& expr);
  Result<BoundPtr> BindIn(const Expr& expr);
  Result<BoundPtr> BindBetween(const Expr& expr);
  Result<BoundPtr> BindLike(const Expr& expr);
  Result<BoundPtr> BindCase(const Expr& expr);
  // bind_call.cc
  Result<BoundPtr> BindCall(const Expr& expr);
  Result<BoundPtr> BindTypedCall(const Expr& expr, bool* handled);
  Result<BoundPtr> Argument(BoundPtr value, char letter, Position at, std::string_view function) const;
  Result<BoundPtr> BindExtract(const Expr& expr);
  Result<BoundPtr> BindRound(const Expr& expr);
  Result<BoundPtr> BindStep(const Expr& expr);
  Result<BoundPtr> BindTimeDifference(const Expr& expr);
  Result<BoundPtr> BindSubscript(const Expr& expr);
  Result<BoundPtr> AsTimestamp(BoundPtr value, Position at) const;

  std::string_view text_;
  const Scope& scope_;
  Hook hook_;
};

/// AND, OR, NOT of values that may be NULL; the right side runs only where it matters.
BoundPtr MakeAnd(BoundPtr left, BoundPtr right);
BoundPtr MakeOr(BoundPtr left, BoundPtr right);
BoundPtr MakeNot(BoundPtr operand);
/// CASE: conditions and values in turn, one value more for ELSE; only what is needed runs. With `operand`,
/// the first part is what the others in place of conditions are compared with.
BoundPtr MakeCase(std::vector<BoundPtr> parts, Type type, bool operand = false);
/// The first that is not NULL.
BoundPtr MakeCoalesce(std::vector<BoundPtr> parts, Type type);

/// The type that values of both can be brought to for comparison or as branches of a CASE.
std::optional<Type> CommonType(const Bound& a, const Bound& b);

}  // namespace honryu::sql
