#include "honryu/kv/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace honryu::kv {
namespace {

Error Failed(const std::string& what, const std::string& path) {
  return Error(ErrorCode::kIo, "cannot " + what + " folder " + path + ": " + std::strerror(errno));
}

Result<void> Make(const std::filesystem::path& path, bool last) {
  std::error_code unknown;
  const bool there = std::filesystem::is_directory(path, unknown);
  if (there && !last) return Ok();
  const auto above = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (above == path) return Ok();  // the root of all
  HONRYU_TRY_VOID(Make(above, false));
  if (!there && ::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return Failed("make", path);
  auto synced = SyncFolder(above);
  // It was made by somebody who may read what is above it: nothing to be done about that now.
  return there ? Ok() : synced;
}

}  // namespace

Result<void> SyncFolder(const std::string& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return Failed("open", path);
  const bool done = ::fsync(folder) == 0;
  auto failed = done ? Ok() : Result<void>(Failed("sync", path));
  ::close(folder);
  return failed;
}

Result<void> MakeFolder(const std::string& path) {
  // "a/b/" and "a/b" are one folder.
  auto normal = std::filesystem::path(path).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();
  HONRYU_TRY_VOID(Make(normal, true));
  std::error_code unknown;
  if (!std::filesystem::is_directory(normal, unknown))
    return Error(ErrorCode::kIo, "cannot make folder " + path + ": something else is there");
  return Ok();
}

}  // namespace honryu::kv
