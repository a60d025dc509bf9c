#include "search/segment/dictionary_writer.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/segment/byte_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace honryu::search {
namespace {

constexpr std::uint32_t kColumns = 1u << 31;
constexpr std::size_t kUuid = 36;

/// The value of a lower-case hexadecimal digit, 0xff for anything else.
constexpr std::array<std::uint8_t, 256> kDigit = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(0xff);
  for (unsigned i = 0; i < 10; ++i) digits['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) digits['a' + i] = static_cast<std::uint8_t>(10 + i);
  return digits;
}();
std::uint8_t Digit(char c) { return kDigit[static_cast<unsigned char>(c)]; }
constexpr bool IsDash(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

bool AllDigits(const char* p, std::size_t n) {
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < n; ++i) seen |= Digit(p[i]);
  return seen < 0x80;
}
bool FitsHex(BytesView term) { return term.size() % 2 == 0 && AllDigits(term.data(), term.size()); }
bool FitsUuid(BytesView term) {
  const char* p = term.data();
  return term.size() == kUuid && p[8] == '-' && p[13] == '-' && p[18] == '-' && p[23] == '-' &&
         AllDigits(p, 8) && AllDigits(p + 9, 4) && AllDigits(p + 14, 4) && AllDigits(p + 19, 4) &&
         AllDigits(p + 24, 12);
}

/// A term that fits the form, two digits a byte.
void Encode(BytesView term, TermForm form, std::string& out) {
  const bool uuid = form == TermForm::kUuid;
  out.resize((term.size() - (uuid ? 4 : 0)) / 2);
  char* to = out.data();
  for (std::size_t i = 0; i < term.size(); i += 2) {
    if (uuid && IsDash(i)) ++i;  // a group has an even number of digits, so a dash is met here
    *to++ = static_cast<char>(Digit(term[i]) << 4 | Digit(term[i + 1]));
  }
}

std::size_t SharedPrefix(const char* a, const char* b, std::size_t most) {
  std::size_t shared = 0;
  for (; shared + 8 <= most; shared += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, a + shared, 8);
    std::memcpy(&y, b + shared, 8);
    if (x != y) return shared + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8;
  }
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

}  // namespace

TermForm FormOf(std::span<const BytesView> terms) {
  constexpr std::size_t kAhead = 8;  // their bytes stand anywhere
  const auto all = [&](bool (*fits)(BytesView)) {
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (i + kAhead < terms.size()) __builtin_prefetch(terms[i + kAhead].data());
      if (!fits(terms[i])) return false;
    }
    return !terms.empty();
  };
  if (all(FitsUuid)) return TermForm::kUuid;
  return all(FitsHex) ? TermForm::kHex : TermForm::kPlain;
}

void DictionaryWriter::OpenPage(BytesView first) {
  ClosePage();
  codec::AppendU64(directory_, blob_.size());
  codec::AppendU64(directory_, postings_);
  first_offset_ = static_cast<std::uint32_t>(first_terms_.size());
  AppendString(first_terms_, first);
  last_size_ = 0;
  ++pages_;
}

void DictionaryWriter::Add(BytesView term, std::uint32_t doc_count, std::uint64_t postings_bytes) {
  if (terms_ % Dictionary::kPageTerms == 0) OpenPage(term);
  if (form_ != TermForm::kPlain) {
    Encode(term, form_, coded_);
    term = coded_;
  }
  const auto shared = SharedPrefix(last_.data(), term.data(), std::min(last_size_, term.size()));
  columns_[0][in_page_] = term.size();
  columns_[1][in_page_] = shared;
  columns_[2][in_page_] = doc_count;
  columns_[3][in_page_] = postings_bytes;
  ++in_page_;
  suffixes_.append(term.substr(shared));
  if (last_.size() < term.size()) last_.resize(2 * term.size());
  std::memcpy(last_.data() + shared, term.data() + shared, term.size() - shared);
  last_size_ = term.size();
  postings_ += postings_bytes;
  ++terms_;
}

void DictionaryWriter::ClosePage() {
  if (in_page_ == 0) return;
  for (const auto& column : columns_) {
    const auto end = column.begin() + in_page_;
    const bool constant = std::all_of(column.begin(), end, [&](auto n) { return n == column[0]; });
    page_ += static_cast<char>(constant);
    for (auto at = column.begin(); at != (constant ? column.begin() + 1 : end); ++at)
      codec::AppendVarint(page_, *at);
  }
  in_page_ = 0;
  page_ += suffixes_;
  suffixes_.clear();
  // A page that shrinks by less than an eighth is not worth unpacking at every look-up; digits packed two to
  // a byte never do.
  auto packed =
      pack_ ? codec::Compress(codec::Compression::kZstd, page_) : Result<std::string>(std::string());
  const bool pays = pack_ && packed.ok() && packed->size() < page_.size() - page_.size() / 8;
  codec::AppendU32(directory_, static_cast<std::uint32_t>(page_.size()));
  codec::AppendU32(directory_, static_cast<std::uint32_t>(pays ? packed->size() : page_.size()));
  codec::AppendU32(directory_, first_offset_);
  blob_ += pays ? *packed : page_;
  page_.clear();
}

void DictionaryWriter::Finish(std::string& out) {
  ClosePage();
  codec::AppendU32(out, terms_);
  codec::AppendU32(out, pages_ | kColumns);
  out += static_cast<char>(form_);
  out += directory_;
  codec::AppendU32(out, static_cast<std::uint32_t>(first_terms_.size()));
  out += first_terms_;
  out += blob_;
  *this = DictionaryWriter(form_, pack_);
}

}  // namespace honryu::search
