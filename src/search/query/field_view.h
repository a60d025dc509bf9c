#pragma once

#include "search/query/doc_set.h"
#include "search/query/query.h"
#include "search/segment/segment.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// A field of one segment under the name that a query used.
struct FieldView {
  const SegmentField* field = nullptr;
  std::string_view path;  ///< Where its values stand in the source.
  bool analysed = false;  ///< True: strings are matched by their tokens.

  /// The same field by its whole values.
  FieldView Exact() const { return {field, path, false}; }
  const TextColumn* text() const { return analysed && field->text ? &*field->text : nullptr; }
  const KeywordColumn* exact() const { return !analysed && field->keywords ? &*field->keywords : nullptr; }
};
/// `name` itself, or the exact view of what stands before ".keyword". None when the segment has no values.
std::optional<FieldView> ViewField(const Segment& segment, std::string_view name);

/// Reads whole values from the source. Not thread-safe.
class SourceReader {
 public:
  explicit SourceReader(const Segment& segment) : segment_(segment) {}
  /// Calls visit(text) for each string at `path` of the document.
  void Strings(std::uint32_t doc, std::string_view path, const std::function<void(std::string_view)>& visit);
  Result<BytesView> Get(std::uint32_t doc) { return segment_.Source(doc, cache_); }

 private:
  const Segment& segment_;
  Segment::SourceCache cache_;
};

/// Documents that have any of `targets` (rising): the targets themselves, or for a view by ordinals every
/// document with one of these values.
/// Like all that follow: documents outside of `range` may be left out.
DocSet ToDocs(const Segment& segment, const FieldView& view, std::vector<std::uint32_t> targets,
              DocRange range = {});

/// Strings (tokens in an analysed view) of `view` that are >= `first` and, while within(string) stays true,
/// fit accept(string). Values too long for the dictionary are read from the source.
struct StringTest {
  std::string first;
  std::function<bool(std::string_view)> within;  ///< False ends the scan of the sorted strings.
  std::function<bool(std::string_view)> accept;
};
/// kCancelled, kDeadlineExceeded by `limits`.
Result<DocSet> MatchStrings(const Segment& segment, const FieldView& view, const StringTest& test,
                            SourceReader& source, const SearchLimits& limits, DocRange range = {});
/// Documents with one of these strings (tokens).
DocSet MatchExactStrings(const Segment& segment, const FieldView& view,
                         const std::vector<std::string>& strings, SourceReader& source, DocRange range = {});
/// A field that holds ids: that of clients' ids, or one that documents name as theirs (kIdPathField).
struct IdField {
  const SegmentField* values = nullptr;         ///< Has an exact column.
  std::optional<std::uint32_t> path_ordinal{};  ///< Of documents with this path only.
};
std::vector<IdField> IdFields(const Segment& segment);
/// Documents of a segment with this `_id`, rising; those without one of a client's are not looked at.
std::vector<std::uint32_t> FindId(const Segment& segment, std::string_view id);
/// Documents with any value.
DocSet MatchPresent(const Segment& segment, const SegmentField& field);
/// Documents with a stored number in [low, high].
DocSet MatchStored(const Column& column, std::uint32_t doc_count, std::int64_t low, std::int64_t high,
                   DocRange within = {});
/// Documents with a number x for which low <= x <= high (or strictly).
struct DoubleRange {
  double low, high;
  bool include_low = true, include_high = true;
};
DocSet MatchDoubles(const Column& column, std::uint32_t doc_count, const DoubleRange& range,
                    DocRange within = {});

/// The number that a value stands for, if it does.
std::optional<double> ToDouble(const Scalar& value);
/// The string that it is in an exact view.
std::string ToText(const Scalar& value);

}  // namespace honryu::search
