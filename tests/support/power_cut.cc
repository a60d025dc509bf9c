#include "tests/support/power_cut.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <utility>

namespace honryu::testing {
namespace {

constexpr int kNone = -1;
constexpr int kRoot = 0;

struct Operation {
  enum class Kind : std::uint8_t { kWrite, kTruncate, kNames, kSync } kind;
  int node = kNone;  ///< Written, truncated or synced.
  std::uint64_t offset = 0;
  std::string bytes;
  struct Name {
    int folder;
    std::string name;
    int node;  ///< What it stands for from now on; kNone: nothing.
  };
  std::vector<Name> names;  ///< Changed together.
  std::string path;
};

}  // namespace

struct DiskRecorder::Impl {
  std::string root;
  mutable std::mutex mutex;
  std::vector<Operation> operations;
  std::vector<bool> is_folder{true};  ///< By node.
  std::map<std::string, int> nodes;   ///< By path relative to root.
  struct Open {
    int node;
    std::uint64_t at;
    bool append;
  };
  std::map<int, Open> open;            ///< By descriptor.
  std::map<int, std::uint64_t> sizes;  ///< By node.

  /// Path relative to root; none: elsewhere.
  std::optional<std::string> Inside(const char* path) const {
    const auto normal = std::filesystem::path(path).lexically_normal().string();
    if (normal == root || normal == root + "/") return "";
    if (normal.size() <= root.size() + 1 || !normal.starts_with(root + "/")) return std::nullopt;
    auto inside = normal.substr(root.size() + 1);
    while (inside.ends_with('/')) inside.pop_back();
    return inside;
  }
  Operation::Name NameOf(const std::string& path, int node) const {
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? nodes.find("") : nodes.find(path.substr(0, slash));
    return {folder == nodes.end() ? kNone : folder->second,
            slash == std::string::npos ? path : path.substr(slash + 1), node};
  }
  int Make(const std::string& path, bool folder) {
    const int node = static_cast<int>(is_folder.size());
    is_folder.push_back(folder);
    Operation made{Operation::Kind::kNames, kNone, 0, {}, {NameOf(path, node)}, "make " + path};
    operations.push_back(std::move(made));
    nodes[path] = node;
    return node;
  }
  void Write(int node, std::uint64_t at, const char* data, std::size_t size) {
    operations.push_back({Operation::Kind::kWrite, node, at, std::string(data, size), {}, "write"});
    sizes[node] = std::max(sizes[node], at + size);
  }
};

namespace {

std::atomic<DiskRecorder::Impl*> recording{nullptr};

template <typename Note>
void Record(Note note) {
  auto* recorder = recording.load();
  if (recorder == nullptr) return;
  const int kept = errno;
  {
    const std::lock_guard lock(recorder->mutex);
    note(*recorder);
  }
  errno = kept;
}

void NoteSync(int descriptor) {
  Record([&](DiskRecorder::Impl& disk) {
    const auto file = disk.open.find(descriptor);
    if (file == disk.open.end()) return;
    disk.operations.push_back({Operation::Kind::kSync, file->second.node, 0, {}, {}, "sync"});
  });
}

void NoteRemoved(const char* path) {
  Record([&](DiskRecorder::Impl& disk) {
    const auto inside = disk.Inside(path);
    if (!inside || !disk.nodes.contains(*inside)) return;
    disk.operations.push_back(
        {Operation::Kind::kNames, kNone, 0, {}, {disk.NameOf(*inside, kNone)}, "remove " + *inside});
    disk.nodes.erase(*inside);
  });
}

}  // namespace

DiskRecorder::DiskRecorder(const std::string& root) : impl_(std::make_unique<Impl>()) {
  impl_->root = std::filesystem::path(root).lexically_normal().string();
  impl_->nodes[""] = kRoot;
  recording = impl_.get();
}
DiskRecorder::~DiskRecorder() { Stop(); }
void DiskRecorder::Stop() { recording = nullptr; }
std::size_t DiskRecorder::size() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->operations.size();
}
std::string DiskRecorder::Describe(std::size_t operation) const {
  const std::lock_guard lock(impl_->mutex);
  if (operation >= impl_->operations.size()) return "the end";
  const auto& one = impl_->operations[operation];
  if (one.node == kNone) return one.path;
  std::string name = "a removed file";
  for (const auto& [path, node] : impl_->nodes)
    if (node == one.node) name = path;
  return one.path + " " + name + " " + std::to_string(one.bytes.size());
}

