#include "search/segment/column.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace honryu::search {
namespace {

constexpr std::array<double, 10> kPowers = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

/// Bit patterns whose order as signed numbers is the order of the doubles.
std::int64_t OrderedBits(double value) {
  const auto bits = std::bit_cast<std::int64_t>(value);
  return bits < 0 ? bits ^ std::numeric_limits<std::int64_t>::max() : bits;
}
double FromOrderedBits(std::int64_t bits) {
  return std::bit_cast<double>(bits < 0 ? bits ^ std::numeric_limits<std::int64_t>::max() : bits);
}

bool Scaled(double value, double power, std::int64_t* out) {
  const double product = std::round(value * power);
  if (!(std::fabs(product) < 9e15)) return false;
  *out = static_cast<std::int64_t>(product);
  const double back = static_cast<double>(*out) / power;
  return std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

}  // namespace

void Column::Append(std::span<const std::uint32_t> docs, std::span<const std::int64_t> values,
                    std::uint32_t doc_count, std::string& out, std::uint8_t scale) {
  out += static_cast<char>(scale);
  DocIndex::Append(docs, doc_count, out);
  PackedInts::Append(values, out);
}

void Column::AppendDoubles(std::span<const std::uint32_t> docs, std::span<const double> values,
                           std::uint32_t doc_count, std::string& out) {
  std::vector<std::int64_t> stored(values.size());
  for (std::uint8_t scale = 1; scale < kPowers.size(); ++scale) {
    std::size_t i = 0;
    while (i < values.size() && Scaled(values[i], kPowers[scale], &stored[i])) ++i;
    if (i == values.size()) return Append(docs, stored, doc_count, out, scale);
  }
  for (std::size_t i = 0; i < values.size(); ++i) stored[i] = OrderedBits(values[i]);
  Append(docs, stored, doc_count, out, kRawDouble);
}

Result<Column> Column::Open(BytesView bytes, std::uint32_t doc_count) {
  if (bytes.empty()) return Error(ErrorCode::kCorrupt, "a column is empty");
  Column column;
  column.scale_ = static_cast<std::uint8_t>(bytes[0]);
  if (column.scale_ >= kPowers.size() && column.scale_ != kRawDouble)
    return Error(ErrorCode::kCorrupt, "a column has an unknown form of numbers");
  HONRYU_TRY(column.index_, DocIndex::Open(bytes.substr(1), doc_count));
  HONRYU_TRY(column.values_, PackedInts::Open(bytes.substr(1 + column.index_.byte_size())));
  if (column.values_.size() != column.index_.value_count())
    return Error(ErrorCode::kCorrupt, "a column has another number of values than its index");
  return column;
}

double Column::ToDouble(std::int64_t stored) const {
  if (scale_ == 0) return static_cast<double>(stored);
  if (scale_ == kRawDouble) return FromOrderedBits(stored);
  return static_cast<double>(stored) / kPowers[scale_];
}

}  // namespace honryu::search
