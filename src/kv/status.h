#pragma once

#include "honryu/base/result.h"

#include <rocksdb/status.h>

namespace honryu::kv {

inline Error FromStatus(const rocksdb::Status& status, std::string_view what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNotFound()) code = ErrorCode::kNotFound;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNoSpace() || status.IsBusy() || status.IsTryAgain()) code = ErrorCode::kUnavailable;
  return Error(code, std::string(what) + ": " + status.ToString());
}

}  // namespace honryu::kv
