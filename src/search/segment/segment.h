#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/search/analyzer.h"
#include "search/segment/column.h"
#include "search/segment/dictionary.h"
#include "search/segment/postings.h"
#include "search/segment/segment_file.h"
#include "search/segment/source_blocks.h"

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// Fields that the store adds to every document.
inline constexpr std::string_view kTimeField = "_time";          ///< Event time, ms.
inline constexpr std::string_view kShardField = "_shard";        ///< Name of the shard.
inline constexpr std::string_view kSequenceField = "_sequence";  ///< Position in the shard.
inline constexpr std::string_view kPartField = "_part";  ///< Number within an aggregated record, if not 0.
inline constexpr std::string_view kIdField = "_id";      ///< Only when the client gave one.
/// Instead of kIdField: dotted name of the document's own string that is its id, which is not stored twice.
inline constexpr std::string_view kIdPathField = "_id_path";

/// The analysed view of a field in one segment.
struct TextColumn {
  AnalyzerKind analyzer = AnalyzerKind::kStandard;
  bool by_ordinal = false;
  bool is_exact = false;  ///< Each value is its only token: `terms` are those of the exact view.
  Dictionary terms;
  BytesView postings;
  PackedInts lengths;
  std::uint64_t tokens = 0;

  PostingsCursor Open(const TermEntry& term) const;
  /// A term's stored list; not of an exact view, which stores none.
  BytesView List(const TermEntry& term) const;
};

/// The exact view of a string field in one segment. Thread-safe.
struct KeywordColumn {
  Column ordinals;
  Dictionary terms;
  BytesView postings;
  /// Documents with values too long for the dictionary; these values are read from the source.
  std::vector<std::uint32_t> overlong;

  PostingsCursor Open(const TermEntry& term) const;
  /// Values that corruption made too large become size(), a valid index of arrays of size() + 1.
  std::uint32_t Ordinal(std::size_t value) const {
    const auto ordinal = static_cast<std::uint64_t>(ordinals.values().Get(value));
    return ordinal < terms.size() ? static_cast<std::uint32_t>(ordinal) : terms.size();
  }
};

/// Strings that are different in almost every document (ids, messages) are not stored a second time in its
/// source: there a byte from here on stands for the first exact string that the document has in the field of
/// that number (kDetached). No JSON text has such bytes.
inline constexpr char kDetachedMark = 1;
inline constexpr std::size_t kMaxDetached = 8;

/// A field in one segment, with a column for each type that its values have.
struct SegmentField {
  std::string name;
  std::optional<Column> longs, doubles, booleans, dates;
  std::optional<KeywordColumn> keywords;
  std::optional<TextColumn> text;
};

/// When the checksums of a segment's sections are compared.
enum class Checking : std::uint8_t {
  kNow,       ///< All of them before it is opened.
  kWhenUsed,  ///< Those of a field when it is first looked for, that of the sources when one is first read.
  kNever,     ///< It was built in this process's memory.
};

/// An immutable segment over its file's bytes. Thread-safe.
class Segment {
 public:
  /// `bytes` keeps the file mapped, and `torn` (of a mapped file; lives as long as they) becomes true when a
  /// part of it could not be read. kCorrupt when it does not hold together (with kNow: or a checksum is
  /// wrong); kFailedPrecondition when it is of a newer format.
  /// What it unpacks is kept in `unpacked`, if that is given.
  static Result<std::shared_ptr<const Segment>> Open(Bytes bytes, Checking checking,
                                                     std::shared_ptr<UnpackedBlocks> unpacked = nullptr,
                                                     const std::atomic<bool>* torn = nullptr);
  ~Segment();

  std::uint32_t doc_count() const { return doc_count_; }
  /// Different for each segment that this process opens.
  std::uint64_t number() const { return number_; }
  std::int64_t min_time() const { return min_time_; }
  std::int64_t max_time() const { return max_time_; }
  /// A checksum was found to be wrong (kWhenUsed), a part of its file could not be read, or the file was cut
  /// short: what was read from it since it was opened may be wrong, too, and is to be thrown away.
  bool damaged() const { return damaged_.load(std::memory_order_acquire) || (torn_ != nullptr && Torn()); }
  /// What damaged() found.
  std::string_view damage() const {
    return torn_ != nullptr && Torn() ? "the file was cut short, or a part of it cannot be read"
                                      : "a checksum is wrong";
  }
  std::size_t byte_size() const { return bytes_.size(); }
  /// Of its directory, which holds the checksums of all sections.
  std::uint32_t checksum() const { return checksum_; }
  /// Null pointer when no document has it.
  const SegmentField* Find(std::string_view name) const;
  /// All fields, of which only the names are checked: call Use before reading anything else of one.
  const std::vector<SegmentField>& fields() const { return fields_; }
  /// Compares the checksums of a field of fields(), the first time.
  void Use(const SegmentField& field) const { Check(static_cast<std::size_t>(&field - fields_.data())); }
  /// Documents as they are stored, without what Source puts back.
  const SourceBlocks& source() const {
    Check(fields_.size());
    return source_;
  }
  /// What a reader keeps: the last block, and the last document made whole.
  struct SourceCache {
    SourceBlocks::Cache block;
    std::string whole;
  };
  /// The document, byte for byte as it came; valid until `cache` is used again. kCorrupt when it cannot be
  /// read.
  Result<BytesView> Source(std::uint32_t doc, SourceCache& cache) const;
  /// Fields whose strings are kept in their dictionary only: see kDetached.
  const std::vector<std::string>& detached() const { return detached_; }
  BytesView bytes() const { return bytes_; }
  /// "_id" of a document: the client's, or "shard:sequence[:part]".
  std::string Id(std::uint32_t doc) const;

 private:
  Segment() = default;
  Result<void> OpenField(const SegmentFile& file, std::uint32_t number);
  void Check(std::size_t place) const {
    if (unchecked_ != nullptr && unchecked_[place].load(std::memory_order_acquire)) CompareChecksums(place);
  }
  void CompareChecksums(std::size_t place) const;
  /// A file that was cut short has lost its end, or zeros stand there in the last page that it still has.
  bool Torn() const;

  /// A section of the field at `place`, or of the sources behind the last field.
  struct Part {
    std::size_t place = 0;
    BytesView bytes;
    std::uint32_t crc = 0;
  };

  Bytes bytes_;
  const std::atomic<bool>* torn_ = nullptr;   ///< Of a mapped file.
  std::shared_ptr<UnpackedBlocks> unpacked_;  // shared: searches keep segments longer than the store lives
  Unpacker unpacker_;
  std::vector<Part> parts_;                         ///< By place; empty unless kWhenUsed.
  std::unique_ptr<std::atomic<bool>[]> unchecked_;  ///< By place; null unless kWhenUsed.
  mutable std::atomic<bool> damaged_{false};
  std::uint64_t number_ = 0;
  std::uint32_t doc_count_ = 0, checksum_ = 0;
  std::int64_t min_time_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_time_ = std::numeric_limits<std::int64_t>::min();
  std::vector<SegmentField> fields_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  SourceBlocks source_;
  std::vector<std::string> detached_;
};

}  // namespace honryu::search
