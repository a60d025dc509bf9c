#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace honryu::search {

/// Documents of a segment, from `begin` to before `end`.
struct DocRange {
  std::uint32_t begin = 0, end = UINT32_MAX;
};

/// Documents of one segment: none, all, a sorted list, or a bitmap, whichever is smaller. Value type.
class DocSet {
 public:
  /// The empty set of a segment with `doc_count` documents.
  explicit DocSet(std::uint32_t doc_count = 0) : doc_count_(doc_count) {}
  static DocSet All(std::uint32_t doc_count);
  /// `docs` rises strictly and stays below `doc_count`.
  static DocSet FromSorted(std::uint32_t doc_count, std::vector<std::uint32_t> docs);
  /// One bit a document; bits beyond the last are 0.
  static DocSet FromBits(std::uint32_t doc_count, std::vector<std::uint64_t> bits);

  std::uint32_t doc_count() const { return doc_count_; }
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool all() const { return size_ == doc_count_; }
  bool Contains(std::uint32_t doc) const;
  /// Equal for equal sets.
  std::uint64_t Hash() const;

  void And(const DocSet& other);
  void Or(const DocSet& other);
  void AndNot(const DocSet& other);
  /// Keeps the documents of the range.
  void Clip(DocRange range);
  /// The smallest range that holds all of them.
  DocRange Bounds() const;
  /// Keeps the documents for which keep(doc) is true.
  template <class Keep>
  void Filter(Keep&& keep) {
    std::vector<std::uint32_t> kept;
    ForEach([&](std::uint32_t doc) {
      if (keep(doc)) kept.push_back(doc);
    });
    *this = FromSorted(doc_count_, std::move(kept));
  }
  std::vector<std::uint32_t> ToVector() const;
  /// Appends the documents of [begin, end) to `out`; `begin` is a multiple of 64.
  void AppendRange(std::uint32_t begin, std::uint32_t end, std::vector<std::uint32_t>& out) const;

  /// Calls visit(doc) in rising order.
  template <class Visit>
  void ForEach(Visit&& visit) const {
    switch (form_) {
      case Form::kNone:
        return;
      case Form::kAll:
        for (std::uint32_t doc = 0; doc < doc_count_; ++doc) visit(doc);
        return;
      case Form::kList:
        for (const auto doc : list_) visit(doc);
        return;
      case Form::kBits:
        for (std::size_t word = 0; word < bits_.size(); ++word)
          for (auto bits = bits_[word]; bits != 0; bits &= bits - 1)
            visit(static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
  }

 private:
  enum class Form : std::uint8_t { kNone, kAll, kList, kBits };
  void MakeBits();
  void Settle();  // counts the bits and chooses the form

  std::uint32_t doc_count_ = 0;
  std::uint32_t size_ = 0;
  Form form_ = Form::kNone;
  std::vector<std::uint32_t> list_;
  std::vector<std::uint64_t> bits_;
};

}  // namespace honryu::search
