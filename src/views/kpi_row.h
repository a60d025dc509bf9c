#pragma once

#include "honryu/views/kpi_store.h"

#include <string>
#include <string_view>

namespace honryu::views {

// Keys and values of the store: docs/formats/kpi-store.md.

/// "r" window 0 metric 0 group 0 start (8 bytes, big-endian, sign bit flipped).
std::string RowKey(const KpiRow& row);
/// The part of RowKey before the start.
std::string RowPrefix(std::string_view window, std::string_view metric, std::string_view group);
std::string TimeKey(Timestamp start);
std::string EncodeRow(const KpiRow& row);
Result<KpiRow> DecodeRow(std::string_view key, std::string_view value);
/// The smallest key greater than all that begin with `prefix` (which must not
/// be all 0xff).
std::string AfterPrefix(std::string prefix);

}  // namespace honryu::views
