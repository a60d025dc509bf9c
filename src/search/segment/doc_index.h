#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "search/segment/packed_ints.h"

#include <cstdint>
#include <span>
#include <string>

namespace honryu::search {

/// Which documents have values in a column, and which values: a document's values are neighbours.
///
///   u8 form (0 every document once, 1 bitmap, 2 list of documents), u8 several, u32 documents with values
///   bitmap: u64 words, u32 rank for each 512 bits | list: u32 document… ; several: PackedInts of starts
class DocIndex {
 public:
  /// `docs` are the documents of the values in order, rising, repeated where a document has several.
  static void Append(std::span<const std::uint32_t> docs, std::uint32_t doc_count, std::string& out);
  static Result<DocIndex> Open(BytesView bytes, std::uint32_t doc_count);

  DocIndex() = default;
  /// Every document has exactly one value: value index = document.
  bool identity() const { return form_ == kEvery; }
  bool single() const { return !several_; }
  std::uint32_t present() const { return present_; }
  std::size_t value_count() const {
    return several_ ? static_cast<std::size_t>(starts_.Get(present_)) : present_;
  }
  std::size_t byte_size() const { return byte_size_; }

  /// The values of `doc` are [*begin, *end); false when it has none.
  bool Find(std::uint32_t doc, std::size_t* begin, std::size_t* end) const {
    if (form_ == kEvery) {
      *begin = doc;
      *end = doc + 1;
      return true;
    }
    std::size_t rank;
    if (!Rank(doc, &rank)) return false;
    if (!several_) {
      *begin = rank;
      *end = rank + 1;
      return true;
    }
    *begin = static_cast<std::size_t>(starts_.Get(rank));
    *end = static_cast<std::size_t>(starts_.Get(rank + 1));
    return true;
  }
  /// Calls visit(doc, value index) for every value of the documents of [from, to), in order.
  template <class Visit>
  void ForEach(Visit&& visit, std::uint32_t from = 0, std::uint32_t to = UINT32_MAX) const {
    for (std::uint32_t i = Before(from), doc = from; i < present_; ++i, ++doc) {
      if (form_ != kEvery) doc = DocAt(i, doc);
      if (doc >= to) return;
      if (!several_) {
        visit(doc, static_cast<std::size_t>(i));
        continue;
      }
      const auto end = static_cast<std::size_t>(starts_.Get(i + 1));
      for (auto v = static_cast<std::size_t>(starts_.Get(i)); v < end; ++v) visit(doc, v);
    }
  }

 private:
  enum Form : std::uint8_t { kEvery = 0, kBitmap = 1, kList = 2 };
  bool Rank(std::uint32_t doc, std::size_t* rank) const;
  /// Number of documents with values before `doc`.
  std::uint32_t Before(std::uint32_t doc) const;
  /// The `i`-th document; `from` is at most it and at least the one before.
  std::uint32_t DocAt(std::uint32_t i, std::uint32_t from) const;

  Form form_ = kEvery;
  bool several_ = false;
  std::uint32_t doc_count_ = 0;
  std::uint32_t present_ = 0;
  std::size_t byte_size_ = 0;
  const char* words_ = nullptr;  // bitmap, or the list
  const char* ranks_ = nullptr;
  PackedInts starts_;
};

}  // namespace honryu::search
