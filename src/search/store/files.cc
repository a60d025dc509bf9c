#include "search/store/files.h"

#include "honryu/kv/folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace honryu::search {
namespace {

Error SystemError(const std::string& what, const std::string& path) {
  const int number = errno;
  return Error(number == ENOSPC || number == EDQUOT ? ErrorCode::kUnavailable : ErrorCode::kIo,
               "cannot " + what + " " + path + ": " + std::strerror(number));
}

/// Closes its descriptor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

struct Mapped {
  void* at;
  std::size_t size;
  ~Mapped() { ::munmap(at, size); }
};

}  // namespace

Result<void> WriteFileDurably(const std::string& folder, const std::string& name, BytesView bytes) {
  const auto path = folder + "/" + name, temporary = path + ".tmp";
  {
    const File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return SystemError("create", temporary);
    for (std::size_t done = 0; done < bytes.size();) {
      const auto wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) {
        auto error = SystemError("write", temporary);
        ::unlink(temporary.c_str());
        return error;
      }
      done += static_cast<std::size_t>(wrote);
    }
    if (::fsync(file.get()) != 0) {
      auto error = SystemError("sync", temporary);
      ::unlink(temporary.c_str());
      return error;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return SystemError("rename", temporary);
  return kv::SyncFolder(folder);
}

Result<Bytes> MapFile(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    if (errno == ENOENT) return Error(ErrorCode::kNotFound, "there is no file " + path);
    return SystemError("open", path);
  }
  if (info.st_size == 0) return Bytes();
  const auto size = static_cast<std::size_t>(info.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (at == MAP_FAILED) return SystemError("map", path);
  auto owner = std::shared_ptr<const Mapped>(new Mapped{at, size});
  return Bytes(std::shared_ptr<const void>(std::move(owner)), BytesView(static_cast<const char*>(at), size));
}

std::optional<std::uint64_t> FileSize(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

Result<std::vector<std::string>> ListFiles(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file(error)) names.push_back(at->path().filename().string());
  if (error) return Error(ErrorCode::kIo, "cannot list " + folder + ": " + error.message());
  return names;
}

Result<void> RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return Ok();
  return SystemError("remove", path);
}

Result<void> MoveFile(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return Ok();
  return SystemError("move", from);
}

}  // namespace honryu::search
