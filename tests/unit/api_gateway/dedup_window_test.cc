#include "api/gateway/dedup_window.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace honryu::api::gateway {
namespace {

using Claim = DedupWindow::Claim;
using std::chrono::minutes;
using std::chrono::seconds;

struct Fixture {
  ManualClock clock{TimestampFromMs(1763719200000)};
  DedupConfig config;
  std::shared_ptr<DedupTicket> ticket = std::make_shared<DedupTicket>();
  std::shared_ptr<DedupTicket> other = std::make_shared<DedupTicket>();
};

UInt128 Id(std::uint64_t n) { return UInt128(n * 0x9e3779b97f4a7c15ULL, n); }

TEST(IdSet, AgreesWithAReferenceSet) {
  const char* seed_text = std::getenv("HONRYU_SEED");
  const std::uint64_t seed = seed_text != nullptr ? std::strtoull(seed_text, nullptr, 10) : 7;
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  IdSet set(random.Next());
  std::set<UInt128> reference;
  for (int i = 0; i < 20000; ++i) {
    // Few different values, the special zero among them.
    const UInt128 id(random.Below(100), random.Below(100));
    ASSERT_EQ(set.Contains(id), reference.contains(id));
    if (random.Chance(0.5)) {
      set.Insert(id);
      reference.insert(id);
    }
    ASSERT_EQ(set.size(), reference.size());
  }
  EXPECT_TRUE(set.Contains(UInt128()) == reference.contains(UInt128()));
  set.Clear();
  EXPECT_EQ(set.size(), 0u);
  EXPECT_FALSE(set.Contains(UInt128()));
}

TEST(DedupWindow, AnIdIsSeenOnlyOnceItsWriteWasAcknowledged) {
  Fixture f;
  DedupWindow window(f.config, f.clock);
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 3).claim, Claim::kMine);
  const DedupWindow::ClaimResult second = window.TryClaim(Id(1), f.other, 0);
  EXPECT_EQ(second.claim, Claim::kInFlight);
  EXPECT_EQ(second.holder, f.ticket);
  EXPECT_EQ(second.holder_index, 3u);
  window.Release(Id(1));
  EXPECT_EQ(window.TryClaim(Id(1), f.other, 0).claim, Claim::kMine);
  window.Commit(Id(1));
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kSeen);
  EXPECT_EQ(window.entries(), 1u);
}

TEST(DedupWindow, RemembersForTheWindowAndForgetsAfterOneAndAHalf) {
  Fixture f;
  DedupWindow window(f.config, f.clock);
  for (int start = 0; start < 5; ++start) {
    f.clock.Advance(seconds(71));  // different places within a generation
    const UInt128 id = Id(100 + static_cast<std::uint64_t>(start));
    ASSERT_EQ(window.TryClaim(id, f.ticket, 0).claim, Claim::kMine);
    window.Commit(id);
    f.clock.Advance(minutes(10) - seconds(1));
    EXPECT_EQ(window.TryClaim(id, f.ticket, 0).claim, Claim::kSeen);
    f.clock.Advance(minutes(5) + seconds(1));
    EXPECT_EQ(window.TryClaim(id, f.ticket, 0).claim, Claim::kMine);
    window.Release(id);
  }
  EXPECT_EQ(window.early_turns(), 0u);
}

TEST(DedupWindow, ForgetsEverythingAfterALongSilence) {
  Fixture f;
  DedupWindow window(f.config, f.clock);
  EXPECT_TRUE(window.Remember(Id(1), minutes(1)));
  f.clock.Advance(std::chrono::hours(5));
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kMine);
  EXPECT_EQ(window.entries(), 0u);
}

TEST(DedupWindow, RememberedIdsLiveAsLongAsIfThereHadBeenNoRestart) {
  for (const int age : {0, 100, 299, 300, 450, 599}) {
    Fixture f;
    DedupWindow window(f.config, f.clock);
    ASSERT_TRUE(window.Remember(Id(1), seconds(age)));
    f.clock.Advance(minutes(10) - seconds(age) - seconds(1));
    EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kSeen) << age;
    f.clock.Advance(minutes(5) + seconds(1));
    EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kMine) << age;
  }
}

TEST(DedupWindow, WhatIsRememberedFirstStaysAndLeavesRoomForNewIds) {
  Fixture f;
  f.config.max_entries = 4800;
  DedupWindow window(f.config, f.clock);
  EXPECT_EQ(window.warm_capacity(), 3200u);
  std::uint64_t kept = 0;
  for (std::uint64_t i = 1; i <= 100000; ++i) kept += window.Remember(Id(i), seconds(1)) ? 1 : 0;
  EXPECT_EQ(kept, 3200u);
  EXPECT_EQ(window.entries(), 3200u);
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kSeen);  // the newest
  ASSERT_EQ(window.TryClaim(Id(200000), f.ticket, 0).claim, Claim::kMine);
  window.Commit(Id(200000));
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kSeen);
  EXPECT_EQ(window.early_turns(), 0u);
}

TEST(DedupWindow, BoundsItsEntriesAndSaysWhenTheWindowGetsShort) {
  Fixture f;
  f.config.max_entries = 4800;  // 100 a generation of each of 16 shards
  DedupWindow window(f.config, f.clock);
  for (std::uint64_t i = 1; i <= 100000; ++i) {
    ASSERT_EQ(window.TryClaim(Id(i), f.ticket, 0).claim, Claim::kMine);
    window.Commit(Id(i));
  }
  EXPECT_LE(window.entries(), 4800u);
  EXPECT_GT(window.entries(), 3000u);
  EXPECT_GT(window.early_turns(), 100u);
  EXPECT_EQ(window.TryClaim(Id(100000), f.ticket, 0).claim, Claim::kSeen);
  EXPECT_EQ(window.TryClaim(Id(1), f.ticket, 0).claim, Claim::kMine);
}

}  // namespace
}  // namespace honryu::api::gateway
