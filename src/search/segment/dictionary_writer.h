#pragma once

#include "search/segment/dictionary.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace honryu::search {

/// The narrowest form that fits all terms. Both orders are the same: byte order of the terms.
TermForm FormOf(std::span<const BytesView> terms);

/// Writes sorted terms with their postings' places. Pages of 128 terms, front-coded, zstd where it pays.
///
///   u32 terms, u32 pages | 2^31 (version 1: without 2^31 and without form), u8 form | per page: u64 offset,
///   u64 postings offset, u32 size, u32 packed size, u32 first term's offset | u32 bytes of first terms |
///   first terms (varint length, bytes; as they are) | pages
///   page: four columns (bytes of the term in its form, of which shared with the one before, documents,
///   postings bytes): u8 1 and a varint that all have, or 0 and a varint each | bytes not shared, one term
///   after the other
///   page of version 1: per term: varint shared, varint rest, bytes, varint documents, varint postings bytes
class DictionaryWriter {
 public:
  explicit DictionaryWriter(TermForm form = TermForm::kPlain, bool pack = true)
      : form_(form), pack_(pack && form == TermForm::kPlain) {}
  /// Terms come in rising byte order; `postings_bytes` is what the term's list took.
  void Add(BytesView term, std::uint32_t doc_count, std::uint64_t postings_bytes);
  void Finish(std::string& out);

 private:
  void OpenPage(BytesView first);
  void ClosePage();
  TermForm form_;
  bool pack_;
  std::uint32_t terms_ = 0, pages_ = 0;
  std::uint32_t first_offset_ = 0;
  std::uint64_t postings_ = 0;
  std::string last_, coded_;   // the term before, and the one that comes, in their form
  std::size_t last_size_ = 0;  // what of last_ counts
  std::string suffixes_, page_, directory_, first_terms_, blob_;
  std::uint32_t in_page_ = 0;
  std::array<std::array<std::uint64_t, Dictionary::kPageTerms>, 4> columns_{};
};

}  // namespace honryu::search
