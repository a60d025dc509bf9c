#include "search/geo/geo_columns.h"

#include "search/index/document_parser.h"

#include <string>

namespace honryu::search {

void GeoColumns::Open(const SegmentField& field, std::size_t wanted, Numbers& out) {
  for (const auto* column : {&field.doubles, &field.longs})
    if (*column) out.columns.emplace_back(**column, wanted);
}

GeoColumns::GeoColumns(const Segment& segment, std::string_view field, std::size_t wanted)
    : segment_(segment), field_(field), points_(segment.doc_count()), source_(segment) {
  const auto member = [&](std::string_view name) {
    const auto* found = segment.Find(std::string(field) + "." + std::string(name));
    return found != nullptr && (found->doubles || found->longs) ? found : nullptr;
  };
  for (const auto& [lat_name, lon_name] : kGeoMembers) {
    const auto *lat = member(lat_name), *lon = member(lon_name);
    if (lat == nullptr || lon == nullptr) continue;
    auto& form = forms_.emplace_back();
    form.lat = lat;
    Open(*lat, wanted, form.lats);
    Open(*lon, wanted, form.lons);
  }
  const auto* coordinates = member(kGeoCoordinates);
  if (coordinates == nullptr) return;
  const auto type = ViewField(segment, std::string(field) + ".type.keyword");
  if (!type) return;
  points_ = MatchExactStrings(segment, *type, {"Point", "point", "POINT"}, source_);
  if (points_.empty()) return;
  auto& form = forms_.emplace_back();
  form.lat = coordinates;
  form.geo_json = true;
  Open(*coordinates, wanted, form.lons);
}

DocSet GeoColumns::Near(const DoubleRange& latitudes, DocRange within) const {
  DocSet docs(segment_.doc_count());
  for (const auto& form : forms_) {
    DocSet these(segment_.doc_count());
    for (const auto* column : {&form.lat->doubles, &form.lat->longs})
      if (*column) these.Or(MatchDoubles(**column, segment_.doc_count(), latitudes, within));
    if (form.geo_json) these.And(points_);
    docs.Or(these);
  }
  return docs;
}

bool GeoColumns::Numbers::Read(std::uint32_t doc, std::vector<double>& out) {
  out.clear();
  std::size_t kinds = 0;
  for (auto& cursor : columns) {
    const auto before = out.size();
    cursor.Of(doc, [&](std::int64_t stored) { out.push_back(cursor.column().ToDouble(stored)); });
    kinds += out.size() > before ? 1 : 0;
  }
  return kinds < 2;
}

bool GeoColumns::FromColumns(Form& form, std::uint32_t doc) {
  const auto add = [this](double lat, double lon) {
    if (const auto point = CheckedPoint(lat, lon)) found_.push_back(*point);
  };
  if (form.geo_json) {
    if (!points_.Contains(doc)) return true;
    const bool ordered = form.lons.Read(doc, lons_);
    if (lons_.size() < 2) return true;
    if (!ordered || lons_.size() > 3) return false;
    add(lons_[1], lons_[0]);
    return true;
  }
  const bool lats_ordered = form.lats.Read(doc, lats_), lons_ordered = form.lons.Read(doc, lons_);
  if (lats_.empty() || lons_.empty()) return true;
  if (!lats_ordered || !lons_ordered || lats_.size() != lons_.size()) return false;
  for (std::size_t i = 0; i < lats_.size(); ++i) add(lats_[i], lons_[i]);
  return true;
}

void GeoColumns::Of(std::uint32_t doc, const std::function<void(GeoPoint)>& visit) {
  found_.clear();
  for (auto& form : forms_) {
    if (FromColumns(form, doc)) continue;
    const auto text = source_.Get(doc);
    if (!text.ok()) continue;
    DocumentParser parser;
    const auto object = parser.Parse(*text);
    if (object.ok()) return ForEachGeoPointAt(*object, field_, visit);
  }
  for (const auto& point : found_) visit(point);
}

}  // namespace honryu::search
