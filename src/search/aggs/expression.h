#pragma once

#include "honryu/base/result.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace honryu::search {

/// The scripts that pipelines may have: numbers, params.NAME, + - * / %, comparisons, && || !, ?:,
/// parentheses, and Math.abs, ceil, floor, log, log10, max, min, pow, round, sqrt. Immutable.
class Expression {
 public:
  /// kInvalidArgument says where it is not understood.
  static Result<Expression> Parse(std::string_view script);
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;
  ~Expression();
  /// Truth is 1 and 0. An unknown parameter gives NaN.
  double Evaluate(const std::map<std::string, double, std::less<>>& params) const;

  struct Node;

 private:
  explicit Expression(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

}  // namespace honryu::search
