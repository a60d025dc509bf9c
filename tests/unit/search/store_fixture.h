#pragma once

#include "honryu/search/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace honryu::search {

inline constexpr std::int64_t kNow = 1'795'219'200'000;  // 2026-11-21T00:00:00Z
inline constexpr std::int64_t kDayMs = 86'400'000;

/// A store in a folder of its own, and simple events for it.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    char name[] = "/tmp/honryu-store-XXXXXX";
    path_ = ::mkdtemp(name);
    config_.path = path_;
    Reopen();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  /// As after a crash: nothing in memory survives.
  void Reopen() {
    store_.reset();
    auto store = Store::Open(config_, clock_);
    ASSERT_TRUE(store.ok()) << store.error().ToString();
    store_ = std::move(*store);
  }
  /// Events [first, last] of shard `shard`: {"time", "n", "message"}.
  AddResult Add(std::uint64_t first, std::uint64_t last, const std::string& index = "events",
                const std::string& shard = "s", std::int64_t time_ms = kNow) {
    std::vector<std::string> sources;
    StoreBatch batch{shard, {}, last};
    for (auto n = first; n <= last; ++n)
      sources.push_back(R"({"time":)" + std::to_string(time_ms + static_cast<std::int64_t>(n)) + R"(,"n":)" +
                        std::to_string(n) + R"(,"message":"event number )" + std::to_string(n) + " of " +
                        (n % 2 == 0 ? "Alice" : "Bob") + "\"}");
    for (auto n = first; n <= last; ++n)
      batch.documents.push_back({index, n, 0, {}, sources[n - first], time_ms});
    const auto result = store_->Add(batch);
    EXPECT_TRUE(result.ok()) << result.error().ToString();
    return result.ok() ? *result : AddResult{};
  }
  std::uint64_t Count(const std::string& indices = "events",
                      const std::string& query = R"({"match_all":{}})") {
    const auto count = store_->Count(indices, R"({"query":)" + query + "}", {true, nullptr});
    EXPECT_TRUE(count.ok()) << count.error().ToString();
    return count.ok() ? *count : 0;
  }
  std::size_t Files(const std::string& folder) const {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/" + folder))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
  std::string AnySegment() const { return std::filesystem::directory_iterator(path_ + "/segments")->path(); }
  std::string AllSegmentBytes() const {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/segments")) {
      std::ifstream file(entry.path(), std::ios::binary);
      std::stringstream text;
      text << file.rdbuf();
      all += text.str();
    }
    return all;
  }

  std::string path_;
  StoreConfig config_;
  ManualClock clock_{TimestampFromMs(kNow)};
  std::unique_ptr<Store> store_;
};

}  // namespace honryu::search
