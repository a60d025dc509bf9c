#include "honryu/anomaly/explanation.h"

#include "honryu/base/check.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace honryu::anomaly {

ColumnSpread::ColumnSpread(std::size_t columns, std::uint64_t time_decay)
    : memory_(time_decay == 0 ? std::numeric_limits<double>::infinity() : static_cast<double>(time_decay)),
      columns_(columns) {}

double ColumnSpread::Strength(std::size_t column, double value) const {
  const Column& spread = columns_[column];
  if (spread.count < 2 || !std::isfinite(value)) return 0;
  const double distance = std::abs(value - spread.mean);
  if (distance == 0) return 0;
  // A column that never moved: any distance is beyond measure; the largest one told.
  constexpr double kLargest = 1e6;
  return spread.distance > 0 ? std::min(kLargest, distance / spread.distance) : kLargest;
}

void ColumnSpread::Learn(std::span<const double> row) {
  HONRYU_CHECK(row.size() == columns_.size(), "a row has one value a column");
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i])) continue;
    constexpr double kLargest = 1e150;  // differences of larger values might overflow
    const double value = std::clamp(row[i], -kLargest, kLargest);
    Column& column = columns_[i];
    column.count += 1;
    const double weight = 1 / std::min(column.count, memory_);
    column.mean += (value - column.mean) * weight;
    column.distance += (std::abs(value - column.mean) - column.distance) * weight;
  }
}

void ColumnSpread::AppendState(std::string& out) const {
  for (const Column& column : columns_)
    for (const double value : {column.count, column.mean, column.distance})
      codec::AppendU64(out, std::bit_cast<std::uint64_t>(value));
}

Result<void> ColumnSpread::TakeState(BytesView* in) {
  if (in->size() / 24 < columns_.size()) return Error(ErrorCode::kCorrupt, "spread state: cut short");
  for (Column& column : columns_) {
    for (double* value : {&column.count, &column.mean, &column.distance}) {
      *value = std::bit_cast<double>(codec::LoadU64(in->data()));
      if (!std::isfinite(*value)) return Error(ErrorCode::kCorrupt, "spread state: a value is no number");
      in->remove_prefix(8);
    }
  }
  return Ok();
}

std::string ExplanationJson(std::span<const std::string> columns, const Attribution& attribution,
                            std::span<const double> strengths, bool with_direction) {
  HONRYU_CHECK(columns.size() == attribution.high.size() && columns.size() == strengths.size(),
               "one of each a column");
  std::string out = "{";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const double high = attribution.high[i];
    const double low = attribution.low[i];
    if (i > 0) out += ',';
    codec::AppendJsonString(columns[i], out);
    out += ":{";
    if (with_direction)
      fmt::format_to(std::back_inserter(out), R"("DIRECTION":"{}",)", high >= low ? "HIGH" : "LOW");
    fmt::format_to(std::back_inserter(out), R"("STRENGTH":"{:.4f}","ATTRIBUTION_SCORE":"{:.4f}"}})",
                   strengths[i], high + low);
  }
  return out + '}';
}

}  // namespace honryu::anomaly
