#pragma once

#include "search/segment/column.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace honryu::search {

/// Reads a column, fastest in rising order of documents. Where most values are wanted, whole blocks are
/// unpacked.
class ColumnCursor {
 public:
  ColumnCursor(const Column& column, std::size_t wanted)
      : column_(column), walker_(column.index()), dense_(wanted * 16 >= column.values().size()) {}
  template <class Visit>
  void Of(std::uint32_t doc, Visit&& visit) {
    std::size_t begin, end;
    if (!walker_.Find(doc, &begin, &end)) return;
    for (; begin < end; ++begin) visit(Get(begin));
  }
  const Column& column() const { return column_; }

 private:
  std::int64_t Get(std::size_t value) {
    if (!dense_) return column_.values().Get(value);
    const auto block = value / PackedInts::kBlock;
    if (block != block_) column_.values().Decode(block_ = block, values_.data());
    return values_[value % PackedInts::kBlock];
  }
  const Column& column_;
  DocIndex::Walker walker_;
  bool dense_;
  std::size_t block_ = SIZE_MAX;
  std::array<std::int64_t, PackedInts::kBlock> values_;
};

}  // namespace honryu::search
