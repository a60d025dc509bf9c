#include "search/geo/geo_point.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

namespace honryu::search {
namespace {

using simdjson::dom::element;

constexpr std::string_view kLetters = "0123456789bcdefghjkmnpqrstuvwxyz";

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n'; }
void SkipBlanks(std::string_view& text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
}

/// Takes a number off the front.
std::optional<double> TakeNumber(std::string_view& text) {
  SkipBlanks(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  SkipBlanks(text);
  return number;
}

bool TakeWord(std::string_view& text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i)
    if ((text[i] | 0x20) != lower[i]) return false;
  text.remove_prefix(lower.size());
  SkipBlanks(text);
  return true;
}

bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<GeoPoint> ParsePair(std::string_view text) {
  const auto lat = TakeNumber(text);
  if (!lat || !Take(text, ',')) return std::nullopt;
  const auto lon = TakeNumber(text);
  if (!lon) return std::nullopt;
  if (Take(text, ',') && !TakeNumber(text)) return std::nullopt;  // height
  return text.empty() ? CheckedPoint(*lat, *lon) : std::nullopt;
}

/// Behind the word "POINT".
std::optional<GeoPoint> ParseWkt(std::string_view text) {
  TakeWord(text, "z");
  if (!Take(text, '(')) return std::nullopt;
  const auto lon = TakeNumber(text), lat = TakeNumber(text);
  if (!lon || !lat) return std::nullopt;
  if (!text.starts_with(')') && !TakeNumber(text)) return std::nullopt;
  if (!Take(text, ')')) return std::nullopt;
  SkipBlanks(text);
  return text.empty() ? CheckedPoint(*lat, *lon) : std::nullopt;
}

std::optional<GeoPoint> ParseGeohash(std::string_view text) {
  if (text.empty() || text.size() > 12) return std::nullopt;
  double low[2] = {-180, -90}, high[2] = {180, 90};
  unsigned axis = 0;
  for (const char c : text) {
    const auto bits = kLetters.find(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
    if (bits == std::string_view::npos) return std::nullopt;
    for (unsigned bit = 5; bit-- > 0; axis ^= 1) {
      const double middle = (low[axis] + high[axis]) / 2;
      ((bits >> bit & 1) != 0 ? low : high)[axis] = middle;
    }
  }
  return GeoPoint{low[1], low[0]};
}

std::optional<double> NumberOf(const element& value) {
  double number;
  if (value.get_double().get(number) == simdjson::SUCCESS) return number;
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto read = TakeNumber(text);
  return text.empty() ? read : std::nullopt;
}

/// [longitude, latitude], perhaps with height.
std::optional<GeoPoint> PointOf(const simdjson::dom::array& array) {
  if (array.size() != 2 && array.size() != 3) return std::nullopt;
  double lon, lat;
  if (array.at(0).get_double().get(lon) != simdjson::SUCCESS ||
      array.at(1).get_double().get(lat) != simdjson::SUCCESS)
    return std::nullopt;
  return CheckedPoint(lat, lon);
}

std::optional<GeoPoint> PointOf(const simdjson::dom::object& object) {
  for (const auto& [lat_name, lon_name] : kGeoMembers) {
    element lat, lon;
    if (object.at_key(lat_name).get(lat) != simdjson::SUCCESS ||
        object.at_key(lon_name).get(lon) != simdjson::SUCCESS)
      continue;
    const auto lat_number = NumberOf(lat), lon_number = NumberOf(lon);
    if (lat_number && lon_number) return CheckedPoint(*lat_number, *lon_number);
  }
  std::string_view type;
  simdjson::dom::array coordinates;
  if (object.at_key("type").get_string().get(type) == simdjson::SUCCESS && TakeWord(type, "point") &&
      type.empty() && object.at_key(kGeoCoordinates).get_array().get(coordinates) == simdjson::SUCCESS)
    return PointOf(coordinates);
  return std::nullopt;
}

void VisitAt(const element& value, std::string_view path, const std::function<void(GeoPoint)>& visit) {
  if (path.empty()) return ForEachGeoPoint(value, visit);
  if (value.is_object()) return ForEachGeoPointAt(value.get_object().value_unsafe(), path, visit);
  if (!value.is_array()) return;
  for (const auto item : value.get_array().value_unsafe()) VisitAt(item, path, visit);
}

}  // namespace

std::optional<GeoPoint> CheckedPoint(double lat, double lon) {
  if (!(std::fabs(lat) <= 90 && std::fabs(lon) <= 180)) return std::nullopt;
  return GeoPoint{lat, lon};
}

std::optional<GeoPoint> ParseGeoPoint(std::string_view text) {
  SkipBlanks(text);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  if (TakeWord(text, "point")) return ParseWkt(text);
  return text.find(',') != std::string_view::npos ? ParsePair(text) : ParseGeohash(text);
}

void ForEachGeoPoint(const element& value, const std::function<void(GeoPoint)>& visit) {
  std::optional<GeoPoint> point;
  if (value.is_array()) {
    const auto array = value.get_array().value_unsafe();
    point = PointOf(array);
    if (!point)
      for (const auto item : array) ForEachGeoPoint(item, visit);
  } else if (value.is_object()) {
    point = PointOf(value.get_object().value_unsafe());
  } else if (value.is_string()) {
    point = ParseGeoPoint(value.get_string().value_unsafe());
  }
  if (point) visit(*point);
}

void ForEachGeoPointAt(const simdjson::dom::object& object, std::string_view path,
                       const std::function<void(GeoPoint)>& visit) {
  for (const auto member : object) {
    if (!path.starts_with(member.key)) continue;
    if (path.size() == member.key.size())
      VisitAt(member.value, std::string_view(), visit);
    else if (path[member.key.size()] == '.')
      VisitAt(member.value, path.substr(member.key.size() + 1), visit);
  }
}

std::uint64_t GeohashCell(double lat, double lon, unsigned letters) {
  double low[2] = {-180, -90}, high[2] = {180, 90};
  const double point[2] = {lon, lat};
  std::uint64_t cell = 0;
  for (unsigned bit = 0; bit < letters * 5; ++bit) {
    const unsigned axis = bit & 1;
    const double middle = (low[axis] + high[axis]) / 2;
    const bool upper = point[axis] >= middle;
    (upper ? low : high)[axis] = middle;
    cell = cell << 1 | (upper ? 1 : 0);
  }
  return cell;
}

std::string GeohashText(std::uint64_t cell, unsigned letters) {
  std::string text(letters, '0');
  for (unsigned i = letters; i-- > 0; cell >>= 5) text[i] = kLetters[cell & 31];
  return text;
}

double GeoMetres(const GeoPoint& a, const GeoPoint& b) {
  constexpr double kDegree = std::numbers::pi / 180;
  const double dlat = std::sin((a.lat - b.lat) * kDegree / 2), dlon = std::sin((a.lon - b.lon) * kDegree / 2);
  const double h = dlat * dlat + std::cos(a.lat * kDegree) * std::cos(b.lat * kDegree) * dlon * dlon;
  return 2 * kEarthMetres * std::asin(std::min(1.0, std::sqrt(h)));
}

}  // namespace honryu::search
