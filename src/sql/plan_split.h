#pragma once

#include "sql/plan.h"

#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>

namespace honryu::sql {

/// Which part of a plan runs before the shards of a source come together: what needs no state (filters,
/// projections, lookups in tables, streams that only such queries write), and the first phase of aggregates
/// whose states can be merged. The same plan gives the same split and the same numbers everywhere.
class PlanSplit {
 public:
  explicit PlanSplit(const Plan& plan);

  /// Lanes have all rows of the stream.
  bool IsPartial(const StreamInfo& stream) const { return streams_.contains(&stream); }
  /// The operator and all below it run in lanes.
  bool IsPartial(const PlanNode& node) const { return nodes_.contains(&node); }
  /// The operator is an aggregate whose first phase runs in lanes.
  bool IsTwoPhase(const PlanNode& node) const { return two_phase_.contains(&node); }
  bool HasTwoPhase() const { return !two_phase_.empty(); }
  /// Rows of a partial stream are needed behind the split: by the host, or by an operator there.
  bool IsShipped(const StreamInfo& stream) const { return shipped_.contains(&stream); }
  /// A number that stands for the operator in what lanes hand on.
  std::size_t NumberOf(const PlanNode& node) const { return numbers_.at(&node); }
  /// Names of the sources that a partial operator's rows come from.
  std::set<std::string> SourcesOf(const PlanNode& node) const;
  std::set<std::string> SourcesOf(const StreamInfo& stream) const;

 private:
  void Number(const PlanNode& node);
  bool Classify(const PlanNode& node);
  void FindShipped(const PlanNode& node);

  const Plan& plan_;
  std::set<const StreamInfo*> streams_, shipped_;
  std::set<const PlanNode*> nodes_, two_phase_;
  std::unordered_map<const PlanNode*, std::size_t> numbers_;
};

}  // namespace honryu::sql
