#pragma once

#include "honryu/base/error.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace honryu::search {

/// A file's descriptor, closed at the end; below 0 when it could not be opened.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// What errno says of a call that failed just now: kUnavailable when the disk is full, kIo otherwise.
inline Error SystemError(const std::string& what, const std::string& path) {
  const int number = errno;
  return Error(number == ENOSPC || number == EDQUOT ? ErrorCode::kUnavailable : ErrorCode::kIo,
               "cannot " + what + " " + path + ": " + std::strerror(number));
}

}  // namespace honryu::search
