#pragma once

#include "search/segment/doc_index.h"
#include "search/segment/packed_ints.h"

#include <span>

namespace honryu::search {

/// A column of whole numbers: longs, dates (ms), booleans, keyword ordinals, or doubles (see `scale`).
///
///   u8 scale | DocIndex | PackedInts
class Column {
 public:
  /// `scale`: 0 whole numbers; 1 to 9 doubles times 10^scale; kRawDouble: ordered bit patterns of doubles.
  static constexpr std::uint8_t kRawDouble = 255;

  static void Append(std::span<const std::uint32_t> docs, std::span<const std::int64_t> values,
                     std::uint32_t doc_count, std::string& out, std::uint8_t scale = 0);
  /// Chooses the smallest exact form.
  static void AppendDoubles(std::span<const std::uint32_t> docs, std::span<const double> values,
                            std::uint32_t doc_count, std::string& out);
  static Result<Column> Open(BytesView bytes, std::uint32_t doc_count);

  const DocIndex& index() const { return index_; }
  const PackedInts& values() const { return values_; }
  bool is_double() const { return scale_ != 0; }
  /// The number that a stored whole number stands for.
  double ToDouble(std::int64_t stored) const;
  /// Values of a document, in their order in it.
  template <class Visit>
  void Of(std::uint32_t doc, Visit&& visit) const {
    std::size_t begin, end;
    if (!index_.Find(doc, &begin, &end)) return;
    for (; begin < end; ++begin) visit(values_.Get(begin));
  }

 private:
  std::uint8_t scale_ = 0;
  DocIndex index_;
  PackedInts values_;
};

}  // namespace honryu::search
