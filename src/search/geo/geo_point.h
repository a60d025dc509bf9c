#pragma once

#include <simdjson.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace honryu::search {

/// A place in degrees (WGS 84).
struct GeoPoint {
  double lat = 0, lon = 0;
};

/// Members that make an object a place: {"lat":…,"lon":…} and what else people call them.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kGeoMembers = {
    {{"lat", "lon"}, {"latitude", "longitude"}, {"lat", "lng"}, {"lat", "long"}}};
/// The member of GeoJSON's {"type":"Point","coordinates":[longitude, latitude]}.
inline constexpr std::string_view kGeoCoordinates = "coordinates";

/// The point when it is one on Earth: -90 to 90, -180 to 180.
std::optional<GeoPoint> CheckedPoint(double lat, double lon);
/// "lat,lon", "POINT (lon lat)" (WKT, a third number is height) or a geohash of up to 12 letters, which means
/// the south-western corner of its cell, as in OpenSearch.
std::optional<GeoPoint> ParseGeoPoint(std::string_view text);
/// Calls visit(point) for each point of a value: objects as above, [longitude, latitude], strings, and arrays
/// of all these.
void ForEachGeoPoint(const simdjson::dom::element& element, const std::function<void(GeoPoint)>& visit);
/// The same for the value at a dotted path, arrays opened at every level.
void ForEachGeoPointAt(const simdjson::dom::object& object, std::string_view path,
                       const std::function<void(GeoPoint)>& visit);

/// Bits of the cell: longitude and latitude by turns (Niemeyer 2008).
std::uint64_t GeohashCell(double lat, double lon, unsigned letters);
std::string GeohashText(std::uint64_t cell, unsigned letters);

/// Metres on a sphere of the mean radius, by the haversine formula (OpenSearch's "arc").
double GeoMetres(const GeoPoint& a, const GeoPoint& b);
inline constexpr double kEarthMetres = 6371008.7714;

}  // namespace honryu::search
