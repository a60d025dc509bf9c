#include "sql/plan_split.h"

#include <algorithm>

namespace honryu::sql {
namespace {

bool HasNoState(PlanNode::Kind kind) {
  return kind == PlanNode::Kind::kFilter || kind == PlanNode::Kind::kProject ||
         kind == PlanNode::Kind::kAssignWindows || kind == PlanNode::Kind::kTableJoin ||
         kind == PlanNode::Kind::kUnion;
}

// Stagger windows begin with the row that comes first, and rows of EMIT CHANGES and EMIT WHEN depend on each
// input row: those need the rows themselves.
bool HasMergeableWindows(const PlanNode& node) {
  if (node.kind != PlanNode::Kind::kAggregate) return false;
  if (node.emit.kind == EmitKind::kChanges || node.emit.kind == EmitKind::kWhen) return false;
  switch (node.window.kind) {
    case WindowKind::kUnbounded:
    case WindowKind::kTumble:
    case WindowKind::kCalendar:
    case WindowKind::kHop:
    case WindowKind::kCumulate:
    case WindowKind::kSession:
      return true;
    case WindowKind::kStagger:
    case WindowKind::kMonotonic:
    case WindowKind::kIncreasing:
      break;
  }
  return false;
}

}  // namespace

PlanSplit::PlanSplit(const Plan& plan) : plan_(plan) {
  std::set<std::string> written;
  for (const PlannedQuery& query : plan.queries)
    if (!query.stopped) written.insert(query.target);
  for (const auto& [name, info] : plan.streams)
    if (!info->late && name != "ERROR_STREAM") streams_.insert(info.get());
  for (const PlannedQuery& query : plan.queries) {  // writers come before readers
    if (query.stopped) continue;
    Number(*query.root);
    if (!Classify(*query.root)) streams_.erase(plan.streams.at(query.target).get());
  }
  for (const auto& [name, info] : plan.streams)
    if (IsPartial(*info) && info->output) shipped_.insert(info.get());
  for (const PlannedQuery& query : plan.queries)
    if (!query.stopped) FindShipped(*query.root);
}

void PlanSplit::Number(const PlanNode& node) {
  numbers_.emplace(&node, numbers_.size());
  for (const PlanPtr& input : node.inputs) Number(*input);
}

bool PlanSplit::Classify(const PlanNode& node) {
  bool partial = true;
  for (const PlanPtr& input : node.inputs) partial = Classify(*input) && partial;
  if (node.kind == PlanNode::Kind::kScan) partial = IsPartial(*node.stream);
  if (partial && HasMergeableWindows(node)) two_phase_.insert(&node);
  partial = partial && (node.kind == PlanNode::Kind::kScan || HasNoState(node.kind));
  if (partial) nodes_.insert(&node);
  return partial;
}

void PlanSplit::FindShipped(const PlanNode& node) {
  for (const PlanPtr& input : node.inputs) {
    const bool ahead = IsPartial(node) || IsTwoPhase(node);
    if (input->kind == PlanNode::Kind::kScan && IsPartial(*input) && !ahead) shipped_.insert(input->stream);
    FindShipped(*input);
  }
}

std::set<std::string> PlanSplit::SourcesOf(const StreamInfo& stream) const {
  std::set<std::string> sources;
  bool written = false;
  for (const PlannedQuery& query : plan_.queries) {
    if (query.stopped || query.target != stream.name) continue;
    written = true;
    sources.merge(SourcesOf(*query.root));
  }
  if (!written) sources.insert(stream.name);
  return sources;
}

std::set<std::string> PlanSplit::SourcesOf(const PlanNode& node) const {
  if (node.kind == PlanNode::Kind::kScan) return SourcesOf(*node.stream);
  std::set<std::string> sources;
  for (const PlanPtr& input : node.inputs) sources.merge(SourcesOf(*input));
  return sources;
}

}  // namespace honryu::sql
