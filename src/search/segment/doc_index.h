#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/codec/endian.h"
#include "search/segment/packed_ints.h"

#include <bit>
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

  /// Finds like Find, in any order of documents; fastest where they rise: goes on from where the last one
  /// was.
  class Walker {
   public:
    /// `index` must outlive it.
    explicit Walker(const DocIndex& index) : index_(index) {
      if (index.form_ == kList) next_ = index.present_ > 0 ? codec::LoadU32(index.words_) : UINT32_MAX;
    }
    bool Find(std::uint32_t doc, std::size_t* begin, std::size_t* end) {
      if (index_.form_ == kEvery) {
        *begin = doc;
        *end = std::size_t{doc} + 1;
        return true;
      }
      std::size_t rank;
      if (index_.form_ == kBitmap) {
        const std::uint32_t word = doc / 64;
        if (word != word_) Advance(word);
        if ((bits_ >> (doc % 64) & 1) == 0) return false;
        rank = rank_ + static_cast<std::size_t>(std::popcount(bits_ & ((1ULL << (doc % 64)) - 1)));
      } else {
        if (doc > next_ || doc < asked_) {
          rank_ = index_.Before(doc);
          next_ = rank_ < index_.present_ ? codec::LoadU32(index_.words_ + 4ULL * rank_) : UINT32_MAX;
        }
        asked_ = doc;
        if (doc != next_) return false;
        rank = rank_;
      }
      *begin = index_.several_ ? static_cast<std::size_t>(index_.starts_.Get(rank)) : rank;
      *end = index_.several_ ? static_cast<std::size_t>(index_.starts_.Get(rank + 1)) : rank + 1;
      return true;
    }

   private:
    void Advance(std::uint32_t word) {
      if (word_ == word - 1) {
        rank_ += static_cast<std::size_t>(std::popcount(bits_));
      } else {
        rank_ = index_.Before(word * 64);
      }
      word_ = word;
      bits_ = codec::LoadU64(index_.words_ + 8ULL * word);
    }
    const DocIndex& index_;
    std::uint32_t word_ = UINT32_MAX;
    std::uint64_t bits_ = 0;
    std::size_t rank_ = 0;     ///< Documents with values before word_'s; of a list, before next_.
    std::uint32_t next_ = 0;   ///< Of a list: the first document with values from asked_ on.
    std::uint32_t asked_ = 0;  ///< The last document.
  };
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
      if (doc >= to || doc >= doc_count_) return;
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
  /// The `i`-th document; `from` is at most it and at least the one before. UINT32_MAX when there is none: a
  /// page of the file could not be read, and is zeros since.
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
