#include "search/segment/doc_index.h"

#include "honryu/codec/endian.h"
#include "search/segment/byte_reader.h"

#include <bit>
#include <vector>

namespace honryu::search {
namespace {

constexpr std::uint32_t kWordsPerRank = 8;

}  // namespace

void DocIndex::Append(std::span<const std::uint32_t> docs, std::uint32_t doc_count, std::string& out) {
  std::size_t present = docs.empty() ? 0 : 1;
  for (std::size_t i = 1; i < docs.size(); ++i) present += docs[i] != docs[i - 1] ? 1 : 0;
  const bool several = present != docs.size();
  const auto once = [&](std::size_t i) { return i == 0 || docs[i] != docs[i - 1]; };
  const Form form = !several && present == doc_count ? kEvery : present < doc_count / 32 ? kList : kBitmap;
  out += static_cast<char>(form);
  out += static_cast<char>(several);
  codec::AppendU32(out, static_cast<std::uint32_t>(present));
  if (form == kList) {
    for (std::size_t i = 0; i < docs.size(); ++i)
      if (once(i)) codec::AppendU32(out, docs[i]);
  } else if (form == kBitmap) {
    std::vector<std::uint64_t> words((doc_count + 63) / 64);
    for (const auto doc : docs) words[doc / 64] |= 1ULL << (doc % 64);
    for (const auto word : words) codec::AppendU64(out, word);
    std::uint32_t rank = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i % kWordsPerRank == 0) codec::AppendU32(out, rank);
      rank += static_cast<std::uint32_t>(std::popcount(words[i]));
    }
  }
  if (!several) return;
  std::vector<std::int64_t> starts;
  starts.reserve(present + 1);
  for (std::size_t i = 0; i < docs.size(); ++i)
    if (once(i)) starts.push_back(static_cast<std::int64_t>(i));
  starts.push_back(static_cast<std::int64_t>(docs.size()));
  PackedInts::Append(starts, out);
}

Result<DocIndex> DocIndex::Open(BytesView bytes, std::uint32_t doc_count) {
  const auto broken = [] {
    return Error(ErrorCode::kCorrupt, "a column's document index does not hold together");
  };
  ByteReader in(bytes);
  DocIndex index;
  const auto form = in.U8();
  index.several_ = in.U8() != 0;
  index.present_ = in.U32();
  index.doc_count_ = doc_count;
  if (!in.ok() || form > kList || index.present_ > doc_count) return broken();
  index.form_ = static_cast<Form>(form);
  if (index.form_ == kEvery && (index.several_ || index.present_ != doc_count)) return broken();
  if (index.form_ == kList) {
    index.words_ = in.View(4ULL * index.present_).data();
    for (std::uint32_t i = 0; in.ok() && i < index.present_; ++i) {
      const auto doc = codec::LoadU32(index.words_ + 4ULL * i);
      if (doc >= doc_count || (i > 0 && doc <= codec::LoadU32(index.words_ + 4ULL * (i - 1))))
        return broken();
    }
  } else if (index.form_ == kBitmap) {
    const std::uint64_t words = (doc_count + 63ULL) / 64;
    index.words_ = in.View(8 * words).data();
    index.ranks_ = in.View(4 * ((words + kWordsPerRank - 1) / kWordsPerRank)).data();
    if (!in.ok()) return broken();
    std::uint32_t rank = 0;
    for (std::uint64_t i = 0; i < words; ++i) {
      if (i % kWordsPerRank == 0 && codec::LoadU32(index.ranks_ + i / kWordsPerRank * 4) != rank)
        return broken();
      rank += static_cast<std::uint32_t>(std::popcount(codec::LoadU64(index.words_ + i * 8)));
    }
    const bool beyond =
        doc_count % 64 != 0 && codec::LoadU64(index.words_ + (words - 1) * 8) >> (doc_count % 64) != 0;
    if (rank != index.present_ || beyond) return broken();
  }
  if (!in.ok()) return broken();
  index.byte_size_ = bytes.size() - in.left();
  if (!index.several_) return index;
  HONRYU_TRY(index.starts_, PackedInts::Open(in.rest()));
  index.byte_size_ += index.starts_.byte_size();
  if (index.starts_.size() != index.present_ + 1ULL) return broken();
  const auto starts = index.starts_.DecodeAll();
  for (std::size_t i = 0; i < starts.size(); ++i)
    if (starts[i] < 0 || starts[i] > UINT32_MAX || (i > 0 && starts[i] <= starts[i - 1])) return broken();
  if (starts[0] != 0) return broken();
  return index;
}

bool DocIndex::Rank(std::uint32_t doc, std::size_t* rank) const {
  if (form_ == kBitmap && (codec::LoadU64(words_ + 8ULL * (doc / 64)) >> (doc % 64) & 1) == 0) return false;
  *rank = Before(doc);
  return form_ == kBitmap || (*rank < present_ && codec::LoadU32(words_ + 4ULL * *rank) == doc);
}

std::uint32_t DocIndex::Before(std::uint32_t doc) const {
  if (doc == 0) return 0;
  if (doc >= doc_count_) return present_;
  if (form_ == kEvery) return doc;
  if (form_ == kList) {
    std::uint32_t low = 0, high = present_;
    while (low < high) {
      const auto middle = low + (high - low) / 2;
      if (codec::LoadU32(words_ + 4ULL * middle) < doc)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }
  const std::uint32_t word = doc / 64;
  auto before = codec::LoadU32(ranks_ + 4ULL * (word / kWordsPerRank));
  for (auto w = word / kWordsPerRank * kWordsPerRank; w < word; ++w)
    before += static_cast<std::uint32_t>(std::popcount(codec::LoadU64(words_ + 8ULL * w)));
  const auto bits = codec::LoadU64(words_ + 8ULL * word) & ((1ULL << (doc % 64)) - 1);
  return before + static_cast<std::uint32_t>(std::popcount(bits));
}

std::uint32_t DocIndex::DocAt(std::uint32_t i, std::uint32_t from) const {
  if (form_ == kList) return codec::LoadU32(words_ + 4ULL * i);
  for (std::uint32_t word = from / 64; word < (doc_count_ + 63) / 64; ++word) {
    auto bits = codec::LoadU64(words_ + 8ULL * word);
    if (word == from / 64) bits &= ~0ULL << (from % 64);
    if (bits != 0) return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
  }
  return UINT32_MAX;
}

}  // namespace honryu::search
