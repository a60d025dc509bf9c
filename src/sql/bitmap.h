#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// A set of whole numbers, exact and small where they lie close together: for the numbers that share their
/// upper 48 bits, the lower 16 in order, or from kDense of them on a bit each (as Roaring bitmaps; Chambi,
/// Lemire, Kaser, Godin, "Better bitmap performance with Roaring bitmaps", 2016). Numbers below 0 are as good
/// as others. Value type.
class Bitmap {
 public:
  void Add(std::int64_t number);
  bool Contains(std::int64_t number) const;
  std::uint64_t Count() const;
  void Or(const Bitmap& other);
  void And(const Bitmap& other);
  void AndNot(const Bitmap& other);
  void Xor(const Bitmap& other);
  /// As bytes: the number of parts; of each its upper bits, how many lower ones, and these (2 bytes each, or
  /// 8192 bytes with a bit each), least significant byte first. Equal sets have equal bytes.
  std::string Save() const;
  /// False: these are no such bytes.
  bool Restore(std::string_view bytes);
  /// Memory, about.
  std::size_t Bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kDense = 4096;  ///< From here on bits take less than a list.
  static constexpr std::size_t kWords = 1024;  ///< 65536 bits.
  struct Part {
    std::vector<std::uint16_t> list;  ///< Ordered; empty if there are bits.
    std::vector<std::uint64_t> bits;
    std::uint64_t count = 0;
  };

  template <class Combine>
  void Merge(const Bitmap& other, Combine combine);
  static std::vector<std::uint64_t> BitsOf(const Part* part);
  static Part PartOf(std::vector<std::uint64_t> bits);
  static std::size_t BytesOf(const Part& part) { return 112 + part.list.size() * 4 + part.bits.size() * 8; }

  std::map<std::uint64_t, Part> parts_;  ///< By the upper 48 bits.
  std::size_t bytes_ = 0;
};

}  // namespace honryu::sql
