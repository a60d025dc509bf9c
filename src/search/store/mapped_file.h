#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"

#include <atomic>
#include <string>

namespace honryu::search {

/// A file mapped into memory for reading.
struct MappedFile {
  Bytes bytes;  ///< Mapped for as long as any of them is held, also when the file is removed meanwhile.
  /// Becomes true when a part of it could not be read: the file was cut short, or the disk failed. That part
  /// is zeros from then on. Lives as long as the bytes.
  const std::atomic<bool>* torn = nullptr;
};

/// Maps a file. kNotFound; kIo.
///
/// Reading a mapped page that is not there any more raises SIGBUS, which ends a process. The first call
/// installs a handler for it that puts a page of zeros there and says so in `torn`. It does so for mappings
/// made here only; every other SIGBUS goes where it went before. (One of the few things that must be global:
/// a process has one handler of a signal.)
Result<MappedFile> MapFile(const std::string& path);

}  // namespace honryu::search
