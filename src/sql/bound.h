#pragma once

#include "honryu/sql/value.h"
#include "sql/regex.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::sql {

/// What an expression sees, and where it leaves an error.
struct EvalContext {
  const Value* values = nullptr;  ///< The row's columns.
  std::int64_t row_time = 0;      ///< ROWTIME.
  std::int64_t query_start = 0;   ///< CURRENT_TIMESTAMP: fixed when the query began.
  RegexCache regexes;
  std::string_view error_name;  ///< Empty: none. A constant such as "DivisionByZero".
  std::string error;

  void Use(const Row& row) {
    values = row.values.data();
    row_time = row.time;
  }
  bool failed() const { return !error_name.empty(); }
  /// The first error of a row is the one that is reported.
  void Fail(std::string_view name, std::string message) {
    if (failed()) return;
    error_name = name;
    error = std::move(message);
  }
  void Clear() {
    error_name = {};
    error.clear();
  }
};

/// An expression bound to columns and types, ready to run. Evaluating it again overwrites the value that it
/// gave before. Not thread-safe.
class Bound {
 public:
  explicit Bound(Type of_type, std::string text) : type(of_type), signature(std::move(text)) {}
  virtual ~Bound() = default;
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  /// After an error (see `context`) the value means nothing.
  virtual const Value& Eval(EvalContext& context) = 0;
  /// Non-null if this is a column and nothing else: its number.
  virtual const std::size_t* AsColumn() const { return nullptr; }

  Type type;
  std::string signature;     ///< Equal for expressions that are the same.
  bool constant = false;     ///< Gives the same value for every row.
  bool only_time = true;     ///< Depends on nothing but constants and ROWTIME.
  bool is_row_time = false;  ///< Is the row's time itself.
};
using BoundPtr = std::unique_ptr<Bound>;

/// What runs a function: `args` without NULLs unless the function is lenient.
using FunctionBody = void (*)(EvalContext& context, std::span<const Value* const> args, Value& out);

/// One entry of the function list.
struct FunctionDefinition {
  std::string_view name;
  /// Argument letters and a result letter: "TI?:T". T text, I whole number, D double, N number as it is,
  /// S timestamp, B boolean, J JSON, V interval, X binary, A anything; '?' behind a letter: may be left out,
  /// '*': any number of it. The result may be '0': the type of the first argument.
  std::string_view signature;
  FunctionBody body;
  bool lenient = false;   ///< Gets NULLs; otherwise one NULL makes NULL.
  bool per_call = false;  ///< Not to be folded although all is constant.
};
/// nullptr: none of this name.
const FunctionDefinition* FindFunction(std::string_view upper_case_name);
/// For suggestions.
std::vector<std::string> FunctionNames();

std::span<const FunctionDefinition> TextFunctions();
std::span<const FunctionDefinition> NumberFunctions();
std::span<const FunctionDefinition> TimeFunctions();
std::span<const FunctionDefinition> JsonFunctions();
std::span<const FunctionDefinition> LogFunctions();
std::span<const FunctionDefinition> BitmapFunctions();
std::span<const FunctionDefinition> AgentFunctions();

BoundPtr MakeConstant(Value value, Type type);
BoundPtr MakeColumn(std::size_t index, Type type, std::string_view name);
BoundPtr MakeRowTime();
/// CURRENT_TIMESTAMP: when the query began.
BoundPtr MakeQueryStart(Type type);
/// Casts; `lenient`: gives NULL where the value does not fit.
BoundPtr MakeCast(BoundPtr operand, Type to, bool lenient, bool truncate);
BoundPtr MakeCall(const FunctionDefinition& function, std::vector<BoundPtr> args, Type type);
/// A function of values that the binder made up (operators): `signature` names it.
BoundPtr MakeNative(std::string_view name, FunctionBody body, bool lenient, std::vector<BoundPtr> args,
                    Type type);

}  // namespace honryu::sql
