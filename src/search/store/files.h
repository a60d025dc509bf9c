#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// Writes `folder`/`name` so that it is there whole after a crash, or not at all: a temporary file, fsync,
/// rename, fsync of the folder. kUnavailable when the disk is full, kIo otherwise.
Result<void> WriteFileDurably(const std::string& folder, const std::string& name, BytesView bytes);
/// None when there is no such file.
std::optional<std::uint64_t> FileSize(const std::string& path);
/// Names of the regular files in a folder.
Result<std::vector<std::string>> ListFiles(const std::string& folder);
/// A file that is not there is no error.
Result<void> RemoveFile(const std::string& path);
Result<void> MoveFile(const std::string& from, const std::string& to);

}  // namespace honryu::search
