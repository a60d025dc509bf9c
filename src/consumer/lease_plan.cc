#include "consumer/lease_plan.h"

#include <algorithm>
#include <map>

namespace honryu::consumer {

namespace {

/// This worker's part of `count` shards. With 5 shards and 3 workers: 2, 2, 1, in the order of their ids.
std::size_t FairShare(const LeaseView& view, std::size_t count) {
  if (view.exclusive) return count;
  std::set<std::string> workers = {view.worker_id};
  for (const auto* leases : {&view.members, &view.leases}) {
    for (const client::Lease& lease : *leases) {
      if (Living(lease, view.now)) workers.insert(lease.owner);
    }
  }
  const auto rank = static_cast<std::size_t>(std::distance(workers.begin(), workers.find(view.worker_id)));
  return count / workers.size() + (rank < count % workers.size() ? 1 : 0);
}

}  // namespace

bool Living(const client::Lease& lease, Timestamp now) { return !lease.owner.empty() && lease.expires > now; }

LeasePlan PlanLeases(const LeaseView& view) {
  std::map<std::string, const client::Lease*> leases;
  for (const client::Lease& lease : view.leases) leases[lease.shard_id] = &lease;
  std::set<std::string> listed, finished;
  for (const client::ShardDescription& shard : view.shards) {
    listed.insert(shard.shard_id);
    const auto lease = leases.find(shard.shard_id);
    if (lease != leases.end() && lease->second->finished) finished.insert(shard.shard_id);
  }
  const auto is_done = [&](const std::string& parent) {
    return parent.empty() || !listed.contains(parent) || finished.contains(parent) ||
           view.read_to_end.contains(parent);
  };
  std::vector<std::string> free;
  std::size_t count = 0;
  for (const client::ShardDescription& shard : view.shards) {
    if (finished.contains(shard.shard_id)) continue;
    if (!is_done(shard.parent_id) || !is_done(shard.adjacent_parent_id)) continue;
    ++count;
    if (view.held.contains(shard.shard_id)) continue;
    const auto lease = leases.find(shard.shard_id);
    // A living lease of our own id that we do not hold is left over from a lost answer: take it again.
    if (lease == leases.end() || !Living(*lease->second, view.now) || lease->second->owner == view.worker_id)
      free.push_back(shard.shard_id);
  }
  std::sort(free.begin(), free.end());
  const std::size_t share = FairShare(view, count);
  LeasePlan plan;
  if (view.held.size() > share) plan.give_back = view.held.size() - share;
  if (view.held.size() < share) {
    free.resize(std::min(free.size(), share - view.held.size()));
    plan.take = std::move(free);
  }
  return plan;
}

}  // namespace honryu::consumer
