#include "consumer/lease_plan.h"

#include <gtest/gtest.h>

namespace honryu::consumer {
namespace {

const Timestamp kNow = TimestampFromMs(1000000);

client::ShardDescription Shard(const std::string& id, const std::string& parent = "",
                               const std::string& adjacent = "") {
  client::ShardDescription shard;
  shard.shard_id = id;
  shard.parent_id = parent;
  shard.adjacent_parent_id = adjacent;
  return shard;
}

client::Lease Lease(const std::string& shard, const std::string& owner, bool living = true) {
  client::Lease lease;
  lease.shard_id = shard;
  lease.owner = owner;
  lease.expires = kNow + std::chrono::seconds(living ? 5 : -5);
  return lease;
}

LeaseView View(const std::string& worker, int shards) {
  LeaseView view;
  view.worker_id = worker;
  view.now = kNow;
  for (int i = 0; i < shards; ++i) view.shards.push_back(Shard("s" + std::to_string(i)));
  return view;
}

TEST(LeasePlan, AloneItTakesAllThatIsFreeOrExpired) {
  LeaseView view = View("me", 3);
  view.leases = {Lease("s0", "dead", false), Lease("s1", "", false)};
  EXPECT_EQ(PlanLeases(view).take, (std::vector<std::string>{"s0", "s1", "s2"}));
}

TEST(LeasePlan, LivingLeasesOfOthersAreLeftAlone) {
  LeaseView view = View("b", 2);
  view.leases = {Lease("s0", "a"), Lease("s1", "a")};
  EXPECT_TRUE(PlanLeases(view).take.empty());
}

TEST(LeasePlan, WhoHasTooManyGivesBackAndTheOtherTakesNoMoreThanItsShare) {
  LeaseView mine = View("a", 5);
  for (int i = 0; i < 5; ++i) {
    mine.leases.push_back(Lease("s" + std::to_string(i), "a"));
    mine.held.insert("s" + std::to_string(i));
  }
  mine.members = {Lease("s0", "a"), Lease("s1", "b")};
  EXPECT_EQ(PlanLeases(mine).give_back, 2u);  // 5 for two: 3 and 2, by order of id
  LeaseView other = View("b", 5);
  other.members = mine.members;
  other.leases = {Lease("s0", "a"), Lease("s1", "a"), Lease("s2", "", false), Lease("s3", "", false),
                  Lease("s4", "", false)};
  EXPECT_EQ(PlanLeases(other).take, (std::vector<std::string>{"s2", "s3"}));
}

TEST(LeasePlan, SharesAddUpToAllShardsWhateverTheNumbers) {
  for (int shards = 1; shards <= 9; ++shards) {
    for (int workers = 1; workers <= 5; ++workers) {
      std::size_t taken = 0;
      for (int w = 0; w < workers; ++w) {
        LeaseView view = View("w" + std::to_string(w), shards);
        for (int m = 0; m < workers; ++m)
          view.members.push_back(Lease("s" + std::to_string(m), "w" + std::to_string(m)));
        taken += PlanLeases(view).take.size();
      }
      EXPECT_EQ(taken, static_cast<std::size_t>(shards)) << workers;
    }
  }
}

TEST(LeasePlan, ChildrenWaitForTheirParents) {
  LeaseView view = View("me", 0);
  view.shards = {Shard("p"), Shard("q"), Shard("c", "p"), Shard("m", "p", "q"), Shard("o", "gone")};
  EXPECT_EQ(PlanLeases(view).take, (std::vector<std::string>{"o", "p", "q"}));
  client::Lease done = Lease("p", "", false);
  done.finished = true;
  view.leases = {done};
  EXPECT_EQ(PlanLeases(view).take, (std::vector<std::string>{"c", "o", "q"}));
  view.held = {"q"};
  view.read_to_end = {"q"};
  EXPECT_EQ(PlanLeases(view).take, (std::vector<std::string>{"c", "m", "o"}));
}

TEST(LeasePlan, ExclusiveWorkersTakeAll) {
  LeaseView view = View("b", 4);
  view.exclusive = true;
  view.members = {Lease("s0", "a"), Lease("s1", "b")};
  EXPECT_EQ(PlanLeases(view).take.size(), 4u);
}

}  // namespace
}  // namespace honryu::consumer
