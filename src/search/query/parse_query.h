#pragma once

#include "honryu/base/result.h"
#include "honryu/codec/json.h"
#include "search/geo/geo_point.h"
#include "search/query/query.h"

#include <optional>
#include <string_view>

namespace honryu::search {

/// Reads {"match":{…}} and the like. kInvalidArgument (parsing_exception) names what is unknown or malformed;
/// nothing is ignored silently. Nesting beyond 50 queries is refused.
Result<Query> ParseQuery(const codec::Json& json);
/// A JSON value as a scalar of a query; kInvalidArgument for objects, arrays and null.
Result<Scalar> ParseScalar(const codec::Json& json);

/// A place in any form that OpenSearch takes: an object, GeoJSON, [longitude, latitude], "lat,lon", WKT, a
/// geohash. kInvalidArgument otherwise, and for one that is not on Earth.
Result<GeoPoint> ParsePoint(const codec::Json& json);
/// Metres of "km", "miles" …; "" is metres.
std::optional<double> DistanceUnit(std::string_view unit);

/// "name" or "name^boost".
MatchQuery::Field ParseWeightedField(std::string_view text);

}  // namespace honryu::search
