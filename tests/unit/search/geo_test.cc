// Places: every form of them, in documents and in queries.

#include "honryu/search/mapping.h"
#include "search/geo/geo_point.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <cmath>
#include <random>

namespace honryu::search {
namespace {

using codec::Json;

std::string Read(std::string_view text) {
  const auto point = ParseGeoPoint(text);
  return point ? std::to_string(point->lat) + "," + std::to_string(point->lon) : "none";
}

TEST(GeoPointText, PairsWktAndGeohashes) {
  EXPECT_EQ(Read("35.5,139.25"), "35.500000,139.250000");
  EXPECT_EQ(Read(" 35.5 , 139.25 "), "35.500000,139.250000");
  EXPECT_EQ(Read("35.5,139.25,40"), "35.500000,139.250000");
  EXPECT_EQ(Read("POINT (139.25 35.5)"), "35.500000,139.250000");
  EXPECT_EQ(Read("Point(139.25 35.5)"), "35.500000,139.250000");
  EXPECT_EQ(Read("POINT Z (139.25 35.5 40)"), "35.500000,139.250000");
  EXPECT_EQ(Read("s"), "0.000000,0.000000");
  EXPECT_EQ(Read("u09tvw0f6szye"), "none");  // 13 letters
  for (const auto* bad : {"", "a", "91,0", "0,181", "35.5", "35.5,", ",1", "35.5,x", "POINT (1)",
                          "POINT (1 2", "POINT (200 0)", "LINESTRING (1 2, 3 4)", "nan,1", "Tokyo!"})
    EXPECT_EQ(Read(bad), "none") << bad;
  // A geohash's point lies in its own cell.
  for (const std::string hash : {"xn774c06kdtv", "u09tvw0", "ezs42", "7zzz", "0"})
    EXPECT_EQ(GeohashText(GeohashCell(ParseGeoPoint(hash)->lat, ParseGeoPoint(hash)->lon,
                                      static_cast<unsigned>(hash.size())),
                          static_cast<unsigned>(hash.size())),
              hash);
}

TEST(GeoPointText, DistanceOfKnownPlaces) {
  // Tokyo Station to Osaka Station: 403 km as the crow flies.
  EXPECT_NEAR(GeoMetres({35.681236, 139.767125}, {34.702485, 135.495951}), 403'000, 1'000);
  EXPECT_NEAR(GeoMetres({0, 0}, {0, 180}), kEarthMetres * 3.14159265358979, 1);
}

class GeoTest : public ::testing::Test {
 protected:
  Json Run(const std::string& body) {
    const auto request = ParseSearchRequest(Json::Parse(body).value(), 0);
    EXPECT_TRUE(request.ok()) << body << (request.ok() ? "" : request.error().ToString());
    if (!request.ok()) return Json();
    const auto answer = RunSearch(segments_, *request, QueryContext{}, {});
    EXPECT_TRUE(answer.ok()) << body;
    return answer.ok() ? Json::Parse(*answer).value() : Json();
  }
  bool Refused(const std::string& body) { return !ParseSearchRequest(Json::Parse(body).value(), 0).ok(); }
  /// Values of "n" of the matches.
  std::string Find(const std::string& query) {
    std::string found;
    const Json answer = Run(R"({"size":100,"sort":["n"],"query":)" + query + "}");
    for (const Json& hit : answer.Find("hits")->Find("hits")->array())
      found += hit.Find("_source")->Find("n")->Dump() + " ";
    return found;
  }
  void Fill(std::vector<std::string> documents) {
    segments_.clear();
    for (std::size_t part = 0; part < 2; ++part) {
      std::vector<std::string> some;
      for (std::size_t i = part; i < documents.size(); i += 2) some.push_back(documents[i]);
      segments_.push_back({"web", BuildSegment(mapping_, some, 1000 * part)});
    }
  }
  Mapping mapping_;
  std::vector<IndexedSegment> segments_;
};

constexpr const char* kTokyo = R"({"geo_distance":{"distance":"5km","location":{"lat":35.68,"lon":139.76}}})";
constexpr const char* kTokyoBox =
    R"({"geo_bounding_box":{"location":{"top_left":[139,36],"bottom_right":{"lat":35,"lon":140}}}})";

TEST_F(GeoTest, ObjectsArePlacesWithoutAnyMapping) {
  // Each pair so that both segments hold it.
  Fill(
      {R"({"n":1,"location":{"latitude":35.681,"longitude":139.767,"accuracy":12.5}})",
       R"({"n":2,"location":{"latitude":35.681,"longitude":139.767}})",
       R"({"n":3,"location":{"lat":35.69,"lon":139.75}})", R"({"n":4,"location":{"lat":35.69,"lon":139.75}})",
       R"({"n":5,"location":{"lat":35.69,"lng":139.75}})", R"({"n":6,"location":{"lat":35.69,"lng":139.75}})",
       R"({"n":7,"location":{"type":"Point","coordinates":[139.75,35.69]}})",
       R"({"n":8,"location":{"type":"Point","coordinates":[139.75,35.69,40.5]}})",
       R"({"n":9,"location":{"latitude":34.7,"longitude":135.5}})",
       R"({"n":10,"location":{"latitude":35,"longitude":139.76}})", R"({"n":11,"location":{"accuracy":3}})",
       R"({"n":12,"place":"Tokyo"})", R"({"n":13,"location":{"latitude":95,"longitude":139.7}})",
       R"({"n":14,"location.lat":35.68,"location.lon":139.76})"});
  EXPECT_EQ(Find(kTokyo), "1 2 3 4 5 6 7 8 14 ");
  EXPECT_EQ(Find(kTokyoBox), "1 2 3 4 5 6 7 8 10 14 ");
  EXPECT_EQ(Find(R"q({"geo_bounding_box":{"location":{"wkt":"BBOX (139, 140, 36, 35)"}}})q"),
            "1 2 3 4 5 6 7 8 10 14 ");
  EXPECT_EQ(
      Find(R"q({"geo_bounding_box":{"location":{"top_right":"36,140","bottom_left":"POINT (139 35)"}}})q"),
      "1 2 3 4 5 6 7 8 10 14 ");
  EXPECT_EQ(Find(R"({"exists":{"field":"location"}})"), "1 2 3 4 5 6 7 8 9 10 11 13 14 ");
  const Json grid = Run(
      R"({"size":0,"aggs":{"g":{"geohash_grid":{"field":"location","precision":3},"aggs":{"m":{"max":{"field":"n"}}}}}})");
  EXPECT_EQ(grid.Find("aggregations")->Find("g")->Dump(),
            R"({"buckets":[{"key":"xn7","doc_count":9,"m":{"value":14}},)"
            R"({"key":"xn0","doc_count":1,"m":{"value":9}},{"key":"xn5","doc_count":1,"m":{"value":10}}]})");
}

TEST_F(GeoTest, WholeAndOtherNumbersOfOneMemberBelongTogether) {
  // 35 is kept with the whole numbers, 139.5 with the others: only the source knows their order.
  Fill({R"({"n":1,"location":[{"lat":35,"lon":139.5},{"lat":34.5,"lon":135}]})",
        R"({"n":2,"location":{"type":"Point","coordinates":[139.5,35]}})",
        R"({"n":3,"location":{"type":"Point","coordinates":[139,35.5]}})",
        R"({"n":4,"location":{"type":"LineString","coordinates":[[139,35.5],[139.25,35]]}})",
        R"({"n":5,"stops":[{"location":{"lat":35.5,"lon":139.5}},{"location":{"lat":34.5,"lon":135.5}}]})"});
  const auto near = [&](const std::string& place, const std::string& field = "location") {
    return Find(R"({"geo_distance":{"distance":"1km",")" + field + R"(":")" + place + R"("}})");
  };
  EXPECT_EQ(near("35,139.5"), "1 2 ");
  EXPECT_EQ(near("34.5,135"), "1 ");
  EXPECT_EQ(near("34.5,139.5"), "");
  EXPECT_EQ(near("35,135"), "");
  EXPECT_EQ(near("35.5,139"), "3 ");
  EXPECT_EQ(near("34.5,135.5", "stops.location"), "5 ");
  EXPECT_EQ(near("34.5,139.5", "stops.location"), "");
}

TEST_F(GeoTest, DeclaredGeoPointsTakeEveryForm) {
  ASSERT_TRUE(mapping_.Merge(R"({"properties":{"location":{"type":"geo_point"}}})").ok());
  Fill({R"({"n":1,"location":"35.69,139.75"})", R"({"n":2,"location":[139.75,35.69]})",
        R"q({"n":3,"location":"POINT (139.75 35.69)"})q", R"({"n":4,"location":"xn77h14v740w"})",
        R"({"n":5,"location":{"lat":"35.69","lon":"139.75"}})",
        R"({"n":6,"location":{"latitude":35.69,"longitude":139.75}})",
        R"({"n":7,"location":["35.69,139.75","34.7,135.5"]})",
        R"({"n":8,"location":{"type":"Point","coordinates":[139.75,35.69]}})",
        R"({"n":9,"location":"somewhere else, far"})", R"({"n":10,"location":[139.75,35.69,8]})"});
  EXPECT_EQ(Find(kTokyo), "1 2 3 4 5 6 7 8 10 ");
  EXPECT_EQ(Find(R"({"geo_distance":{"distance":"1km","location":"34.7,135.5"}})"), "7 ");
  EXPECT_EQ(Find(R"({"exists":{"field":"location"}})"), "1 2 3 4 5 6 7 8 9 10 ");
  // The text that is no place is kept and flagged.
  EXPECT_EQ(Find(R"({"term":{"location":"somewhere else, far"}})"), "9 ");
  EXPECT_TRUE(mapping_.Fields().at("location").conflicting);
}

TEST_F(GeoTest, HitsInOrderOfDistance) {
  Fill({R"({"n":1,"location":{"latitude":34.7,"longitude":135.5}})",
        R"({"n":2,"location":{"latitude":35.69,"longitude":139.75}})", R"({"n":3})",
        R"({"n":4,"location":{"latitude":43.06,"longitude":141.35}})"});
  const auto order = [&](const std::string& sort, const std::string& more = "") {
    std::string found;
    const Json answer = Run(R"({"sort":[{"_geo_distance":)" + sort + "}]" + more + "}");
    for (const Json& hit : answer.Find("hits")->Find("hits")->array()) {
      const Json& key = hit.Find("sort")->array()[0];
      found += hit.Find("_source")->Find("n")->Dump() + ":" +
               (key.is_null() ? "none" : std::to_string(std::lround(key.DoubleOr(0)))) + " ";
    }
    return found;
  };
  EXPECT_EQ(order(R"({"location":{"lat":35.68,"lon":139.76},"unit":"km","order":"asc"})"),
            "2:1 1:402 4:832 3:none ");
  EXPECT_EQ(order(R"({"location":[139.76,35.68],"unit":"km","order":"desc"})"), "4:832 1:402 2:1 3:none ");
  EXPECT_EQ(order(R"({"location":["35.68,139.76","43,141.3"],"unit":"km"})"), "2:1 4:8 1:402 3:none ");
  EXPECT_EQ(order(R"({"location":[139.76,35.68],"unit":"km"})", R"(,"search_after":[2.5])"),
            "1:402 4:832 3:none ");
  EXPECT_TRUE(Refused(R"({"sort":[{"_geo_distance":{"unit":"km"}}]})"));
  EXPECT_TRUE(Refused(R"({"sort":[{"_geo_distance":{"location":[1,2],"unit":"parsec"}}]})"));
  EXPECT_TRUE(Refused(R"({"sort":[{"_geo_distance":{"location":[1,2],"mode":"median"}}]})"));
}

TEST_F(GeoTest, DistancesOfFewDocumentsInOrdersThatFall) {
  std::vector<std::string> documents;
  for (int i = 0; i < 200; ++i)
    documents.push_back(
        R"({"n":)" + std::to_string(i) + R"(,"m":"word")" +
        (i % 50 == 10 ? R"(,"location":{"lat":)" + std::to_string(i / 10) + R"(,"lon":139})" : "") + "}");
  Fill(documents);  // the places are in documents 10, 60, 110 and 160
  const auto order = [&](const std::string& body, std::size_t key) {
    std::string found;
    const Json answer = Run(body);
    for (const Json& hit : answer.Find("hits")->Find("hits")->array()) {
      const Json& distance = hit.Find("sort")->array()[key];
      if (!distance.is_null()) found += hit.Find("_source")->Find("n")->Dump() + " ";
    }
    return found;
  };
  const std::string from = R"({"_geo_distance":{"location":{"lat":0,"lon":139},"unit":"km")";
  EXPECT_EQ(order(R"({"size":200,"sort":[)" + from + R"(,"order":"desc"}}]})", 0), "160 110 60 10 ");
  EXPECT_EQ(order(R"({"size":200,"query":{"match":{"m":"word"}},"sort":["_score",)" + from + "}}]}", 1),
            "10 60 110 160 ");
  EXPECT_EQ(order(R"({"size":200,"sort":[{"n":"desc"},)" + from + "}}]}", 1), "160 110 60 10 ");
}

TEST_F(GeoTest, FieldsOfHitsShowPlaces) {
  Fill({R"({"n":1,"location":{"latitude":34.75,"longitude":135.5,"accuracy":9}})", R"({"n":2})"});
  const Json answer = Run(R"({"sort":["n"],"_source":false,"fields":["location","location.accuracy"]})");
  const auto& hits = answer.Find("hits")->Find("hits")->array();
  EXPECT_EQ(hits[0].Find("fields")->Dump(),
            R"({"location":[{"type":"Point","coordinates":[135.5,34.75]}],"location.accuracy":[9]})");
  EXPECT_EQ(hits[1].Find("fields")->Dump(), "{}");
}

TEST_F(GeoTest, QueriesThatMakeNoSenseAreRefused) {
  for (const std::string query :
       {R"({"geo_distance":{"distance":"5km","location":"nowhere!"}})",
        R"({"geo_distance":{"distance":"5km","location":[1,95]}})",
        R"({"geo_distance":{"distance":"0km","location":[1,2]}})",
        R"({"geo_distance":{"distance":"5 parsec","location":[1,2]}})",
        R"({"geo_bounding_box":{"location":{"top":1,"bottom":2,"left":0,"right":1}}})",
        R"({"geo_bounding_box":{"location":{"top":"x"}}})", R"({"geo_bounding_box":{"location":{"top":91}}})",
        R"({"geo_bounding_box":{"location":{"bottom":-90.5}}})",
        R"({"geo_bounding_box":{"location":{"left":-181,"right":10}}})",
        R"({"geo_bounding_box":{"location":{"right":1000}}})",
        R"q({"geo_bounding_box":{"location":{"wkt":"BBOX (1, 200, 3, 2)"}}})q",
        R"q({"geo_bounding_box":{"location":{"wkt":"BBOX (nan, 2, 3, 2)"}}})q",
        R"({"geo_bounding_box":{"location":{"middle":1}}})", R"({"geo_bounding_box":{"location":{}}})",
        R"q({"geo_bounding_box":{"location":{"wkt":"BBOX (1, 2, 3)"}}})q"})
    EXPECT_TRUE(Refused(R"({"query":)" + query + "}")) << query;
}

TEST_F(GeoTest, TheMappingSaysWhichObjectsArePlaces) {
  Fill(
      {R"({"location":{"latitude":35.1,"longitude":139.7,"accuracy":5},"home":{"type":"Point","coordinates":[1.5,2.5]},)"
       R"("size":{"lat":1},"words":{"lat":"x","lon":"y"},"lat":1,"lon":2,"trip":{"from":{"lat":1,"lng":2}}})"});
  const Json mapping = Json::Parse(mapping_.ToJson()).value();
  const auto type = [&](std::vector<std::string> path) {
    const Json* at = &mapping;
    for (const auto& name : path) at = at->Find("properties")->Find(name);
    return at->Find("type") == nullptr ? std::string("-") : std::string(at->Find("type")->StringOr(""));
  };
  EXPECT_EQ(type({"location"}), "geo_point");
  EXPECT_EQ(type({"location", "accuracy"}), "long");
  EXPECT_EQ(type({"home"}), "geo_point");
  EXPECT_EQ(type({"trip", "from"}), "geo_point");
  EXPECT_EQ(type({"size"}), "-");
  EXPECT_EQ(type({"words"}), "-");
  EXPECT_EQ(type({"trip"}), "-");
  EXPECT_EQ(mapping.Find("type"), nullptr);
  // What it says can be read again, also by an index that is strict.
  Mapping again;
  ASSERT_TRUE(again.Merge(mapping_.ToJson()).ok());
  EXPECT_EQ(again.ToJson(), mapping_.ToJson());
  ASSERT_TRUE(again.Merge(R"({"dynamic":"strict"})").ok());
  EXPECT_TRUE(again.Allows("", "location"));
  EXPECT_TRUE(again.Allows("location", "location.latitude"));
  EXPECT_FALSE(again.Allows("location", "location.altitude"));
}

TEST_F(GeoTest, ManyPointsAsAStraightScanFindsThem) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> lats(-80, 80), lons(-180, 180);
  std::vector<std::string> documents;
  std::vector<GeoPoint> points;
  for (int n = 0; n < 3000; ++n) {
    const GeoPoint point{std::round(lats(random) * 100) / 100, std::round(lons(random) * 100) / 100};
    points.push_back(point);
    const auto lat = std::to_string(point.lat), lon = std::to_string(point.lon);
    const std::string forms[] = {R"({"latitude":)" + lat + R"(,"longitude":)" + lon + R"(,"accuracy":1})",
                                 R"({"lat":)" + lat + R"(,"lng":)" + lon + "}",
                                 R"({"type":"Point","coordinates":[)" + lon + "," + lat + "]}"};
    documents.push_back(R"({"n":)" + std::to_string(n) + R"(,"location":)" + forms[random() % 3] + "}");
  }
  Fill(documents);
  for (int round = 0; round < 20; ++round) {
    const GeoPoint centre{lats(random), lons(random)};
    const double km = 50 + static_cast<double>(random() % 5000);
    std::uint64_t within = 0;
    for (const auto& point : points) within += GeoMetres(point, centre) <= km * 1000 ? 1 : 0;
    const Json answer = Run(R"({"size":0,"track_total_hits":true,"query":{"geo_distance":{"distance":")" +
                            std::to_string(km) + R"(km","location":[)" + std::to_string(centre.lon) + "," +
                            std::to_string(centre.lat) + "]}}}");
    EXPECT_EQ(answer.Find("hits")->Find("total")->Find("value")->IntOr(-1),
              static_cast<std::int64_t>(within));
  }
}

}  // namespace
}  // namespace honryu::search
