#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::alerting {

struct ChartOptions {
  std::uint32_t width = 480;   ///< Pixels, 32 to 4096.
  std::uint32_t height = 160;  ///< Pixels, 32 to 4096.
};

/// A PNG image of an alert's samples: the line of values over time, the limit as a dashed line, and the time
/// since it fires shaded. Without samples it is empty but for the limit. No text: messages have the numbers.
/// kInternal when the image cannot be encoded. Takes about a millisecond.
Result<std::string> DrawChart(const Alert& alert, const ChartOptions& options = {});

/// What DrawChart needs of an alert, as text for the link to its picture: letters, digits, '-' and '_', at
/// most 1,000 of them, for the last 60 samples. Whoever fetches the picture needs no other leave than the
/// text, for it holds all that is drawn, and a server can draw it without knowing the alert.
std::string ChartText(const Alert& alert);
/// The alert with what ChartText keeps of it: times, values, limit and whether it fires. kInvalidArgument
/// when ChartText did not make it.
Result<Alert> ParseChartText(std::string_view text);

}  // namespace honryu::alerting
