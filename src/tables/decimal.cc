#include "honryu/tables/decimal.h"

#include <algorithm>
#include <limits>

namespace honryu::tables {

namespace {

constexpr std::size_t kMaxDigits = 38;
constexpr int kMaxExponent = 126;   // 9.99…E+125 is 0.999…E+126
constexpr int kMinExponent = -129;  // 1E-130 is 0.1E-129

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Error Wrong(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

// Both of the same length; the carry is what goes beyond the first digit.
int AddDigits(std::string& a, const std::string& b) {
  int carry = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    const int sum = (a[i] - '0') + (b[i] - '0') + carry;
    a[i] = static_cast<char>('0' + sum % 10);
    carry = sum / 10;
  }
  return carry;
}

// a >= b, both of the same length.
void SubtractDigits(std::string& a, const std::string& b) {
  int borrow = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    int difference = (a[i] - '0') - (b[i] - '0') - borrow;
    borrow = difference < 0 ? 1 : 0;
    if (borrow != 0) difference += 10;
    a[i] = static_cast<char>('0' + difference);
  }
}

}  // namespace

Decimal::Decimal(std::int64_t value) {
  Result<Decimal> parsed = Parse(std::to_string(value));
  *this = std::move(parsed).value();  // 19 digits always fit
}

Result<Decimal> Decimal::Make(bool negative, std::string digits, int exponent) {
  const std::size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return Decimal();
  digits.erase(0, first);
  exponent -= static_cast<int>(first);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.size() > kMaxDigits)
    return Wrong("Attempting to store more than 38 significant digits in a Number");
  if (exponent > kMaxExponent)
    return Wrong("Number overflow. Attempting to store a number with magnitude larger than supported range");
  if (exponent < kMinExponent)
    return Wrong(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range");
  Decimal out;
  out.negative_ = negative;
  out.exponent_ = exponent;
  out.digits_ = std::move(digits);
  return out;
}

Result<Decimal> Decimal::Parse(std::string_view text) {
  const auto broken = [text] {
    return Wrong("The parameter cannot be converted to a numeric value" +
                 (text.empty() ? std::string() : ": " + std::string(text.substr(0, 200))));
  };
  std::string_view rest = text;
  bool negative = false;
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  std::string digits;
  int exponent = 0;
  bool point = false;
  bool any = false;
  std::size_t at = 0;
  for (; at < rest.size() && (IsDigit(rest[at]) || (rest[at] == '.' && !point)); ++at) {
    if (rest[at] == '.') {
      point = true;
      continue;
    }
    any = true;
    if (!point) ++exponent;
    digits.push_back(rest[at]);
    if (digits.size() > 4096) return broken();  // no number that fits is that long
  }
  if (!any) return broken();
  rest.remove_prefix(at);
  if (!rest.empty()) {
    if (rest.front() != 'e' && rest.front() != 'E') return broken();
    rest.remove_prefix(1);
    bool down = false;
    if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
      down = rest.front() == '-';
      rest.remove_prefix(1);
    }
    if (rest.empty()) return broken();
    int shift = 0;
    for (const char c : rest) {
      if (!IsDigit(c)) return broken();
      shift = std::min(100000, shift * 10 + (c - '0'));
    }
    exponent += down ? -shift : shift;
  }
  return Make(negative, std::move(digits), exponent);
}

std::string Decimal::ToString() const {
  if (digits_.empty()) return "0";
  std::string out = negative_ ? "-" : "";
  const int count = static_cast<int>(digits_.size());
  if (exponent_ <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-exponent_), '0').append(digits_);
  } else if (exponent_ >= count) {
    out.append(digits_).append(static_cast<std::size_t>(exponent_ - count), '0');
  } else {
    const auto whole = static_cast<std::size_t>(exponent_);
    out.append(digits_, 0, whole).append(".").append(digits_, whole);
  }
  return out;
}

Result<Decimal> Decimal::Add(const Decimal& a, const Decimal& b) {
  if (a.digits_.empty()) return b;
  if (b.digits_.empty()) return a;
  // Both as digits on one grid, from the higher exponent to the lower end: at most some 300 digits.
  const int top = std::max(a.exponent_, b.exponent_);
  const auto low = [](const Decimal& d) { return d.exponent_ - static_cast<int>(d.digits_.size()); };
  const int bottom = std::min(low(a), low(b));
  const auto grid = [top, bottom, low](const Decimal& d) {
    return std::string(static_cast<std::size_t>(top - d.exponent_), '0') + d.digits_ +
           std::string(static_cast<std::size_t>(low(d) - bottom), '0');
  };
  std::string left = grid(a);
  std::string right = grid(b);
  if (a.negative_ == b.negative_) {
    const int carry = AddDigits(left, right);
    if (carry == 0) return Make(a.negative_, std::move(left), top);
    return Make(a.negative_, "1" + left, top + 1);
  }
  if (left < right) {
    SubtractDigits(right, left);
    return Make(b.negative_, std::move(right), top);
  }
  SubtractDigits(left, right);
  return Make(a.negative_, std::move(left), top);
}

Result<Decimal> Decimal::Subtract(const Decimal& a, const Decimal& b) { return Add(a, b.Negated()); }

Decimal Decimal::Negated() const {
  Decimal out = *this;
  if (!digits_.empty()) out.negative_ = !negative_;
  return out;
}

std::int64_t Decimal::ToInt() const {
  using Limits = std::numeric_limits<std::int64_t>;
  if (exponent_ <= 0) return 0;
  if (exponent_ > 19) return negative_ ? Limits::min() : Limits::max();
  std::uint64_t value = 0;
  for (int i = 0; i < exponent_; ++i) {
    const auto at = static_cast<std::size_t>(i);
    value = value * 10 + static_cast<std::uint64_t>(at < digits_.size() ? digits_[at] - '0' : 0);
  }
  // 19 digits stay below 2^64.
  if (value > static_cast<std::uint64_t>(Limits::max())) return negative_ ? Limits::min() : Limits::max();
  return negative_ ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

// Sign (0, 1 for zero, 2), exponent + 1024 in two bytes, two digits a byte plus one, 0 at the end; of a
// negative number all bytes behind the sign are complemented. A digit that is missing in the last pair counts
// as zero: digits never end with one, so that no two numbers look alike.
void Decimal::AppendKey(std::string& out) const {
  if (digits_.empty()) {
    out.push_back('\x01');
    return;
  }
  out.push_back(negative_ ? '\0' : '\x02');
  const std::size_t begin = out.size();
  const int biased = exponent_ + 1024;
  out.push_back(static_cast<char>(biased >> 8));
  out.push_back(static_cast<char>(biased & 0xff));
  for (std::size_t i = 0; i < digits_.size(); i += 2) {
    const int second = i + 1 < digits_.size() ? digits_[i + 1] - '0' : 0;
    out.push_back(static_cast<char>((digits_[i] - '0') * 10 + second + 1));
  }
  out.push_back('\0');
  if (negative_)
    for (std::size_t i = begin; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  const auto sign = [](const Decimal& d) { return d.digits_.empty() ? 0 : d.negative_ ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) <=> sign(b);
  std::strong_ordering magnitude = a.exponent_ <=> b.exponent_;
  if (magnitude == 0) magnitude = a.digits_.compare(b.digits_) <=> 0;
  return sign(a) < 0 ? 0 <=> magnitude : magnitude;
}

}  // namespace honryu::tables
