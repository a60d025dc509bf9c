#include "search/store/files.h"

#include "honryu/kv/folder.h"
#include "search/store/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace honryu::search {
Result<void> WriteFileDurably(const std::string& folder, const std::string& name, BytesView bytes) {
  const auto path = folder + "/" + name, temporary = path + ".tmp";
  {
    const OpenFile file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
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
