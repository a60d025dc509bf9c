#pragma once

#include "search/geo/geo_columns.h"
#include "search/segment/segment.h"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace honryu::search {

/// What hits are ordered by.
struct SortField {
  enum class By : std::uint8_t { kField, kScore, kDocument, kDistance };
  enum class Mode : std::uint8_t {
    kDefault,
    kMin,
    kMax
  };  ///< Default: the least ascending, the greatest descending.
  By by = By::kField;
  std::string field;
  bool descending = false;
  bool missing_first = false;
  Mode mode = Mode::kDefault;
  std::string format{};
  std::vector<GeoPoint> places{};  ///< Of kDistance: how far the nearest of them is.
  double unit = 1;                 ///< Of kDistance: metres.
};

/// A sort key: missing, a number, or a string. Numbers come before strings.
using SortValue = std::variant<std::monostate, std::int64_t, double, std::string>;
/// Order of two keys that are not missing.
std::strong_ordering CompareValues(const SortValue& a, const SortValue& b);
/// True when `a` stands before `b`; the first difference decides. Equal lists: false.
bool SortsBefore(const std::vector<SortField>& sort, const std::vector<SortValue>& a,
                 const std::vector<SortValue>& b);

/// Reads sort keys of one field in one segment.
class SortColumn {
 public:
  /// Both must outlive it.
  SortColumn(const Segment& segment, const SortField& sort);
  SortValue Get(std::uint32_t doc) const;
  /// The column when every document has exactly one whole number or date, and nothing else: keys are then
  /// its values. Null pointer otherwise.
  const Column* plain() const { return plain_; }
  bool is_date() const { return is_date_; }

 private:
  SortValue Distance(std::uint32_t doc) const;

  const SortField& sort_;
  std::unique_ptr<GeoColumns> points_;  ///< Of kDistance.
  const SegmentField* field_ = nullptr;
  const Column* plain_ = nullptr;
  bool greatest_ = false, is_date_ = false;
};

}  // namespace honryu::search
