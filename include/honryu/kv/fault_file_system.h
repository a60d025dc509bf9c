#pragma once

#include <memory>

namespace honryu::kv {

/// For tests: a file system under a Database whose writes can be made to fail. Thread-safe.
class FaultFileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem();
  /// Pass to OpenOptions::file_system.
  std::shared_ptr<void> handle() const;
  /// From now on, appends to files fail as on a full disk.
  void FailWritesWithNoSpace(bool on);
  /// From now on, fsync and fdatasync fail with an I/O error.
  void FailSyncs(bool on);
  /// What a power cut leaves at worst: every file that was written through here loses what was not synced.
  /// Close the database first, with both failures above switched on, so that closing saves nothing.
  void DropUnsynced();

 private:
  struct Switches;
  std::shared_ptr<Switches> switches_;
  std::shared_ptr<void> handle_;
  friend class FaultAccess;
};

}  // namespace honryu::kv
