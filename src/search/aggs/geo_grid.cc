#include "search/aggs/values.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace honryu::search {
namespace {

/// A cell's bits: for geohashes longitude and latitude by turns (Niemeyer 2008), for tiles y behind x.
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
  constexpr std::string_view kLetters = "0123456789bcdefghjkmnpqrstuvwxyz";
  std::string text(letters, '0');
  for (unsigned i = letters; i-- > 0; cell >>= 5) text[i] = kLetters[cell & 31];
  return text;
}

/// Web Mercator, as map tiles have it.
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
    std::vector<std::pair<std::uint32_t, double>> lats, lons;
    const auto gather = [&](const char* part, std::vector<std::pair<std::uint32_t, double>>& out) {
      ForEachNumber(
          segment, spec_.field + part, docs,
          [&out](std::uint32_t doc, const TypedNumber& number) { out.emplace_back(doc, number.value); },
          [](std::uint32_t) {});
    };
    gather(".lat", lats);
    gather(".lon", lons);
    std::map<std::uint64_t, std::vector<std::uint32_t>> cells;
    // Points of a document stand at the same places in both columns.
    for (std::size_t a = 0, o = 0; a < lats.size() && o < lons.size();) {
      if (lats[a].first != lons[o].first) {
        ++(lats[a].first < lons[o].first ? a : o);
        continue;
      }
      auto& list = cells[spec_.kind == AggSpec::Kind::kGeohashGrid
                             ? GeohashCell(lats[a].second, lons[o].second, spec_.precision)
                             : TileCell(lats[a].second, lons[o].second, spec_.precision)];
      if (list.empty() || list.back() != lats[a].first) list.push_back(lats[a].first);
      ++a;
      ++o;
    }
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
