#include "sql/quantile_sketch.h"

#include <algorithm>
#include <cmath>

namespace honryu::sql {
namespace {

constexpr double kGrowth = (1 + QuantileSketch::kRelativeError) / (1 - QuantileSketch::kRelativeError);
constexpr double kSmallest = 1e-12;  // nearer to zero than this is zero

std::int32_t BucketOf(double magnitude) {
  return static_cast<std::int32_t>(std::ceil(std::log(magnitude) / std::log(kGrowth)));
}

double ValueOf(std::int32_t bucket) { return 2 * std::pow(kGrowth, bucket) / (kGrowth + 1); }

}  // namespace

void QuantileSketch::AddToBuckets(double value, std::uint64_t count) {
  if (std::fabs(value) < kSmallest) {
    zeros_ += count;
  } else if (value > 0) {
    positive_[BucketOf(value)] += count;
  } else {
    negative_[BucketOf(-value)] += count;
  }
}

void QuantileSketch::Spill() {
  for (const double value : values_) AddToBuckets(value, 1);
  values_ = {};
  exact_ = false;
}

void QuantileSketch::Add(double value) {
  if (!std::isfinite(value)) return;
  ++count_;
  if (!exact_) return AddToBuckets(value, 1);
  values_.push_back(value);
  if (values_.size() > kExactLimit) Spill();
}

void QuantileSketch::Merge(const QuantileSketch& other) {
  if (other.exact_) {
    for (const double value : other.values_) Add(value);
    return;
  }
  if (exact_) Spill();
  count_ += other.count_;
  zeros_ += other.zeros_;
  for (const auto& [bucket, count] : other.positive_) positive_[bucket] += count;
  for (const auto& [bucket, count] : other.negative_) negative_[bucket] += count;
}

double QuantileSketch::Quantile(double share) const {
  const double rank = std::clamp(share, 0.0, 1.0) * static_cast<double>(count_ - 1);
  if (exact_) {
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const auto low = static_cast<std::size_t>(std::floor(rank));
    const std::size_t high = std::min(low + 1, sorted.size() - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (rank - std::floor(rank));
  }
  double seen = 0;
  for (auto it = negative_.rbegin(); it != negative_.rend(); ++it) {
    seen += static_cast<double>(it->second);
    if (seen > rank) return -ValueOf(it->first);
  }
  seen += static_cast<double>(zeros_);
  if (seen > rank) return 0;
  for (const auto& [bucket, count] : positive_) {
    seen += static_cast<double>(count);
    if (seen > rank) return ValueOf(bucket);
  }
  return positive_.empty() ? 0 : ValueOf(positive_.rbegin()->first);
}

std::size_t QuantileSketch::Bytes() const {
  return sizeof(*this) + values_.capacity() * sizeof(double) + (positive_.size() + negative_.size()) * 48;
}

void QuantileSketch::Save(StateWriter& out) const {
  out.U8(exact_ ? 1 : 0);
  out.U64(count_);
  out.U64(zeros_);
  out.U64(values_.size());
  for (const double value : values_) out.F64(value);
  for (const auto* buckets : {&positive_, &negative_}) {
    out.U64(buckets->size());
    for (const auto& [bucket, count] : *buckets) {
      out.I64(bucket);
      out.U64(count);
    }
  }
}

void QuantileSketch::Load(StateReader& in) {
  exact_ = in.U8() != 0;
  count_ = in.U64();
  zeros_ = in.U64();
  values_.resize(in.Count(8));
  for (double& value : values_) value = in.F64();
  for (auto* buckets : {&positive_, &negative_}) {
    buckets->clear();
    for (std::uint64_t left = in.Count(16); left > 0; --left) {
      const auto bucket = static_cast<std::int32_t>(in.I64());
      (*buckets)[bucket] = in.U64();
    }
  }
  if (exact_ && values_.size() != count_) in.Fail();
}

}  // namespace honryu::sql
