#pragma once

#include "honryu/base/result.h"

#include <string>

namespace honryu::kv {

/// Makes a folder and those above it that are missing, so that a power cut leaves it there: the folder above
/// each is synced, also where the last one was there already. kIo.
Result<void> MakeFolder(const std::string& path);
/// Makes the names in a folder durable. kIo.
Result<void> SyncFolder(const std::string& path);

}  // namespace honryu::kv
