#include "anomaly/point_store.h"

#include <algorithm>
#include <utility>

namespace honryu::anomaly {

std::uint32_t PointStore::Add(const float* point) {
  if (!free_.empty()) {
    const std::uint32_t id = free_.back();
    free_.pop_back();
    std::copy_n(point, width_, values_.begin() + static_cast<std::ptrdiff_t>(id * width_));
    return id;
  }
  const auto id = static_cast<std::uint32_t>(references_.size());
  values_.insert(values_.end(), point, point + width_);
  references_.push_back(0);
  return id;
}

PointStore PointStore::FromParts(std::size_t width, std::vector<float> values,
                                 std::vector<std::uint32_t> references, std::vector<std::uint32_t> free) {
  PointStore store(width);
  store.values_ = std::move(values);
  store.references_ = std::move(references);
  store.free_ = std::move(free);
  return store;
}

}  // namespace honryu::anomaly