void DiskRecorder::Rebuild(std::size_t count, PowerCut how, std::uint64_t seed,
                           const std::string& into) const {
  const std::lock_guard lock(impl_->mutex);
  const auto& operations = impl_->operations;
  std::mt19937_64 random(seed);
  const auto one_in = [&random](std::uint64_t n) { return random() % n == 0; };
  // The last sync of each node before the cut.
  std::map<int, std::size_t> synced;
  std::vector<std::size_t> loose;  // changes of names that no sync covers
  for (std::size_t i = 0; i < count; ++i)
    if (operations[i].kind == Operation::Kind::kSync) synced[operations[i].node] = i;
  const auto covers = [&synced](int node, std::size_t at) {
    const auto last = synced.find(node);
    return last != synced.end() && last->second > at;
  };
  const auto durable = [&](std::size_t at) {
    const auto& operation = operations[at];
    if (operation.kind != Operation::Kind::kNames) return covers(operation.node, at);
    return std::all_of(operation.names.begin(), operation.names.end(),
                       [&](const Operation::Name& name) { return covers(name.folder, at); });
  };
  for (std::size_t i = 0; i < count; ++i)
    if (operations[i].kind == Operation::Kind::kNames && !durable(i)) loose.push_back(i);
  const std::size_t journal = loose.empty() ? 0 : random() % (loose.size() + 1);
  std::set<int> ended;  // folders whose further changes are gone
  std::map<std::pair<int, std::string>, int> names;
  std::map<int, std::string> contents;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& operation = operations[i];
    const bool safe = durable(i);
    if (operation.kind == Operation::Kind::kSync) continue;
    if (operation.kind == Operation::Kind::kNames) {
      bool kept = safe;
      if (!safe) {
        const auto place = seen++;
        const bool gone =
            std::any_of(operation.names.begin(), operation.names.end(),
                        [&](const Operation::Name& name) { return ended.contains(name.folder); });
        kept = how == PowerCut::kLosesContent || (how == PowerCut::kKeepsOrder && place < journal) ||
               (how == PowerCut::kRandom && !gone && !one_in(4));
        if (!kept)
          for (const auto& name : operation.names) ended.insert(name.folder);
      }
      if (kept)
        for (const auto& name : operation.names) names[{name.folder, name.name}] = name.node;
      continue;
    }
    const bool chance = how == PowerCut::kKeepsOrder || how == PowerCut::kRandom;
    if (!safe && (!chance || one_in(2))) continue;
    auto& content = contents[operation.node];
    if (operation.kind == Operation::Kind::kTruncate) {
      content.resize(operation.offset);
      continue;
    }
    auto bytes = operation.bytes;
    if (!safe && one_in(2)) bytes.resize(random() % (bytes.size() + 1));  // the rest did not get there
    if (!safe && one_in(4)) bytes.assign(bytes.size(), '\0');             // only its place did
    if (content.size() < operation.offset + bytes.size()) content.resize(operation.offset + bytes.size());
    content.replace(operation.offset, bytes.size(), bytes);
  }
  std::filesystem::remove_all(into);
  std::filesystem::create_directories(into);
  std::vector<std::pair<int, std::string>> folders = {{kRoot, into}};
  while (!folders.empty()) {
    const auto [folder, path] = folders.back();
    folders.pop_back();
    for (auto at = names.lower_bound({folder, ""}); at != names.end() && at->first.first == folder; ++at) {
      if (at->second == kNone) continue;
      const auto inside = path + "/" + at->first.second;
      if (impl_->is_folder[static_cast<std::size_t>(at->second)]) {
        std::filesystem::create_directory(inside);
        folders.emplace_back(at->second, inside);
      } else {
        std::ofstream(inside, std::ios::binary) << contents[at->second];
      }
    }
  }
}

}  // namespace honryu::testing

