#include "search/aggs/aggregation.h"
#include "search/geo/geo_columns.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace honryu::search {
namespace {

/// The tile that a point is in, Web Mercator as map tiles have it: y behind x.
std::uint64_t TileCell(double lat, double lon, unsigned zoom) {
  const double tiles = std::ldexp(1.0, static_cast<int>(zoom));
  const double radians = std::clamp(lat, -85.05112878, 85.05112878) * std::numbers::pi / 180;
  const double x = (lon + 180) / 360 * tiles;
  const double y = (1 - std::asinh(std::tan(radians)) / std::numbers::pi) / 2 * tiles;
  const auto number = [tiles](double at) {
    return static_cast<std::uint64_t>(std::clamp(std::floor(at), 0.0, tiles - 1));
  };
  return number(x) << 32 | number(y);
}

class GeoGrid final : public Aggregation {
 public:
  using Aggregation::Aggregation;

  Result<void> Collect(AggSegment& segment, std::span<const std::uint32_t> docs) override {
    GeoColumns points(segment.segment(), spec_.field, docs.size());
    if (points.empty()) return Ok();
    std::map<std::uint64_t, std::vector<std::uint32_t>> cells;
    for (const auto doc : docs)
      points.Of(doc, [&](GeoPoint point) {
        auto& list = cells[spec_.kind == AggSpec::Kind::kGeohashGrid
                               ? GeohashCell(point.lat, point.lon, spec_.precision)
                               : TileCell(point.lat, point.lon, spec_.precision)];
        if (list.empty() || list.back() != doc) list.push_back(doc);
      });
    for (const auto& [cell, list] : cells) {
      auto [found, fresh] = buckets_.try_emplace(cell);
      if (fresh) HONRYU_TRY_VOID(context_.Reserve(96));
      HONRYU_TRY_VOID(found->second.Add(spec_, context_, segment, list));
    }
    return Ok();
  }

  Result<void> Write(codec::JsonWriter& out) override {
    std::vector<std::pair<std::uint64_t, Bucket*>> shown;
    for (auto& [cell, bucket] : buckets_) shown.emplace_back(cell, &bucket);
    std::sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) {
      return a.second->count != b.second->count ? a.second->count > b.second->count : a.first < b.first;
    });
    if (shown.size() > spec_.size) shown.resize(spec_.size);
    HONRYU_TRY_VOID(context_.CountBuckets(shown.size()));
    out.Key("buckets");
    out.BeginArray();
    for (const auto& [cell, bucket] : shown) {
      out.BeginObject();
      out.Key("key");
      if (spec_.kind == AggSpec::Kind::kGeohashGrid)
        out.String(GeohashText(cell, spec_.precision));
      else
        out.String(std::to_string(spec_.precision) + "/" + std::to_string(cell >> 32) + "/" +
                   std::to_string(cell & 0xffffffff));
      HONRYU_TRY_VOID(bucket->Write(spec_, context_, out));
      out.EndObject();
    }
    out.EndArray();
    return Ok();
  }

 private:
  std::map<std::uint64_t, Bucket> buckets_;
};

}  // namespace

std::unique_ptr<Aggregation> MakeGeoGrid(const AggSpec& spec, AggContext& context) {
  return std::make_unique<GeoGrid>(spec, context);
}

}  // namespace honryu::search
