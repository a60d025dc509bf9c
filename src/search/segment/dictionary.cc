#include "search/segment/dictionary.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/segment/byte_reader.h"

#include <algorithm>
#include <array>

namespace honryu::search {
namespace {

constexpr std::size_t kEntry = 28;
constexpr std::uint32_t kMaxPageBytes = 16u << 20;

constexpr std::uint32_t kColumns = 1u << 31;

bool IsDash(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

/// "00" to "ff".
constexpr auto kPairs = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = kDigits[i >> 4];
    pairs[2 * i + 1] = kDigits[i & 15];
  }
  return pairs;
}();

void Decode(BytesView coded, TermForm form, std::string& out) {
  const bool uuid = form == TermForm::kUuid;
  out.resize(coded.size() * 2 + (uuid ? 4 : 0));
  char* to = out.data();
  std::size_t length = 0;
  for (const char c : coded) {
    if (uuid && IsDash(length) && length < out.size()) to[length++] = '-';
    if (length + 2 > out.size()) break;  // a UUID of another length: the page is corrupt
    const auto pair = std::size_t{2} * static_cast<unsigned char>(c);
    to[length++] = kPairs[pair];
    to[length++] = kPairs[pair + 1];
  }
  out.resize(length);
}

/// Reads `count` varints off the front of *in. False when they are cut short.
bool TakeVarints(BytesView* in, std::uint32_t count, std::uint64_t* out) {
  std::uint32_t i = 0;
  // Eight of one byte at a time.
  for (; i + 8 <= count && in->size() >= 8; i += 8) {
    const auto bytes = codec::LoadU64(in->data());
    if ((bytes & 0x8080808080808080ULL) != 0) {
      for (std::uint32_t j = 0; j < 8; ++j)
        if (!codec::TakeVarint(in, &out[i + j])) return false;
      continue;
    }
    for (std::uint32_t j = 0; j < 8; ++j) out[i + j] = bytes >> (8 * j) & 0xff;
    in->remove_prefix(8);
  }
  for (; i < count; ++i)
    if (!codec::TakeVarint(in, &out[i])) return false;
  return true;
}

}  // namespace

Result<Dictionary> Dictionary::Open(BytesView bytes, Unpacker unpacker) {
  const auto broken = [] { return Error(ErrorCode::kCorrupt, "a dictionary does not hold together"); };
  ByteReader in(bytes);
  Dictionary dictionary;
  dictionary.unpacker_ = unpacker;
  dictionary.terms_ = in.U32();
  dictionary.pages_ = in.U32();
  dictionary.columns_ = (dictionary.pages_ & kColumns) != 0;
  dictionary.pages_ &= ~kColumns;
  if (dictionary.columns_) {
    const auto form = in.U8();
    if (form > static_cast<std::uint8_t>(TermForm::kUuid)) return broken();
    dictionary.form_ = static_cast<TermForm>(form);
  }
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

Dictionary::Page Dictionary::OpenPage(std::uint32_t page, Reading reading) const {
  const char* entry = directory_ + std::size_t{page} * kEntry;
  const auto size = codec::LoadU32(entry + 16), packed = codec::LoadU32(entry + 20);
  Page open;
  open.entry.ordinal = page * kPageTerms;
  open.entry.offset = codec::LoadU64(entry + 8);
  open.remaining = std::min(kPageTerms, terms_ - page * kPageTerms);
  open.columns = columns_;
  open.form = form_;
  open.left = blob_.substr(codec::LoadU64(entry), packed);
  if (packed != size) {
    open.unpacked = (reading == Reading::kLookup ? unpacker_ : Unpacker()).Unpack(open.left, size);
    open.left = open.unpacked != nullptr ? BytesView(*open.unpacked) : BytesView();
    if (open.unpacked == nullptr) open.remaining = 0;
  }
  if (columns_ && open.remaining > 0 && !open.OpenColumns()) open.remaining = 0;
  return open;
}

bool Dictionary::Page::OpenColumns() {
  for (auto& column : numbers) {
    if (left.empty()) return false;
    const bool constant = left[0] != 0;
    left.remove_prefix(1);
    if (!TakeVarints(&left, constant ? 1 : remaining, column.data())) return false;
    if (constant) std::fill_n(column.begin() + 1, remaining - 1, column[0]);
  }
  return true;
}

bool Dictionary::Page::NextInColumns() {
  const auto length = numbers[0][at], shared = numbers[1][at], docs = numbers[2][at];
  auto& text = form == TermForm::kPlain ? term : coded;
  if (shared > text.size() || shared > length || length - shared > left.size() || docs > UINT32_MAX)
    return false;
  text.resize(static_cast<std::size_t>(shared));
  text.append(left.substr(0, static_cast<std::size_t>(length - shared)));
  left.remove_prefix(static_cast<std::size_t>(length - shared));
  if (form != TermForm::kPlain) Decode(coded, form, term);
  entry.doc_count = static_cast<std::uint32_t>(docs);
  entry.length = numbers[3][at];
  ++at;
  return true;
}

bool Dictionary::Page::TermAt(std::uint32_t place, std::string* out) {
  if (place >= remaining) return false;
  std::array<std::size_t, kPageTerms> begins;  // of each term's own bytes
  std::uint64_t begin = 0, before = 0;
  for (std::uint32_t i = 0; i <= place; ++i) {
    const auto length = numbers[0][i], shared = numbers[1][i];
    if (shared > before || shared > length || length - shared > left.size() - begin) return false;
    begins[i] = static_cast<std::size_t>(begin);
    begin += length - shared;
    before = length;
  }
  // What a term shares stands with the last one before it that shares less.
  auto& text = form == TermForm::kPlain ? *out : coded;
  text.resize(static_cast<std::size_t>(numbers[0][place]));
  auto missing = numbers[0][place];
  for (auto i = place + 1; missing > 0 && i-- > 0;) {
    const auto shared = numbers[1][i];
    if (shared >= missing) continue;
    left.copy(text.data() + shared, static_cast<std::size_t>(missing - shared), begins[i]);
    missing = shared;
  }
  if (form != TermForm::kPlain) Decode(coded, form, *out);
  return true;
}

bool Dictionary::Page::Next() {
  if (remaining == 0) return false;
  --remaining;
  if (!first) {
    ++entry.ordinal;
    entry.offset += entry.length;
  }
  first = false;
  if (columns) {
    if (NextInColumns()) return true;
    remaining = 0;
    return false;
  }
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
  Page page = OpenPage(PageOf(term), Reading::kLookup);
  while (page.Next()) {
    const int order = BytesView(page.term).compare(term);
    if (order == 0) return page.entry;
    if (order > 0) break;
  }
  return std::nullopt;
}

std::string Dictionary::Term(std::uint32_t ordinal) const {
  if (ordinal >= terms_) return {};
  Page page = OpenPage(ordinal / kPageTerms, Reading::kLookup);
  if (columns_) {
    std::string term;
    if (!page.TermAt(ordinal % kPageTerms, &term)) term.clear();
    return term;
  }
  while (page.Next())
    if (page.entry.ordinal == ordinal) return std::move(page.term);
  return {};
}

std::uint32_t Dictionary::LowerBound(BytesView term) const {
  if (pages_ == 0) return 0;
  const auto at = PageOf(term);
  Page page = OpenPage(at, Reading::kLookup);
  while (page.Next())
    if (BytesView(page.term) >= term) return page.entry.ordinal;
  return std::min(terms_, (at + 1) * kPageTerms);
}

}  // namespace honryu::search
