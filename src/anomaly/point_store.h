#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace honryu::anomaly {

/// Points that trees share: each is held once, with a count of the sample entries that name it. Points have
/// `width` floats each; widths above 1 are multiples of kLane, the rest filled with zeros.
class PointStore {
 public:
  /// Floats handled at once by the loops over dimensions.
  static constexpr std::size_t kLane = 4;
  static std::size_t WidthOf(std::size_t dimensions) {
    return dimensions == 1 ? 1 : (dimensions + kLane - 1) / kLane * kLane;
  }

  explicit PointStore(std::size_t width) : width_(width) {}

  /// Stores a copy with no references yet.
  std::uint32_t Add(const float* point);
  void AddReference(std::uint32_t id) { ++references_[id]; }
  /// Takes one reference back; the place is used again after the last one.
  void Release(std::uint32_t id) {
    if (--references_[id] == 0) free_.push_back(id);
  }
  /// Gives back a point that nobody took.
  void DropUnused(std::uint32_t id) {
    if (references_[id] == 0) free_.push_back(id);
  }
  const float* At(std::uint32_t id) const { return values_.data() + id * width_; }

  std::size_t width() const { return width_; }
  /// Places, used or free.
  std::size_t size() const { return references_.size(); }
  std::size_t used() const { return references_.size() - free_.size(); }
  std::uint32_t references(std::uint32_t id) const { return references_[id]; }
  /// Places to be used again; the last one first.
  const std::vector<std::uint32_t>& free_places() const { return free_; }
  std::size_t MemoryBytes() const {
    return values_.capacity() * sizeof(float) +
           (references_.capacity() + free_.capacity()) * sizeof(std::uint32_t);
  }
  /// Makes the store that a snapshot describes.
  static PointStore FromParts(std::size_t width, std::vector<float> values,
                              std::vector<std::uint32_t> references, std::vector<std::uint32_t> free);

 private:
  std::size_t width_;
  std::vector<float> values_;
  std::vector<std::uint32_t> references_;
  std::vector<std::uint32_t> free_;
};

}  // namespace honryu::anomaly
