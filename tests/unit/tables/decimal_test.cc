#include "honryu/tables/decimal.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace honryu::tables {
namespace {

Decimal D(std::string_view text) { return Decimal::Parse(text).value(); }
std::string Refusal(std::string_view text) {
  const Result<Decimal> parsed = Decimal::Parse(text);
  return parsed.ok() ? "taken as " + parsed->ToString() : parsed.error().message();
}

TEST(Decimal, IsWrittenWithoutExponentAndWithoutIdleZeros) {
  EXPECT_EQ(D("0").ToString(), "0");
  EXPECT_EQ(D("-0.000e5").ToString(), "0");
  EXPECT_EQ(D("007").ToString(), "7");
  EXPECT_EQ(D("+1.50").ToString(), "1.5");
  EXPECT_EQ(D("-12.340").ToString(), "-12.34");
  EXPECT_EQ(D(".5").ToString(), "0.5");
  EXPECT_EQ(D("5.").ToString(), "5");
  EXPECT_EQ(D("1E3").ToString(), "1000");
  EXPECT_EQ(D("1.25e-4").ToString(), "0.000125");
  EXPECT_EQ(D("12345678901234567890123456789012345678").ToString(), "12345678901234567890123456789012345678");
  EXPECT_EQ(D("1e125").ToString().size(), 126u);
}

TEST(Decimal, RefusesWhatIsNoNumberOrDoesNotFit) {
  for (const char* text :
       {"", "-", ".", "e5", "1e", "1e+", "0x1", "1 ", " 1", "1.2.3", "NaN", "Infinity", "--1"})
    EXPECT_TRUE(Refusal(text).starts_with("The parameter cannot be converted")) << text;
  EXPECT_EQ(Refusal(std::string(39, '1')), "Attempting to store more than 38 significant digits in a Number");
  EXPECT_TRUE(Refusal("1e126").starts_with("Number overflow"));
  EXPECT_TRUE(Refusal("1e-131").starts_with("Number underflow"));
  EXPECT_TRUE(Refusal("1e999999999999").starts_with("Number overflow"));
  EXPECT_EQ(D("9.9999999999999999999999999999999999999E+125").significant_digits(), 38);
  EXPECT_EQ(D("1e-130").significant_digits(), 1);
  EXPECT_EQ(Refusal("0e999999999"), "taken as 0");
}

TEST(Decimal, AddsExactly) {
  EXPECT_EQ(Decimal::Add(D("0.1"), D("0.2")).value(), D("0.3"));
  EXPECT_EQ(Decimal::Add(D("99999999999999999999999999999999999999"), D("1")).value(), D("1e38"));
  EXPECT_EQ(Decimal::Subtract(D("1000"), D("0.001")).value(), D("999.999"));
  EXPECT_EQ(Decimal::Subtract(D("5"), D("5")).value(), D("0"));
  EXPECT_EQ(Decimal::Add(D("-5"), D("3")).value(), D("-2"));
  EXPECT_EQ(Decimal::Add(D("5"), D("-7.5")).value(), D("-2.5"));
  EXPECT_EQ(Decimal::Subtract(D("-1"), D("-1.5")).value(), D("0.5"));
  EXPECT_FALSE(Decimal::Add(D("1e38"), D("0.1")).ok()) << "40 digits do not fit";
  EXPECT_FALSE(Decimal::Add(D("9e125"), D("9e125")).ok());
}

TEST(Decimal, AgreesWithIntegersOnSumsAndOrder) {
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    const auto draw = [&random] {
      const auto magnitude = static_cast<std::int64_t>(random.Below(1ULL << (1 + random.Below(60))));
      return random.Chance(0.5) ? magnitude : -magnitude;
    };
    const std::int64_t a = draw();
    const std::int64_t b = draw();
    EXPECT_EQ(Decimal::Add(Decimal(a), Decimal(b))->ToInt(), a + b) << a << " " << b;
    EXPECT_EQ(Decimal(a) <=> Decimal(b), a <=> b) << a << " " << b;
  }
}

TEST(Decimal, KeysSortAsNumbersAndNoneBeginsAnother) {
  std::vector<Decimal> numbers = {D("0"),        D("1"),      D("-1"),     D("10"),      D("1.5"),
                                  D("1.05"),     D("-1.5"),   D("1e-130"), D("-1e-130"), D("9.9e125"),
                                  D("-9.9e125"), D("12"),     D("120"),    D("121"),     D("123456789"),
                                  D("0.1"),      D("0.10001")};
  std::sort(numbers.begin(), numbers.end());
  std::vector<std::string> keys;
  for (const Decimal& number : numbers) number.AppendKey(keys.emplace_back());
  for (std::size_t i = 1; i < keys.size(); ++i) {
    EXPECT_LT(keys[i - 1], keys[i]) << numbers[i - 1].ToString() << " " << numbers[i].ToString();
    EXPECT_FALSE(keys[i].starts_with(keys[i - 1]));
    EXPECT_FALSE(keys[i - 1].starts_with(keys[i]));
  }
}

TEST(Decimal, IsCutToAnInteger) {
  EXPECT_EQ(D("12.9").ToInt(), 12);
  EXPECT_EQ(D("-12.9").ToInt(), -12);
  EXPECT_EQ(D("0.9").ToInt(), 0);
  EXPECT_EQ(D("1e30").ToInt(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(D("-1e30").ToInt(), std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace honryu::tables
