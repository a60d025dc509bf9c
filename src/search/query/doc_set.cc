#include "search/query/doc_set.h"

#include "honryu/base/crc32c.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace honryu::search {
namespace {

/// A list takes 32 bits a document, a bitmap one bit for every document of the segment.
bool ListIsSmaller(std::size_t size, std::uint32_t doc_count) { return size * 32 <= doc_count; }

}  // namespace

DocSet DocSet::All(std::uint32_t doc_count) {
  DocSet set(doc_count);
  set.size_ = doc_count;
  set.form_ = doc_count == 0 ? Form::kNone : Form::kAll;
  return set;
}

DocSet DocSet::FromSorted(std::uint32_t doc_count, std::vector<std::uint32_t> docs) {
  if (docs.size() == doc_count) return All(doc_count);
  DocSet set(doc_count);
  if (docs.empty()) return set;
  set.size_ = static_cast<std::uint32_t>(docs.size());
  set.form_ = Form::kList;
  set.list_ = std::move(docs);
  if (!ListIsSmaller(set.size_, doc_count)) set.MakeBits();
  return set;
}

DocSet DocSet::FromBits(std::uint32_t doc_count, std::vector<std::uint64_t> bits) {
  DocSet set(doc_count);
  set.bits_ = std::move(bits);
  set.Settle();
  return set;
}

bool DocSet::Contains(std::uint32_t doc) const {
  switch (form_) {
    case Form::kNone:
      return false;
    case Form::kAll:
      return doc < doc_count_;
    case Form::kList:
      return std::binary_search(list_.begin(), list_.end(), doc);
    case Form::kBits:
      return doc < doc_count_ && (bits_[doc / 64] >> (doc % 64) & 1) != 0;
  }
  return false;
}

std::uint64_t DocSet::Hash() const {
  // The form is a function of the size, so equal sets have equal bytes.
  const auto bytes = [](const auto& values) {
    return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
  };
  return Hash64(form_ == Form::kBits ? bytes(bits_) : bytes(list_), size_);
}

void DocSet::MakeBits() {
  if (form_ == Form::kBits) return;
  std::vector<std::uint64_t> bits((doc_count_ + 63) / 64);
  ForEach([&bits](std::uint32_t doc) { bits[doc / 64] |= 1ULL << (doc % 64); });
  bits_ = std::move(bits);
  list_ = std::vector<std::uint32_t>();  // not {}, which would keep the memory
  form_ = Form::kBits;
}

void DocSet::Settle() {
  std::size_t size = 0;
  for (const auto word : bits_) size += static_cast<std::size_t>(std::popcount(word));
  size_ = static_cast<std::uint32_t>(size);
  form_ = Form::kBits;
  if (size_ == doc_count_ || size_ == 0) {
    form_ = size_ == 0 ? Form::kNone : Form::kAll;
    bits_ = std::vector<std::uint64_t>();
  } else if (ListIsSmaller(size_, doc_count_)) {
    auto docs = ToVector();
    list_ = std::move(docs);
    bits_ = std::vector<std::uint64_t>();
    form_ = Form::kList;
  }
}

void DocSet::And(const DocSet& other) {
  if (other.all() || empty()) return;
  if (all() || other.empty()) {
    *this = other;
    return;
  }
  if (form_ == Form::kBits && other.form_ == Form::kBits) {
    for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i];
    Settle();
    return;
  }
  const DocSet& smaller =
      form_ == Form::kList && (other.form_ != Form::kList || size_ <= other.size_) ? *this : other;
  const DocSet& larger = &smaller == this ? other : *this;
  std::vector<std::uint32_t> kept;
  for (const auto doc : smaller.list_)
    if (larger.Contains(doc)) kept.push_back(doc);
  *this = FromSorted(doc_count_, std::move(kept));
}

