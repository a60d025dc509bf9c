#include "sql/engine_impl.h"

#include <algorithm>

namespace honryu::sql {

Stage* EngineImpl::Own(std::unique_ptr<Stage> stage) {
  operators_.push_back(std::move(stage));
  return operators_.back().get();
}

std::vector<std::size_t> EngineImpl::SourceNumbers(const std::set<std::string>& names) const {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < sources_.size(); ++i)
    if (names.contains(sources_[i]->name())) numbers.push_back(i);
  return numbers;
}

void EngineImpl::Build() {
  for (const PlannedQuery& query : plan_->queries)
    if (!query.stopped) writers_[query.target].push_back(query.name);
  for (const auto& [name, info] : plan_->streams) {
    auto node = std::make_unique<StreamNode>(runtime_, *info, &sink_, &counters_);
    node->SetWriters(writers_[name]);
    if (runtime_.outbox != nullptr && split_.IsShipped(*info)) node->ShipAs(streams_.size());
    nodes_[name] = node.get();
    streams_.push_back(node.get());
    operators_.push_back(std::move(node));
  }
  for (const auto& [name, info] : plan_->streams) {
    if (!writers_[name].empty() || name == "ERROR_STREAM" || info->late) continue;
    sources_.push_back(std::make_unique<SourceFeed>(runtime_, *info, *nodes_[name], options_, counters_));
  }
  runtime_.source_bounds.assign(sources_.size(), kNoWatermark);
  if (runtime_.outbox != nullptr) return BuildPartial();
  std::map<std::string, std::size_t> next_input;
  for (PlannedQuery& query : plan_->queries) {
    if (query.stopped) continue;
    BuildNode(*query.root, query.name, nodes_[query.target], next_input[query.target]++,
              split_.IsPartial(*query.root));
  }
}

// `ahead`: lanes do what is done with the node's rows, if there are any.
void EngineImpl::BuildNode(PlanNode& node, const std::string& pump, Stage* next, std::size_t input,
                           bool ahead) {
  if (node.kind == PlanNode::Kind::kScan) {
    nodes_[node.stream->name]->AddReader(next, input, ahead && split_.IsPartial(node));
    return;
  }
  const std::size_t number = split_.NumberOf(node);
  Stage* op = Own(Make(node, pump));
  by_number_[number] = op;
  op->SetOutput(next, input);
  const bool of_partials = split_.IsPartial(node) || split_.IsTwoPhase(node);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) BuildNode(*node.inputs[i], pump, op, i, of_partials);
}

void EngineImpl::BuildPartial() {
  std::map<std::string, std::size_t> next_input;
  for (PlannedQuery& query : plan_->queries) {
    if (query.stopped) continue;
    const std::size_t input = next_input[query.target]++;
    StreamNode* target = nodes_[query.target];
    if (!split_.IsPartial(*query.root)) {
      BuildBefore(*query.root, query.name, nullptr, 0);
    } else if (split_.IsPartial(target->info())) {
      BuildNode(*query.root, query.name, target, input, true);
    } else {  // another writer of the stream runs behind the split
      const auto number =
          static_cast<std::size_t>(std::find(streams_.begin(), streams_.end(), target) - streams_.begin());
      Stage* ship = Own(std::make_unique<ShipStage>(runtime_, query.name, RowPlace::kWriter, number, input));
      BuildNode(*query.root, query.name, ship, 0, true);
    }
  }
}

// Builds what lies before the split at and below a node behind it.
void EngineImpl::BuildBefore(PlanNode& node, const std::string& pump, const PlanNode* parent,
                             std::size_t input) {
  if (split_.IsTwoPhase(node)) {
    const std::size_t number = split_.NumberOf(node);
    Stage* phase =
        Own(MakePartialAggregate(runtime_, pump, node, number, SourceNumbers(split_.SourcesOf(node))));
    first_phases_[number] = phase;
    BuildNode(*node.inputs[0], pump, phase, 0, true);
  } else if (!split_.IsPartial(node)) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) BuildBefore(*node.inputs[i], pump, &node, i);
  } else if (node.kind != PlanNode::Kind::kScan) {  // the rows of a scan are shipped by its stream
    Stage* ship = Own(
        std::make_unique<ShipStage>(runtime_, pump, RowPlace::kOperator, split_.NumberOf(*parent), input));
    BuildNode(node, pump, ship, 0, true);
  }
}

std::unique_ptr<Stage> EngineImpl::Make(PlanNode& node, const std::string& pump) {
  const WindowKind window = node.window.kind;
  switch (node.kind) {
    case PlanNode::Kind::kScan:
      break;
    case PlanNode::Kind::kFilter:
      return MakeFilter(runtime_, pump, node);
    case PlanNode::Kind::kProject:
      return MakeProject(runtime_, pump, node);
    case PlanNode::Kind::kAggregate:
      if (window == WindowKind::kIncreasing) return MakeIncreasingAggregate(runtime_, pump, node);
      return window == WindowKind::kSession || window == WindowKind::kStagger
                 ? MakeSpanAggregate(runtime_, pump, node)
                 : MakeWindowAggregate(runtime_, pump, node);
    case PlanNode::Kind::kAssignWindows:
      return MakeAssignWindows(runtime_, pump, node);
    case PlanNode::Kind::kOver:
      return MakeOver(runtime_, pump, node);
    case PlanNode::Kind::kStreamJoin:
      return MakeStreamJoin(runtime_, pump, node);
    case PlanNode::Kind::kTableJoin:
      return MakeTableJoin(runtime_, pump, node, *tables_read_);
    case PlanNode::Kind::kUnion:
      return MakeUnion(runtime_, pump, node);
    case PlanNode::Kind::kTableFunction:
      return MakeTableFunction(runtime_, pump, node);
    case PlanNode::Kind::kSort:
      return MakeSort(runtime_, pump, node);
    case PlanNode::Kind::kLimit:
      return MakeLimit(runtime_, pump, node);
  }
  return nullptr;
}

}  // namespace honryu::sql
