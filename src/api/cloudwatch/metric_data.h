#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/codec/json.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace honryu::api::cloudwatch {

/// One datum of PutMetricData: a statistic of the values that an application has seen since the last one.
struct Datum {
  std::string name;
  std::string unit;  ///< "Milliseconds"; empty: none.
  std::vector<std::pair<std::string, std::string>> dimensions;
  double samples = 0, sum = 0, minimum = 0, maximum = 0;
};

struct MetricData {
  std::string space;  ///< The namespace.
  std::vector<Datum> data;
};

inline constexpr std::size_t kMaxData = 1000;      ///< Of a request; CloudWatch's bound.
inline constexpr std::size_t kMaxDimensions = 30;  ///< CloudWatch's bound.

/// A request's parameters, from JSON or CBOR. kInvalidArgument, in CloudWatch's manner.
Result<MetricData> ReadMetricData(const codec::Json& body);
/// The same from a form of the query protocol ("MetricData.member.1.MetricName=…").
Result<MetricData> ReadMetricForm(BytesView form);

}  // namespace honryu::api::cloudwatch
