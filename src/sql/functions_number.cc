#include "honryu/analytics/window.h"
#include "honryu/base/crc32c.h"
#include "sql/bound.h"

#include <algorithm>
#include <cmath>

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

void SetReal(EvalContext& context, double value, Value& out) {
  if (!std::isfinite(value)) context.Fail("NumericOverflow", "the result of a function is no finite number");
  out.SetDouble(value);
}

template <double (*kBody)(double)>
void Real(EvalContext& context, Args args, Value& out) {
  SetReal(context, kBody(args[0]->as_double()), out);
}

void Ln(EvalContext& context, Args args, Value& out) {
  const double x = args[0]->as_double();
  if (x <= 0) context.Fail("InvalidArgument", "logarithm of a number that is not above 0");
  out.SetDouble(x > 0 ? std::log(x) : 0);
}

void Log10(EvalContext& context, Args args, Value& out) {
  const double x = args[0]->as_double();
  if (x <= 0) context.Fail("InvalidArgument", "logarithm of a number that is not above 0");
  out.SetDouble(x > 0 ? std::log10(x) : 0);
}

void Power(EvalContext& context, Args args, Value& out) {
  SetReal(context, std::pow(args[0]->as_double(), args[1]->as_double()), out);
}

void Round(EvalContext& context, Args args, Value& out) {
  const std::int64_t digits = args.size() > 1 ? std::clamp<std::int64_t>(args[1]->as_int(), -300, 300) : 0;
  const double scale = std::pow(10.0, static_cast<double>(digits));
  SetReal(context, std::round(args[0]->as_double() * scale) / scale, out);
}

void Truncate(EvalContext& context, Args args, Value& out) {
  const std::int64_t digits = args.size() > 1 ? std::clamp<std::int64_t>(args[1]->as_int(), -300, 300) : 0;
  const double scale = std::pow(10.0, static_cast<double>(digits));
  SetReal(context, std::trunc(args[0]->as_double() * scale) / scale, out);
}

void Sign(EvalContext&, Args args, Value& out) {
  const double x = args[0]->as_double();
  out.SetInt(x > 0 ? 1 : x < 0 ? -1 : 0);
}

// A number between 0 and 2^63, the same for the same text in every release.
void Hash(EvalContext&, Args args, Value& out) {
  out.SetInt(static_cast<std::int64_t>(Hash64(args[0]->text()) >> 1));
}

void WidthBucket(EvalContext& context, Args args, Value& out) {
  const double low = args[1]->as_double(), high = args[2]->as_double();
  const std::int64_t count = args[3]->as_int();
  if (count <= 0 || !(low < high))
    return context.Fail("InvalidArgument", "WIDTH_BUCKET needs low < high and a count");
  const double x = args[0]->as_double();
  if (x < low) return out.SetInt(0);
  if (x >= high) return out.SetInt(count + 1);
  out.SetInt(static_cast<std::int64_t>((x - low) / (high - low) * static_cast<double>(count)) + 1);
}

// Niemeyer's geohash: longitude and latitude bits in turn, five to a letter.
void Geohash(EvalContext& context, Args args, Value& out) {
  constexpr std::string_view kLetters = "0123456789bcdefghjkmnpqrstuvwxyz";
  const double latitude = args[0]->as_double(), longitude = args[1]->as_double();
  const std::int64_t length = args[2]->as_int();
  if (!(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180) || length < 1 ||
      length > 12)
    return context.Fail("InvalidArgument", "GEOHASH needs a latitude, a longitude and a length of 1 to 12");
  double low[2] = {-180, -90}, high[2] = {180, 90};
  const double wanted[2] = {longitude, latitude};
  std::string& text = out.MutableText();
  int axis = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    std::size_t letter = 0;
    for (int bit = 0; bit < 5; ++bit, axis ^= 1) {
      const double middle = (low[axis] + high[axis]) / 2;
      letter <<= 1;
      if (wanted[axis] >= middle) {
        letter |= 1;
        low[axis] = middle;
      } else {
        high[axis] = middle;
      }
    }
    text += kLetters[letter];
  }
}

// A square cell of `size` degrees: "row:column".
void GridCell(EvalContext& context, Args args, Value& out) {
  const double size = args[2]->as_double();
  if (!(size >= 1e-9) || !(std::fabs(args[0]->as_double()) <= 90) ||
      !(std::fabs(args[1]->as_double()) <= 360))
    return context.Fail("InvalidArgument", "GRID_CELL needs a latitude, a longitude and a size above 0");
  out.SetText(std::to_string(static_cast<long long>(std::floor(args[0]->as_double() / size))) + ":" +
              std::to_string(static_cast<long long>(std::floor(args[1]->as_double() / size))));
}

constexpr FunctionDefinition kFunctions[] = {
    {"EXP", "D:D", Real<std::exp>},
    {"LN", "D:D", Ln},
    {"LOG10", "D:D", Log10},
    {"POWER", "DD:D", Power},
    {"SQRT", "D:D", Real<std::sqrt>},
    {"SIN", "D:D", Real<std::sin>},
    {"COS", "D:D", Real<std::cos>},
    {"TAN", "D:D", Real<std::tan>},
    {"ROUND", "DI?:D", Round},
    {"TRUNCATE", "DI?:D", Truncate},
    {"SIGN", "D:I", Sign},
    {"HASH", "T:I", Hash},
    {"WIDTH_BUCKET", "DDDI:I", WidthBucket},
    {"GEOHASH", "DDI:T", Geohash},
    {"GRID_CELL", "DDD:T", GridCell},
};

}  // namespace

std::span<const FunctionDefinition> NumberFunctions() { return kFunctions; }

}  // namespace honryu::sql
