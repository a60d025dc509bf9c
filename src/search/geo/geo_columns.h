#pragma once

#include "search/geo/geo_point.h"
#include "search/query/field_view.h"
#include "search/segment/column_cursor.h"
#include "search/segment/segment.h"

#include <deque>
#include <functional>
#include <string_view>
#include <vector>

namespace honryu::search {

/// The points of a field in one segment. Nothing is stored for them but the numbers: whatever columns stand
/// under `field.lat` and `field.lon`, `field.latitude` and `field.longitude` …, or `field.coordinates` beside
/// a `field.type` of "Point", are its points, mapped or not. Not thread-safe.
class GeoColumns {
 public:
  /// `wanted`: about how many documents will be asked for. `segment` must outlive it.
  GeoColumns(const Segment& segment, std::string_view field, std::size_t wanted);
  /// No document has a point.
  bool empty() const { return forms_.empty(); }
  /// Documents (of `within`) that may have a point between these latitudes.
  DocSet Near(const DoubleRange& latitudes, DocRange within) const;
  /// Calls visit(point) for each of the document's points; fastest where documents rise.
  void Of(std::uint32_t doc, const std::function<void(GeoPoint)>& visit);

 private:
  /// A member's numbers, whole and others.
  struct Numbers {
    std::deque<ColumnCursor> columns;  // in place: they hold a block each
    /// False when values of both columns are mixed, whose order is then lost.
    bool Read(std::uint32_t doc, std::vector<double>& out);
  };
  struct Form {
    const SegmentField* lat = nullptr;
    Numbers lats, lons;  ///< `lons` alone is of GeoJSON's coordinates.
    bool geo_json = false;
  };
  void Open(const SegmentField& field, std::size_t wanted, Numbers& out);
  /// Adds to found_; false when only the source knows which numbers belong together.
  bool FromColumns(Form& form, std::uint32_t doc);

  const Segment& segment_;
  std::string_view field_;
  std::deque<Form> forms_;
  DocSet points_;  ///< Documents whose "type" is "Point".
  SourceReader source_;
  std::vector<double> lats_, lons_;
  std::vector<GeoPoint> found_;
};

}  // namespace honryu::search
