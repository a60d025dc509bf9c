#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu {

/// A size in bytes. Written with binary units in configuration: "64MiB".
struct ByteSize {
  std::uint64_t bytes = 0;
  static constexpr ByteSize KiB(std::uint64_t n) { return {n << 10}; }
  static constexpr ByteSize MiB(std::uint64_t n) { return {n << 20}; }
  static constexpr ByteSize GiB(std::uint64_t n) { return {n << 30}; }
  friend constexpr auto operator<=>(const ByteSize& a, const ByteSize& b) = default;
};

/// "512", "512B", "64KiB", "64MiB", "2GiB", "1TiB" (also KB/MB/GB, powers of 1000).
Result<ByteSize> ParseByteSize(std::string_view text);
std::string FormatByteSize(ByteSize size);
/// "250us", "100ms", "5s", "10m", "24h", "7d", "1h30m"; a unit is required except for "0".
Result<Duration> ParseDuration(std::string_view text);
std::string FormatDuration(Duration duration);

}  // namespace honryu
