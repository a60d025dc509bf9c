#pragma once

#include "honryu/base/result.h"

#include <compare>
#include <string>
#include <string_view>

namespace honryu::tables {

/// A decimal number of DynamoDB: up to 38 significant digits, magnitude 1E-130 to 9.99…E+125, or zero. Exact:
/// no arithmetic rounds. Value type.
class Decimal {
 public:
  Decimal() = default;
  explicit Decimal(std::int64_t value);

  /// "-12.50", "1e3", "+.5". kInvalidArgument in DynamoDB's words: no number, more than 38 significant
  /// digits, a magnitude out of range.
  static Result<Decimal> Parse(std::string_view text);
  /// Without an exponent, without zeros that mean nothing: "-12.5", "1000".
  std::string ToString() const;

  /// kInvalidArgument when the result does not fit.
  static Result<Decimal> Add(const Decimal& a, const Decimal& b);
  static Result<Decimal> Subtract(const Decimal& a, const Decimal& b);
  Decimal Negated() const;

  /// The value cut to a whole number; the limits of the type where it does not fit.
  std::int64_t ToInt() const;
  int significant_digits() const { return static_cast<int>(digits_.size()); }

  /// Appends bytes that compare as the numbers do, and of which none begins another.
  void AppendKey(std::string& out) const;

  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);
  friend bool operator==(const Decimal& a, const Decimal& b) = default;

 private:
  static Result<Decimal> Make(bool negative, std::string digits, int exponent);

  // The value is 0.d1d2d3… * 10^exponent_; '0' to '9', neither first nor last a zero. Zero: no digits.
  bool negative_ = false;
  int exponent_ = 0;
  std::string digits_;
};

}  // namespace honryu::tables
