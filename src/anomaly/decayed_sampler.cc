#include "anomaly/decayed_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace honryu::anomaly {
namespace {

bool KeyLess(const DecayedSampler::Entry& a, const DecayedSampler::Entry& b) { return a.key < b.key; }

}  // namespace

double DecayedSampler::KeyOf(std::uint64_t t, double q) const {
  return std::log(-std::log1p(-q)) - lambda_ * static_cast<double>(t);
}

double DecayedSampler::Limit() const {
  return heap_.size() < capacity_ ? std::numeric_limits<double>::infinity() : heap_.front().key;
}

void DecayedSampler::Take(double key, std::uint32_t point) {
  if (heap_.size() == capacity_) {
    std::pop_heap(heap_.begin(), heap_.end(), KeyLess);
    heap_.pop_back();
  }
  heap_.push_back({key, point});
  std::push_heap(heap_.begin(), heap_.end(), KeyLess);
}

bool DecayedSampler::SetEntries(std::vector<Entry> entries) {
  if (entries.size() > capacity_ || !std::is_heap(entries.begin(), entries.end(), KeyLess)) return false;
  heap_ = std::move(entries);
  return true;
}

StratifiedDraws::StratifiedDraws(std::size_t count) : order_(count) {
  std::iota(order_.begin(), order_.end(), 0U);
  draws_.reserve(count);
}

const std::vector<StratifiedDraws::Draw>& StratifiedDraws::Below(double bound, TreeRandom& random) {
  const std::size_t count = order_.size();
  const auto size = static_cast<double>(count);
  const std::size_t strata = bound < 1 ? static_cast<std::size_t>(bound * size) + 1 : count;
  draws_.clear();
  // The first steps of a Fisher-Yates shuffle, undone afterwards: what is drawn must not depend on calls
  // before.
  for (std::size_t i = 0; i < strata; ++i) {
    const std::size_t other = i + random.Below(count - i);
    std::swap(order_[i], order_[other]);
    draws_.push_back({order_[i], (static_cast<double>(i) + random.OpenUnit()) / size});
  }
  for (std::size_t i = 0; i < strata; ++i)
    order_[draws_[i].sampler] = static_cast<std::uint32_t>(draws_[i].sampler);
  for (std::size_t i = 0; i < strata; ++i) order_[i] = static_cast<std::uint32_t>(i);
  return draws_;
}

}  // namespace honryu::anomaly
