#include "search/store/mapped_file.h"

#include "honryu/codec/json.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace honryu::search {
namespace {

using codec::Json;

class MappedFileTest : public ::testing::Test {
 protected:
  MappedFileTest() {
    char name[] = "/tmp/honryu-mapped-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~MappedFileTest() override { std::filesystem::remove_all(path_); }
  std::string Make(std::size_t size, char of = 'x') {
    auto path = path_ + "/file";
    std::ofstream(path, std::ios::binary) << std::string(size, of);
    return path;
  }
  std::string path_;
};

class CutSegmentTest : public StoreTest {};

TEST_F(MappedFileTest, WhatACutTookAwayIsZerosAndIsTold) {
  const auto path = Make(100'000);
  const auto file = MapFile(path);
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(*file->torn);
  EXPECT_EQ(file->bytes.view(), std::string(100'000, 'x'));
  std::filesystem::resize_file(path, 8192);
  EXPECT_FALSE(*file->torn);  // nobody has looked
  const std::string after(file->bytes.view());
  EXPECT_EQ(after, std::string(8192, 'x') + std::string(100'000 - 8192, '\0'));
  EXPECT_TRUE(*file->torn);
}

TEST_F(MappedFileTest, ManyMappingsComeAndGoAndEachKnowsItsOwn) {
  std::vector<MappedFile> files;
  for (int i = 0; i < 600; ++i) {
    const auto path = path_ + "/" + std::to_string(i);
    std::ofstream(path, std::ios::binary) << std::string(5000, 'a');
    files.push_back(MapFile(path).value());
  }
  for (int i = 0; i < 600; i += 3) files[static_cast<std::size_t>(i)] = MappedFile{};
  std::filesystem::resize_file(path_ + "/400", 0);
  std::uint64_t sum = 0;
  for (const auto& file : files)
    for (const char c : file.bytes.view()) sum += static_cast<unsigned char>(c);
  EXPECT_EQ(sum, 399u * 5000 * 'a');
  for (int i = 0; i < 600; ++i)
    if (i % 3 != 0) EXPECT_EQ(*files[static_cast<std::size_t>(i)].torn, i == 400) << i;
  // The place of a mapping that is gone is used again, as new.
  files[400] = MappedFile{};
  EXPECT_FALSE(*MapFile(path_ + "/401").value().torn);
}

TEST_F(MappedFileTest, OtherBusErrorsEndTheProcessAsBefore) {
  const auto path = Make(100'000);
  ASSERT_TRUE(MapFile(path).ok());  // the handler is there
  // By the signal, or by the handler that a sanitizer had before.
  EXPECT_DEATH(::raise(SIGBUS), "");
  const auto read_behind_the_end = [&path] {
    const int file = ::open(path.c_str(), O_RDONLY);
    const auto* at =
        static_cast<const volatile char*>(::mmap(nullptr, 100'000, PROT_READ, MAP_SHARED, file, 0));
    std::filesystem::resize_file(path, 0);
    (void)at[50'000];
  };
  EXPECT_DEATH(read_behind_the_end(), "");
}

TEST_F(CutSegmentTest, SegmentsCutShortWhileSearchesRunAreLeftOutAndComeBack) {
  // Several segments of more than a few pages each.
  constexpr std::uint64_t kEach = 600, kSegments = 5;
  for (std::uint64_t s = 0; s < kSegments; ++s) {
    Add(s * kEach + 1, (s + 1) * kEach);
    ASSERT_TRUE(store_->Flush().ok());
  }
  ASSERT_EQ(Files("segments"), kSegments);
  constexpr std::string_view kBody =
      R"({"size":50,"track_total_hits":true,"query":{"match":{"message":"alice event"}},
    "sort":[{"n":"desc"}],"aggs":{"t":{"terms":{"field":"message.keyword","size":3}},"s":{"sum":{"field":"n"}}}})";
  std::map<std::int64_t, std::set<std::string>> seen;  // answers by how many segments failed
  std::mutex mutex;
  std::atomic<bool> stop{false};
  std::atomic<int> answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        const auto answer = store_->Search("events", kBody);
        ++answers;
        const std::lock_guard lock(mutex);
        if (!answer.ok()) {
          seen[-1].insert(answer.error().ToString());
          continue;
        }
        const auto json = Json::Parse(*answer).value();
        const auto failed = json.Find("_shards")->Find("failed")->IntOr(-1);
        seen[failed].insert(json.Find("hits")->Dump() + json.Find("aggregations")->Dump());
      }
    });
  const auto wait = [&answers] {
    for (const int until = answers + 6; answers < until;) std::this_thread::yield();
  };
  wait();
  // Within a page, at a page, and all of it.
  const std::vector<std::pair<int, std::uintmax_t>> cuts = {{1, 100}, {2, 4096}, {3, 0}};
  for (const auto& [segment, size] : cuts) {
    std::filesystem::resize_file(path_ + "/segments/" + std::to_string(segment) + ".seg", size);
    wait();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(seen[-1].empty()) << *seen[-1].begin();
  // As many segments as were cut were missing, and each answer was that of the rest.
  for (std::int64_t failed = 0; failed <= 3; ++failed) EXPECT_EQ(seen[failed].size(), 1u) << failed;
  EXPECT_EQ(seen.rbegin()->first, 3);
  EXPECT_EQ(Count(), kEach * 2);
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(store_->Maintain().ok());
  }
  const auto lost = store_->Lost();
  ASSERT_EQ(lost.size(), 3u);
  for (const auto& one : lost) EXPECT_NE(one.reason.find("cut short"), std::string::npos) << one.reason;
}

TEST_F(CutSegmentTest, MergingWhatIsCutMeanwhileMakesNoSegmentOfZeros) {
  for (std::uint64_t s = 0; s < 8; ++s) {
    Add(s * 300 + 1, (s + 1) * 300);
    ASSERT_TRUE(store_->Flush().ok());
  }
  // Cut at any moment of the upkeep: before, while, or after it merges.
  std::atomic<bool> stop{false};
  std::random_device seed;
  std::thread upkeep([&] {
    while (!stop) {
      clock_.Advance(std::chrono::minutes(1));
      EXPECT_TRUE(store_->Maintain().ok());
    }
  });
  for (unsigned spins = seed() % 200'000; spins > 0; --spins)
    std::atomic_signal_fence(std::memory_order_seq_cst);
  std::error_code merged_already;
  std::filesystem::resize_file(path_ + "/segments/4.seg", 4096, merged_already);
  while (store_->Lost().empty() && store_->Statistics().merges == 0) std::this_thread::yield();
  stop = true;
  upkeep.join();
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(store_->Maintain().ok());
  }
  const auto whole = store_->Lost().empty();
  EXPECT_EQ(Count(), whole ? 2400u : 2100u);
  std::uint64_t sum = 0;
  const auto answer =
      Json::Parse(store_->Search("events", R"({"size":0,"aggs":{"s":{"sum":{"field":"n"}}}})").value())
          .value();
  for (std::uint64_t n = 1; n <= 2400; ++n) sum += whole || n <= 900 || n > 1200 ? n : 0;
  EXPECT_EQ(answer.Find("aggregations")->Find("s")->Find("value")->DoubleOr(0), static_cast<double>(sum));
}

}  // namespace
}  // namespace honryu::search
