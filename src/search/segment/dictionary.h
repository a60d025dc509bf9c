#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "search/segment/unpacked_blocks.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// What the dictionary says of a term.
struct TermEntry {
  std::uint32_t ordinal = 0;    ///< Rank among the sorted terms.
  std::uint32_t doc_count = 0;  ///< Length of the posting list.
  std::uint64_t offset = 0;     ///< Of its postings in the postings section.
  std::uint64_t length = 0;
};

/// How a dictionary keeps its terms. On disk: never renumber.
enum class TermForm : std::uint8_t {
  kPlain = 0,
  kHex = 1,   ///< Lower-case hexadecimal of an even number of digits, two digits a byte.
  kUuid = 2,  ///< Lower-case 8-4-4-4-12, as 16 bytes.
};
/// Reads a dictionary. Thread-safe; looking a term up unpacks one page.
class Dictionary {
 public:
  static Result<Dictionary> Open(BytesView bytes, Unpacker unpacker = {});
  Dictionary() = default;

  std::uint32_t size() const { return terms_; }
  std::optional<TermEntry> Find(BytesView term) const;
  /// The term of an ordinal < size(); empty when its page is corrupt.
  std::string Term(std::uint32_t ordinal) const;
  /// First ordinal whose term is >= `term` (size() when there is none).
  std::uint32_t LowerBound(BytesView term) const;
  /// Calls visit(term, entry) from ordinal `from` on, until it returns false. A corrupt page ends it.
  template <class Visit>
  void Scan(std::uint32_t from, Visit&& visit) const {
    for (std::uint32_t page = from / kPageTerms; page < pages_; ++page) {
      Page open = OpenPage(page, Reading::kScan);
      while (open.Next())
        if (open.entry.ordinal >= from && !visit(BytesView(open.term), open.entry)) return;
    }
  }

  static constexpr std::uint32_t kPageTerms = 128;

 private:
  friend class DictionaryWalker;
  struct Page {
    std::shared_ptr<const std::string> unpacked;  // shared: with those who keep it; `left` looks into it
    BytesView left;
    std::string term;
    TermEntry entry;
    std::uint32_t remaining = 0;
    bool first = true;
    // Since version 2.
    bool columns = false;
    TermForm form = TermForm::kPlain;
    std::uint32_t at = 0;  ///< The next term's place in the columns.
    /// Bytes of each term in its form, of which shared, documents, postings bytes.
    std::array<std::array<std::uint64_t, 128>, 4> numbers;
    std::string coded;  ///< The term in its form, unless it is plain.
    bool Next();

   private:
    friend class Dictionary;
    bool OpenColumns();
    bool NextInColumns();
    /// The `place`-th term of a page of columns, without those before it; false when the page is corrupt.
    bool TermAt(std::uint32_t place, std::string* out);
  };
  /// Pages that are looked up are kept unpacked; those of a scan are not.
  enum class Reading : std::uint8_t { kLookup, kScan };
  Page OpenPage(std::uint32_t page, Reading reading) const;
  BytesView FirstTerm(std::uint32_t page) const;
  /// The page that holds `term` if any does.
  std::uint32_t PageOf(BytesView term) const;

  std::uint32_t terms_ = 0, pages_ = 0;
  bool columns_ = false;
  TermForm form_ = TermForm::kPlain;
  const char* directory_ = nullptr;
  BytesView first_terms_, blob_;
  Unpacker unpacker_;
};

/// Walks all terms of a dictionary, which must outlive it.
class DictionaryWalker {
 public:
  explicit DictionaryWalker(const Dictionary& dictionary) : dictionary_(dictionary) {}
  /// False at the end, and where a page is corrupt.
  bool Next() {
    while (!page_ || !page_->Next()) {
      if (next_page_ >= dictionary_.pages_) return false;
      page_ = dictionary_.OpenPage(next_page_++, Dictionary::Reading::kScan);
    }
    return true;
  }
  BytesView term() const { return page_->term; }
  const TermEntry& entry() const { return page_->entry; }

 private:
  const Dictionary& dictionary_;
  std::uint32_t next_page_ = 0;
  std::optional<Dictionary::Page> page_;
};

}  // namespace honryu::search
