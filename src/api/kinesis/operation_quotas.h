#pragma once

#include "honryu/base/time.h"
#include "honryu/base/token_bucket.h"
#include "honryu/wire/kinesis.h"

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace honryu::api::kinesis {

/// How often Kinesis lets an account call the operations that manage it ("Quotas and limits" and the API
/// reference, Amazon Kinesis Data Streams). Those on records have quotas of shards instead (honryu/broker).
/// What has been used is not kept over a restart. Thread-safe; calls nothing while locked.
class OperationQuotas {
 public:
  /// `clock` must outlive this.
  explicit OperationQuotas(const Clock& clock) : clock_(clock) {}

  /// Takes one call. `scope` is what the operation's quota is for (see Scope); false: too many.
  bool Take(wire::Operation operation, std::string_view scope);
  /// Gives back what Take took: some operations count only when they succeed.
  void Return(wire::Operation operation, std::string_view scope);

  enum class Scope { kNone, kAccount, kStream, kConsumerAndShard };
  /// What `scope` must name for the operation; kNone: it has no quota.
  static Scope ScopeOf(wire::Operation operation);
  /// Whether only calls that succeed count.
  static bool CountsSuccess(wire::Operation operation);

 private:
  using Key = std::pair<wire::Operation, std::string>;

  const Clock& clock_;
  std::mutex mutex_;  // leaf
  std::map<Key, TokenBucket, std::less<>> buckets_;
  std::size_t sweep_at_ = 0;
};

}  // namespace honryu::api::kinesis
