#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace honryu {

/// CRC-32C (Castagnoli, RFC 3720 B.4) of `data`, continuing from `seed` (0 to begin). Uses the
/// SSE4.2 or ARMv8 instruction where the processor has it.
std::uint32_t Crc32c(std::string_view data, std::uint32_t seed = 0);
/// 64-bit non-cryptographic hash of `data` (for tables and sketches; the value is stable on disk).
std::uint64_t Hash64(std::string_view data, std::uint64_t seed = 0);

}  // namespace honryu
