#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/search/analyzer.h"
#include "search/segment/column.h"
#include "search/segment/dictionary.h"
#include "search/segment/postings.h"
#include "search/segment/segment_file.h"
#include "search/segment/source_blocks.h"

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
  Dictionary terms;
  BytesView postings;
  PackedInts lengths;
  std::uint64_t tokens = 0;

  PostingsCursor Open(const TermEntry& term) const;
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

/// A field in one segment, with a column for each type that its values have.
struct SegmentField {
  std::string name;
  std::optional<Column> longs, doubles, booleans, dates;
  std::optional<KeywordColumn> keywords;
  std::optional<TextColumn> text;
};

/// An immutable segment over its file's bytes. Thread-safe.
class Segment {
 public:
  /// `bytes` keeps the file mapped. kCorrupt when it does not hold together (with `verify`: or a checksum is
  /// wrong); kFailedPrecondition when it is of a newer format.
  static Result<std::shared_ptr<const Segment>> Open(Bytes bytes, bool verify);

  std::uint32_t doc_count() const { return doc_count_; }
  std::int64_t min_time() const { return min_time_; }
  std::int64_t max_time() const { return max_time_; }
  std::size_t byte_size() const { return bytes_.size(); }
  /// Null pointer when no document has it.
  const SegmentField* Find(std::string_view name) const;
  const std::vector<SegmentField>& fields() const { return fields_; }
  const SourceBlocks& source() const { return source_; }
  BytesView bytes() const { return bytes_; }
  /// "_id" of a document: the client's, or "shard:sequence[:part]".
  std::string Id(std::uint32_t doc) const;

 private:
  Segment() = default;
  Result<void> OpenField(const SegmentFile& file, std::uint32_t number);

  Bytes bytes_;
  std::uint32_t doc_count_ = 0;
  std::int64_t min_time_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_time_ = std::numeric_limits<std::int64_t>::min();
  std::vector<SegmentField> fields_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  SourceBlocks source_;
};

}  // namespace honryu::search
