#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::testing {

/// What a power cut does to what was not synced.
enum class PowerCut : std::uint8_t {
  kLosesAll,      ///< Every write and every name that no fsync covers is gone.
  kLosesContent,  ///< All names (created, renamed, removed) are as they were last, writes without fsync gone.
  kKeepsOrder,    ///< Names as a journal keeps them: all changes up to some moment; writes at random.
  kRandom,  ///< Each change of a name and each write without fsync is there, gone, or (writes) half there.
};

/// Records what this process does to the files below a folder, and rebuilds what a power cut at any moment
/// may leave of them. As POSIX promises no more: content is safe after fsync or fdatasync of the file, and a
/// name after fsync of its folder; a rename is there whole or not at all.
///
/// A test that links power_cut.cc has its open, write, pwrite, ftruncate, fsync, fdatasync, rename, unlink,
/// remove and mkdir in place of the C library's, for shared libraries (RocksDB) too. fsync does nothing else
/// there, so that tests are fast. One recorder at a time. Thread-safe.
class DiskRecorder {
 public:
  /// `root` must exist; it counts as durable, as does nothing in it.
  explicit DiskRecorder(const std::string& root);
  ~DiskRecorder();
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;

  /// How many operations were recorded.
  std::size_t size() const;
  /// Records no more.
  void Stop();
  /// Builds in the folder `into` (made anew) what is left when the power goes after `count` operations.
  void Rebuild(std::size_t count, PowerCut how, std::uint64_t seed, const std::string& into) const;
  /// The operation of that number, for messages.
  std::string Describe(std::size_t operation) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::testing
