#include "honryu/kv/fault_file_system.h"

#include <rocksdb/file_system.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <system_error>

namespace honryu::kv {

struct FaultFileSystem::Switches {
  std::atomic<bool> no_space{false};
  std::atomic<bool> bad_sync{false};
  std::mutex mutex;
  std::map<std::string, std::uint64_t> synced;  // bytes of each file that a power cut leaves
};

class FaultAccess {
 public:
  using Switches = FaultFileSystem::Switches;

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::string name,
         std::shared_ptr<Switches> switches)
        : FSWritableFileOwnerWrapper(std::move(file)),
          name_(std::move(name)),
          switches_(std::move(switches)) {
      const std::lock_guard lock(switches_->mutex);
      switches_->synced[name_] = 0;
    }
    using FSWritableFileOwnerWrapper::Append;
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
      if (switches_->no_space) return rocksdb::IOStatus::NoSpace("injected");
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                             const rocksdb::DataVerificationInfo& info,
                             rocksdb::IODebugContext* debug) override {
      if (switches_->no_space) return rocksdb::IOStatus::NoSpace("injected");
      return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
    }
    rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (switches_->bad_sync) return rocksdb::IOStatus::IOError("injected sync failure");
      return Synced(FSWritableFileOwnerWrapper::Sync(options, debug), options, debug);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (switches_->bad_sync) return rocksdb::IOStatus::IOError("injected sync failure");
      return Synced(FSWritableFileOwnerWrapper::Fsync(options, debug), options, debug);
    }

   private:
    rocksdb::IOStatus Synced(rocksdb::IOStatus status, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) {
      if (!status.ok()) return status;
      const std::uint64_t size = GetFileSize(options, debug);
      const std::lock_guard lock(switches_->mutex);
      switches_->synced[name_] = size;
      return status;
    }

    const std::string name_;
    std::shared_ptr<Switches> switches_;
  };

  class FileSystem final : public rocksdb::FileSystemWrapper {
   public:
    explicit FileSystem(std::shared_ptr<Switches> switches)
        : FileSystemWrapper(rocksdb::FileSystem::Default()), switches_(std::move(switches)) {}
    const char* Name() const override { return "HonryuFaultFileSystem"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* result,
                                      rocksdb::IODebugContext* debug) override {
      std::unique_ptr<rocksdb::FSWritableFile> file;
      rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(name, options, &file, debug);
      if (status.ok()) *result = std::make_unique<File>(std::move(file), name, switches_);
      return status;
    }

   private:
    std::shared_ptr<Switches> switches_;
  };
};

FaultFileSystem::FaultFileSystem()
    : switches_(std::make_shared<Switches>()),
      handle_(std::make_shared<FaultAccess::FileSystem>(switches_)) {}
FaultFileSystem::~FaultFileSystem() = default;
// Through rocksdb::FileSystem, so that the receiver may cast the opaque pointer back to it.
std::shared_ptr<void> FaultFileSystem::handle() const {
  return std::static_pointer_cast<rocksdb::FileSystem>(
      std::static_pointer_cast<FaultAccess::FileSystem>(handle_));
}
void FaultFileSystem::FailWritesWithNoSpace(bool on) { switches_->no_space = on; }
void FaultFileSystem::FailSyncs(bool on) { switches_->bad_sync = on; }
void FaultFileSystem::DropUnsynced() {
  const std::lock_guard lock(switches_->mutex);
  for (const auto& [name, bytes] : switches_->synced) {
    std::error_code error;
    if (std::filesystem::exists(name, error) && std::filesystem::file_size(name, error) > bytes)
      std::filesystem::resize_file(name, bytes, error);
  }
  switches_->synced.clear();
}

}  // namespace honryu::kv
