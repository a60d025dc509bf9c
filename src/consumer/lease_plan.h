#pragma once

#include "honryu/client/stream_client.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::consumer {

/// What one worker sees when it decides which leases to take.
struct LeaseView {
  std::vector<client::ShardDescription> shards;
  std::vector<client::Lease> leases;   ///< Of the application.
  std::vector<client::Lease> members;  ///< Of "<application>.members".
  std::set<std::string> held;          ///< By this worker, finished ones apart.
  std::set<std::string> read_to_end;   ///< By this worker, not finished.
  std::string worker_id;
  bool exclusive = false;
  Timestamp now;
};

struct LeasePlan {
  std::vector<std::string> take;  ///< Shards to try, in order.
  std::size_t give_back = 0;      ///< How many of the held ones are above this worker's share.
};

/// Pure. Takes only free or expired leases of shards whose parents are finished, gone or read to their end.
LeasePlan PlanLeases(const LeaseView& view);
/// True for a lease that some worker holds at that time.
bool Living(const client::Lease& lease, Timestamp now);

}  // namespace honryu::consumer