void DocSet::Or(const DocSet& other) {
  if (all() || other.empty()) return;
  if (empty() || other.all()) {
    *this = other;
    return;
  }
  if (form_ == Form::kList && other.form_ == Form::kList &&
      ListIsSmaller(list_.size() + other.list_.size(), doc_count_)) {
    std::vector<std::uint32_t> both;
    both.reserve(list_.size() + other.list_.size());
    std::set_union(list_.begin(), list_.end(), other.list_.begin(), other.list_.end(),
                   std::back_inserter(both));
    *this = FromSorted(doc_count_, std::move(both));
    return;
  }
  MakeBits();
  other.ForEach([this](std::uint32_t doc) { bits_[doc / 64] |= 1ULL << (doc % 64); });
  Settle();
}

void DocSet::AndNot(const DocSet& other) {
  if (empty() || other.empty()) return;
  if (other.all()) {
    *this = DocSet(doc_count_);
    return;
  }
  if (form_ == Form::kList) {
    Filter([&other](std::uint32_t doc) { return !other.Contains(doc); });
    return;
  }
  MakeBits();
  other.ForEach([this](std::uint32_t doc) { bits_[doc / 64] &= ~(1ULL << (doc % 64)); });
  Settle();
}

void DocSet::Clip(DocRange range) {
  if (empty() || (range.begin == 0 && range.end >= doc_count_)) return;
  if (form_ == Form::kList) {
    list_.erase(std::lower_bound(list_.begin(), list_.end(), range.end), list_.end());
    list_.erase(list_.begin(), std::lower_bound(list_.begin(), list_.end(), range.begin));
    *this = FromSorted(doc_count_, std::move(list_));
    return;
  }
  MakeBits();
  for (std::size_t word = 0; word < bits_.size(); ++word) {
    const auto first = static_cast<std::uint32_t>(word * 64);
    if (first + std::uint64_t{64} <= range.begin || first >= range.end) {
      bits_[word] = 0;
      continue;
    }
    if (first < range.begin) bits_[word] &= ~0ULL << (range.begin - first);
    if (range.end - first < 64) bits_[word] &= ~(~0ULL << (range.end - first));
  }
  Settle();
}

DocRange DocSet::Bounds() const {
  switch (form_) {
    case Form::kNone:
      return {0, 0};
    case Form::kAll:
      return {0, doc_count_};
    case Form::kList:
      return {list_.front(), list_.back() + 1};
    case Form::kBits: {
      std::size_t first = 0, last = bits_.size() - 1;
      while (bits_[first] == 0) ++first;
      while (bits_[last] == 0) --last;
      return {
          static_cast<std::uint32_t>(first * 64) + static_cast<std::uint32_t>(std::countr_zero(bits_[first])),
          static_cast<std::uint32_t>(last * 64 + 64) -
              static_cast<std::uint32_t>(std::countl_zero(bits_[last]))};
    }
  }
  return {};
}

void DocSet::AppendRange(std::uint32_t begin, std::uint32_t end, std::vector<std::uint32_t>& out) const {
  end = std::min(end, doc_count_);
  if (form_ == Form::kAll) {
    for (auto doc = begin; doc < end; ++doc) out.push_back(doc);
  } else if (form_ == Form::kList) {
    for (auto at = std::lower_bound(list_.begin(), list_.end(), begin); at != list_.end() && *at < end; ++at)
      out.push_back(*at);
  } else if (form_ == Form::kBits) {
    for (std::size_t word = begin / 64; word * 64 < end; ++word)
      for (auto bits = bits_[word]; bits != 0; bits &= bits - 1) {
        const auto doc =
            static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(std::countr_zero(bits));
        if (doc < end) out.push_back(doc);
      }
  }
}

std::vector<std::uint32_t> DocSet::ToVector() const {
  std::vector<std::uint32_t> docs;
  docs.reserve(size_);
  ForEach([&docs](std::uint32_t doc) { docs.push_back(doc); });
  return docs;
}

}  // namespace honryu::search
