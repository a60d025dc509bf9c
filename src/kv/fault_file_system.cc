#include "honryu/kv/fault_file_system.h"

#include <rocksdb/file_system.h>

#include <atomic>

namespace honryu::kv {

struct FaultFileSystem::Switches {
  std::atomic<bool> no_space{false};
  std::atomic<bool> bad_sync{false};
};

class FaultAccess {
 public:
  using Switches = FaultFileSystem::Switches;

  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::shared_ptr<Switches> switches)
        : FSWritableFileOwnerWrapper(std::move(file)), switches_(std::move(switches)) {}
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
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
      if (switches_->bad_sync) return rocksdb::IOStatus::IOError("injected sync failure");
      return FSWritableFileOwnerWrapper::Fsync(options, debug);
    }

   private:
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
      if (status.ok()) *result = std::make_unique<File>(std::move(file), switches_);
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

}  // namespace honryu::kv
