#pragma once

#include "search/aggs/date_rounder.h"
#include "search/aggs/values.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace honryu::search {

/// A value within one segment, cheap to compare: strings by their ordinals.
struct SourceCode {
  enum class Type : char { kMissing, kWhole, kDouble, kOrdinal, kBoolean, kText, kDefault };
  Type type = Type::kMissing;
  std::int64_t value = 0;
};

/// Reads one source's values in one segment: those of a field, as they are or rounded as histograms do it.
class SourceValues {
 public:
  /// `wanted`: about how many documents will be asked for. `spec` and `segment` must outlive it.
  SourceValues(const AggSpec& spec, AggSegment& segment, std::size_t wanted);

  /// The document's values, each once; without any, what the source says about missing ones.
  void Of(std::uint32_t doc, std::vector<SourceCode>& out);
  SortValue Decode(const SourceCode& code) const;
  /// True when the field's whole numbers are moments.
  bool dates() const { return dates_; }

 private:
  struct Cursor {
    SourceCode::Type type;
    ColumnCursor column;
  };
  void Take(SourceCode::Type type, std::int64_t stored, const Column& column, std::vector<SourceCode>& out);
  void TakeStrings(std::uint32_t doc, std::vector<SourceCode>& out);

  const AggSpec& spec_;
  AggSegment& segment_;
  DateRounder rounder_;
  const SegmentField* field_ = nullptr;
  std::string path_;
  bool dates_ = false;
  std::vector<Cursor> cursors_;
  std::vector<std::string> texts_;  // values too long for the dictionary, as they were met
};

/// A combination of several sources' values.
struct Tuple {
  enum class Form : std::uint8_t { kPlain, kBoolean, kDate };
  std::vector<SortValue> values;
  std::vector<Form> forms;  ///< How to show each.
};

/// Calls take(tuple, documents) for every combination of the sources' values that documents of a segment
/// have. `charged` is what was reserved in `context` for this so far: only growth is charged.
Result<void> ForEachTuple(const std::vector<AggSpec>& sources, AggSegment& segment,
                          std::span<const std::uint32_t> docs, AggContext& context, std::size_t& charged,
                          const std::function<Result<void>(Tuple, std::span<const std::uint32_t>)>& take);

}  // namespace honryu::search
