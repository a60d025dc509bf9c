#pragma once

#include "honryu/base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::codec {

struct ZipLimits {
  std::size_t max_bytes = 64 << 20;  ///< Of all contents together.
  std::size_t max_files = 10000;     ///< Entries of the directory, folders too.
};

/// Whether `data` begins as a zip archive does (a file's header, or the end of an empty archive). Only
/// OpenZip knows.
bool MayBeZip(std::string_view data);

/// The contents of an archive's files, in the order of its directory; folders are left out. Sizes that the
/// archive claims are not believed: the limit is on what comes out. kInvalidArgument: not an archive,
/// damaged, or a checksum differs; kTooLarge: more bytes, kOutOfRange: more files than the limits;
/// kUnimplemented: a file is encrypted or packed by a method that libzip does not open.
Result<std::vector<std::string>> OpenZip(std::string_view archive, const ZipLimits& limits);

}  // namespace honryu::codec
