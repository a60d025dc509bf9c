#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace honryu::search {

/// Parts of a segment file. On disk: never renumber.
enum class SectionKind : std::uint8_t {
  kSource = 1,
  kLongs = 2,
  kDoubles = 3,
  kBooleans = 4,
  kDates = 5,
  kKeywordOrdinals = 6,
  kKeywordTerms = 7,
  kKeywordPostings = 8,
  kOverlong = 9,  ///< Documents with strings too long for the exact column: u32 each, rising.
  kTextTerms = 10,
  kTextPostings = 11,
  kTextLengths = 12,  ///< Tokens of each target: PackedInts.
  kDetached = 13,     ///< Names of the fields that sources refer to: varint length and bytes each.
};

/// A field as the directory knows it.
struct FieldEntry {
  std::string name;
  std::uint8_t analyzer = kNoText;
  bool text_by_ordinal = false;  ///< Text postings name keyword ordinals instead of documents.
  /// Each value is one token, itself: the text view is the exact one, and has no sections but the lengths.
  bool text_is_exact = false;
  std::uint64_t text_tokens = 0;  ///< Over all documents.
  static constexpr std::uint8_t kNoText = 255;
};

/// Field number of the sections that belong to no field.
inline constexpr std::uint32_t kNoField = UINT32_MAX;
inline constexpr std::uint32_t kSegmentVersion = 2;  ///< 1 is read, too.

/// Builds the bytes of a segment file:
///   "HYSEGMT\n" | sections, each at a multiple of 8 | directory | u64 directory offset, u32 directory bytes,
///   u32 CRC-32C of the directory, u32 version, u32 least version of a reader, "HYSEGMT\n"
///   directory: varint documents, fields, then sections (see the .cc)
class SegmentFileWriter {
 public:
  /// `pack_terms`: dictionaries are compressed where it pays; false for what is soon merged.
  /// `expected`: bytes that the file will have, about.
  explicit SegmentFileWriter(bool pack_terms = true, std::size_t expected = 0);
  bool pack_terms() const { return pack_terms_; }
  std::uint32_t AddField(FieldEntry field);
  /// A section of `bytes` with `more` behind them.
  void AddSection(SectionKind kind, std::uint32_t field, BytesView bytes, BytesView more = {});
  std::string Finish(std::uint32_t doc_count);

 private:
  struct Section {
    SectionKind kind;
    std::uint32_t field;
    std::uint64_t offset, size;
    std::uint32_t crc;
  };
  const bool pack_terms_;
  std::string out_;
  std::vector<FieldEntry> fields_;
  std::vector<Section> sections_;
};

/// Whether the last bytes are those of a segment file: one that was cut short has others.
bool EndsAsWritten(BytesView bytes);

/// The parts of a segment file. The directory's checksum is always compared; `verify`: those of the sections,
/// too (reads the whole file once).
struct SegmentFile {
  std::uint32_t doc_count = 0;
  std::uint32_t checksum = 0;  ///< Of the directory, which holds those of the sections.
  std::vector<FieldEntry> fields;
  std::map<std::pair<std::uint32_t, SectionKind>, BytesView> sections;
  std::map<std::pair<std::uint32_t, SectionKind>, std::uint32_t> checksums;  ///< CRC-32C, of each section.

  static Result<SegmentFile> Open(BytesView bytes, bool verify);
  /// Empty view with null data when there is none.
  BytesView Find(SectionKind kind, std::uint32_t field) const;
};

}  // namespace honryu::search
