#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace honryu::codec {

/// Enumerators are on disk: never renumber.
enum class Compression : unsigned char { kNone = 0, kLz4 = 1, kZstd = 2, kGzip = 3 };

/// Compresses in one call; `level` 0 is the format's usual one (zstd: 1; for lz4 it is the "acceleration":
/// higher is faster and packs less). lz4 is the block format without a frame (the caller stores the plain
/// size).
Result<std::string> Compress(Compression codec, std::string_view plain, int level = 0);
/// Opens `packed`, refusing (kTooLarge) to produce more than `limit` bytes. gzip: several members may follow
/// each other, zlib framing is also taken. For lz4 `limit` must be the exact plain size. kInvalidArgument
/// when the data is not of that format or ends too early; nothing at all opens to nothing, except for lz4.
/// Each thread that uses zstd keeps its contexts (about 1 MB), one that packs lz4 a buffer of 1 MB.
Result<std::string> Decompress(Compression codec, std::string_view packed, std::size_t limit);
/// "gzip", "x-gzip", "deflate" -> kGzip, "zstd" -> kZstd, "identity" or "" -> kNone; kInvalidArgument
/// otherwise.
Result<Compression> ParseContentEncoding(std::string_view name);

}  // namespace honryu::codec
