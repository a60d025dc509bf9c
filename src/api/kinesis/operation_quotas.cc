#include "api/kinesis/operation_quotas.h"

#include <algorithm>

namespace honryu::api::kinesis {
namespace {

using Scope = OperationQuotas::Scope;
using wire::Operation;

struct Quota {
  Operation operation;
  Scope scope;
  double per_second;
  double burst;
  bool counts_success = false;
};

constexpr double kDay = 24 * 3600;
constexpr Quota kQuotas[] = {
    {Operation::kCreateStream, Scope::kAccount, 5, 5},
    {Operation::kDeleteStream, Scope::kAccount, 5, 5},
    {Operation::kDescribeStream, Scope::kAccount, 10, 10},
    {Operation::kDescribeStreamSummary, Scope::kAccount, 20, 20},
    {Operation::kListStreams, Scope::kAccount, 5, 5},
    {Operation::kListShards, Scope::kStream, 1000, 1000},
    {Operation::kSplitShard, Scope::kAccount, 5, 5},
    {Operation::kMergeShards, Scope::kAccount, 5, 5},
    {Operation::kAddTagsToStream, Scope::kAccount, 5, 5},
    {Operation::kRegisterStreamConsumer, Scope::kAccount, 5, 5},
    {Operation::kDescribeStreamConsumer, Scope::kAccount, 20, 20},
    {Operation::kDescribeLimits, Scope::kAccount, 1, 1},
    {Operation::kSubscribeToShard, Scope::kConsumerAndShard, 1, 1},
    {Operation::kUpdateShardCount, Scope::kStream, 10 / kDay, 10, true},
    {Operation::kUpdateStreamMode, Scope::kStream, 2 / kDay, 2, true},
};

constexpr std::size_t kSweepAt = 1024;  // below, forgetting is not worth a look at each

const Quota* Find(Operation operation) {
  const auto found =
      std::ranges::find_if(kQuotas, [operation](const Quota& quota) { return quota.operation == operation; });
  return found == std::end(kQuotas) ? nullptr : found;
}

}  // namespace

OperationQuotas::Scope OperationQuotas::ScopeOf(Operation operation) {
  const Quota* quota = Find(operation);
  return quota == nullptr ? Scope::kNone : quota->scope;
}

bool OperationQuotas::CountsSuccess(Operation operation) {
  const Quota* quota = Find(operation);
  return quota != nullptr && quota->counts_success;
}

bool OperationQuotas::Take(Operation operation, std::string_view scope) {
  const Quota* quota = Find(operation);
  if (quota == nullptr) return true;
  const MonoTime now = clock_.Mono();
  const std::lock_guard lock(mutex_);
  // A full bucket is as good as none; so memory follows what is in use.
  if (buckets_.size() >= sweep_at_) {
    for (auto at = buckets_.begin(); at != buckets_.end();)
      at = at->second.IsFull(now) ? buckets_.erase(at) : std::next(at);
    sweep_at_ = std::max(kSweepAt, 2 * buckets_.size());
  }
  TokenBucket& bucket =
      buckets_.try_emplace(Key(operation, scope), quota->per_second, quota->burst, now).first->second;
  if (!bucket.Has(1, now)) return false;
  bucket.Take(1);
  return true;
}

void OperationQuotas::Return(Operation operation, std::string_view scope) {
  const std::lock_guard lock(mutex_);
  const auto found = buckets_.find(Key(operation, scope));
  if (found != buckets_.end()) found->second.Return(1);
}

}  // namespace honryu::api::kinesis
