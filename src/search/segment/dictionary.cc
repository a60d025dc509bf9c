#include "search/segment/dictionary.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/segment/byte_reader.h"

#include <algorithm>

namespace honryu::search {
namespace {

constexpr std::size_t kEntry = 28;
constexpr std::uint32_t kMaxPageBytes = 16u << 20;

std::size_t SharedPrefix(BytesView a, BytesView b) {
  const std::size_t most = std::min(a.size(), b.size());
  std::size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

}  // namespace

void DictionaryWriter::Add(BytesView term, std::uint32_t doc_count, std::uint64_t postings_bytes) {
  if (terms_ % Dictionary::kPageTerms == 0) {
    ClosePage();
    codec::AppendU64(directory_, blob_.size());
    codec::AppendU64(directory_, postings_);
    first_offset_ = static_cast<std::uint32_t>(first_terms_.size());
    AppendString(first_terms_, term);
    last_.clear();
    ++pages_;
  }
  const auto shared = SharedPrefix(last_, term);
  codec::AppendVarint(page_, shared);
  AppendString(page_, term.substr(shared));
  codec::AppendVarint(page_, doc_count);
  codec::AppendVarint(page_, postings_bytes);
  last_.assign(term);
  postings_ += postings_bytes;
  ++terms_;
}

void DictionaryWriter::ClosePage() {
  if (page_.empty()) return;
  // A page that shrinks by less than an eighth is not worth unpacking at every look-up.
  auto packed = codec::Compress(codec::Compression::kZstd, page_);
  const bool pays = packed.ok() && packed->size() < page_.size() - page_.size() / 8;
  codec::AppendU32(directory_, static_cast<std::uint32_t>(page_.size()));
  codec::AppendU32(directory_, static_cast<std::uint32_t>(pays ? packed->size() : page_.size()));
  codec::AppendU32(directory_, first_offset_);
  blob_ += pays ? *packed : page_;
  page_.clear();
}

void DictionaryWriter::Finish(std::string& out) {
  ClosePage();
  codec::AppendU32(out, terms_);
  codec::AppendU32(out, pages_);
  out += directory_;
  codec::AppendU32(out, static_cast<std::uint32_t>(first_terms_.size()));
  out += first_terms_;
  out += blob_;
  *this = DictionaryWriter();
}

Result<Dictionary> Dictionary::Open(BytesView bytes) {
  const auto broken = [] { return Error(ErrorCode::kCorrupt, "a dictionary does not hold together"); };
  ByteReader in(bytes);
  Dictionary dictionary;
  dictionary.terms_ = in.U32();
  dictionary.pages_ = in.U32();
  if ((dictionary.terms_ + std::uint64_t{kPageTerms} - 1) / kPageTerms != dictionary.pages_) return broken();
  dictionary.directory_ = in.View(dictionary.pages_ * std::uint64_t{kEntry}).data();
  dictionary.first_terms_ = in.View(in.U32());
  dictionary.blob_ = in.rest();
  if (!in.ok()) return broken();
  for (std::uint32_t page = 0; page < dictionary.pages_; ++page) {
    ByteReader entry(BytesView(dictionary.directory_ + std::size_t{page} * kEntry, kEntry));
    const auto offset = entry.U64();
    entry.U64();
    const auto size = entry.U32(), packed = entry.U32(), first = entry.U32();
    const auto room = dictionary.blob_.size();
    if (offset > room || packed > room - offset || packed > size || size > kMaxPageBytes) return broken();
    if (first > dictionary.first_terms_.size()) return broken();
    ByteReader term(dictionary.first_terms_.substr(first));
    term.String();
    if (!term.ok()) return broken();
  }
  return dictionary;
}

BytesView Dictionary::FirstTerm(std::uint32_t page) const {
  const auto first = codec::LoadU32(directory_ + std::size_t{page} * kEntry + 24);
  return ByteReader(first_terms_.substr(first)).String();
}

Dictionary::Page Dictionary::OpenPage(std::uint32_t page) const {
  const char* entry = directory_ + std::size_t{page} * kEntry;
  const auto size = codec::LoadU32(entry + 16), packed = codec::LoadU32(entry + 20);
  Page open;
  open.entry.ordinal = page * kPageTerms;
  open.entry.offset = codec::LoadU64(entry + 8);
  open.remaining = std::min(kPageTerms, terms_ - page * kPageTerms);
  open.left = blob_.substr(codec::LoadU64(entry), packed);
  if (packed == size) return open;
  auto unpacked = codec::Decompress(codec::Compression::kZstd, open.left, size);
  if (!unpacked.ok()) {
    open.remaining = 0;
    return open;
  }
  open.unpacked = std::make_shared<const std::string>(std::move(*unpacked));
  open.left = *open.unpacked;
  return open;
}

bool Dictionary::Page::Next() {
  if (remaining == 0) return false;
  --remaining;
  if (!first) {
    ++entry.ordinal;
    entry.offset += entry.length;
  }
  first = false;
  ByteReader in(left);
  const auto shared = in.Varint();
  const auto rest = in.String();
  const auto docs = in.Varint();
  entry.length = in.Varint();
  if (!in.ok() || shared > term.size() || docs > UINT32_MAX) {
    remaining = 0;
    return false;
  }
  term.resize(static_cast<std::size_t>(shared));
  term.append(rest);
  entry.doc_count = static_cast<std::uint32_t>(docs);
  left = in.rest();
  return true;
}

std::uint32_t Dictionary::PageOf(BytesView term) const {
  std::uint32_t low = 0, high = pages_;  // the last page whose first term is <= term
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (FirstTerm(middle) <= term)
      low = middle + 1;
    else
      high = middle;
  }
  return low == 0 ? 0 : low - 1;
}

std::optional<TermEntry> Dictionary::Find(BytesView term) const {
  if (pages_ == 0) return std::nullopt;
  Page page = OpenPage(PageOf(term));
  while (page.Next()) {
    const int order = BytesView(page.term).compare(term);
    if (order == 0) return page.entry;
    if (order > 0) break;
  }
  return std::nullopt;
}

std::string Dictionary::Term(std::uint32_t ordinal) const {
  if (ordinal >= terms_) return {};
  Page page = OpenPage(ordinal / kPageTerms);
  while (page.Next())
    if (page.entry.ordinal == ordinal) return std::move(page.term);
  return {};
}

std::uint32_t Dictionary::LowerBound(BytesView term) const {
  if (pages_ == 0) return 0;
  const auto at = PageOf(term);
  Page page = OpenPage(at);
  while (page.Next())
    if (BytesView(page.term) >= term) return page.entry.ordinal;
  return std::min(terms_, (at + 1) * kPageTerms);
}

}  // namespace honryu::search
