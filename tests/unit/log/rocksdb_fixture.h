#pragma once

#include "honryu/kv/fault_file_system.h"
#include "tests/support/log_engine_fixture.h"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace honryu::log {

/// An engine on a disk, with small segments and a clock that the test moves.
class RocksdbEngineTest : public ::testing::Test {
 protected:
  RocksdbEngineTest() {
    config_.path = dir_.path();
    config_.min_free_disk = ByteSize{0};
    config_.segment_bytes = ByteSize::KiB(256);
  }
  void TearDown() override { engine_.reset(); }  // before any folder goes
  void Open(std::shared_ptr<void> file_system = nullptr) {
    engine_.reset();
    auto opened = RocksdbEngine::Open(config_, clock_, runtime_, metrics_, std::move(file_system));
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    engine_ = std::move(*opened);
  }
  EngineDriver driver() { return EngineDriver{runtime_, *engine_}; }
  template <class F>
  bool Eventually(F condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::uint64_t DiskBytes() const {
    std::uint64_t total = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      if (entry.path().extension() == ".sst") total += entry.file_size();
    }
    return total;
  }
  std::string Noise(std::size_t size) {
    std::string out;
    while (out.size() < size) {
      const std::uint64_t word = random_.Next();
      out.append(reinterpret_cast<const char*>(&word), 8);
    }
    return out;
  }

  TempDir dir_;
  Random random_{5};
  ManualClock clock_{TimestampFromMs(1'800'000'000'000)};
  obs::Registry metrics_;
  async::Runtime runtime_{async::RuntimeOptions{}};
  RocksdbEngineConfig config_;
  std::unique_ptr<RocksdbEngine> engine_;
};

}  // namespace honryu::log
