#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <string>

namespace honryu::alerting {

struct ChartOptions {
  std::uint32_t width = 480;   ///< Pixels, 32 to 4096.
  std::uint32_t height = 160;  ///< Pixels, 32 to 4096.
};

/// A PNG image of an alert's samples: the line of values over time, the limit as a dashed line, and the time
/// since it fires shaded. Without samples it is empty but for the limit. No text: messages have the numbers.
/// kInternal when the image cannot be encoded. Takes about a millisecond.
Result<std::string> DrawChart(const Alert& alert, const ChartOptions& options = {});

}  // namespace honryu::alerting