// In place of the C library's.
extern "C" {

using honryu::testing::DiskRecorder;
using honryu::testing::Record;

int open(const char* path, int flags, ...) {  // NOLINT(cert-dcl50-cpp): as it is declared
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  const auto descriptor = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (descriptor >= 0)
    Record([&](DiskRecorder::Impl& disk) {
      disk.open.erase(descriptor);
      const auto inside = disk.Inside(path);
      if (!inside) return;
      auto known = disk.nodes.find(*inside);
      if (known == disk.nodes.end() && (flags & O_CREAT) == 0) return;
      const int node = known != disk.nodes.end() ? known->second : disk.Make(*inside, false);
      if ((flags & O_TRUNC) != 0 && disk.sizes[node] != 0) {
        disk.operations.push_back({honryu::testing::Operation::Kind::kTruncate, node, 0, {}, {}, "truncate"});
        disk.sizes[node] = 0;
      }
      disk.open[descriptor] = {node, 0, (flags & O_APPEND) != 0};
    });
  return descriptor;
}

int close(int descriptor) {
  Record([&](DiskRecorder::Impl& disk) { disk.open.erase(descriptor); });
  return static_cast<int>(::syscall(SYS_close, descriptor));
}

ssize_t write(int descriptor, const void* data, std::size_t size) {
  const auto wrote = ::syscall(SYS_write, descriptor, data, size);
  if (wrote > 0)
    Record([&](DiskRecorder::Impl& disk) {
      const auto file = disk.open.find(descriptor);
      if (file == disk.open.end()) return;
      auto& [node, at, append] = file->second;
      if (append) at = disk.sizes[node];
      disk.Write(node, at, static_cast<const char*>(data), static_cast<std::size_t>(wrote));
      at += static_cast<std::size_t>(wrote);
    });
  return wrote;
}

ssize_t pwrite(int descriptor, const void* data, std::size_t size, off_t offset) {
  const auto wrote = ::syscall(SYS_pwrite64, descriptor, data, size, offset);
  if (wrote > 0)
    Record([&](DiskRecorder::Impl& disk) {
      const auto file = disk.open.find(descriptor);
      if (file != disk.open.end())
        disk.Write(file->second.node, static_cast<std::uint64_t>(offset), static_cast<const char*>(data),
                   static_cast<std::size_t>(wrote));
    });
  return wrote;
}

int ftruncate(int descriptor, off_t size) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_ftruncate, descriptor, size));
  if (done == 0)
    Record([&](DiskRecorder::Impl& disk) {
      const auto file = disk.open.find(descriptor);
      if (file == disk.open.end()) return;
      disk.operations.push_back({honryu::testing::Operation::Kind::kTruncate,
                                 file->second.node,
                                 static_cast<std::uint64_t>(size),
                                 {},
                                 {},
                                 "truncate"});
      disk.sizes[file->second.node] = static_cast<std::uint64_t>(size);
    });
  return done;
}

int fsync(int descriptor) {
  honryu::testing::NoteSync(descriptor);
  return 0;
}

int fdatasync(int descriptor) {
  honryu::testing::NoteSync(descriptor);
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_rename, from, to));
  if (done == 0)
    Record([&](DiskRecorder::Impl& disk) {
      const auto source = disk.Inside(from), target = disk.Inside(to);
      if (!source || !target || !disk.nodes.contains(*source)) return;
      const int node = disk.nodes.at(*source);
      disk.operations.push_back({honryu::testing::Operation::Kind::kNames,
                                 honryu::testing::kNone,
                                 0,
                                 {},
                                 {disk.NameOf(*target, node), disk.NameOf(*source, honryu::testing::kNone)},
                                 "rename " + *source + " to " + *target});
      disk.nodes.erase(*source);
      disk.nodes[*target] = node;
    });
  return done;
}

int unlink(const char* path) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_unlink, path));
  if (done == 0) honryu::testing::NoteRemoved(path);
  return done;
}

int mkdir(const char* path, mode_t mode) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_mkdir, path, mode));
  if (done == 0)
    Record([&](DiskRecorder::Impl& disk) {
      if (const auto inside = disk.Inside(path)) (void)disk.Make(*inside, true);
    });
  return done;
}

int remove(const char* path) noexcept {
  const auto done = static_cast<int>(::syscall(SYS_unlink, path));
  if (done == 0) honryu::testing::NoteRemoved(path);
  if (done != 0 && errno == EISDIR) return static_cast<int>(::syscall(SYS_rmdir, path));
  return done;
}

}  // extern "C"
