#pragma once

#include "honryu/codec/json.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::app {

/// Columns that UTF-8 text takes on a terminal: two for Chinese, Japanese and Korean characters and most
/// emoji, none for combining marks.
std::size_t DisplayWidth(std::string_view utf8);

/// What a terminal would obey, or what would show text in another order than it stands, replaced: nothing of
/// an event moves the cursor. The marks below are kept where `marked`.
std::string Harmless(std::string_view text, bool marked = false);
/// The same for JSON, which stays the same JSON: such characters become \u escapes, but pieces that are no
/// UTF-8 U+FFFD, and control characters, which valid JSON has between values only, blanks.
std::string HarmlessJson(std::string_view json);

/// Around what was found, in highlighted texts.
inline constexpr std::string_view kMark = "\x01", kUnmark = "\x02";

/// How events are shown.
struct SearchView {
  bool color = false;
  std::size_t width = 0;            ///< Lines are cut there; 0: never.
  bool whole_time = true;           ///< With date and zone; else the time of day.
  bool local = false;               ///< In the zone of this machine instead of UTC.
  std::vector<std::string> fields;  ///< Dotted names: these and no others; empty: the line of a log.

  /// A moment as events show it.
  std::string Time(std::int64_t ms) const;
  /// One hit of an answer: time, level (or type), message, then what was found, then the rest. Without a line
  /// end.
  std::string Event(const codec::Json& hit) const;
  /// Bars of the buckets of a date_histogram, and below them what they are. Two lines, or none if all are
  /// empty.
  std::string Histogram(const codec::Json& buckets, std::int64_t from, std::int64_t to,
                        std::int64_t interval_ms) const;
};

/// A round width of which at most `columns` fit into the span.
std::int64_t BarWidth(std::int64_t span_ms, std::int64_t columns);

/// 1234567 → "1,234,567".
std::string Grouped(std::int64_t number);

}  // namespace honryu::app
