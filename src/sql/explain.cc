#include "sql/plan.h"
#include "sql/plan_split.h"

#include <algorithm>

namespace honryu::sql {
namespace {

std::string KeysText(const std::vector<BoundPtr>& keys) {
  std::string out;
  for (const BoundPtr& key : keys) out += (out.empty() ? "" : ", ") + key->signature;
  return out.empty() ? "none" : out;
}

std::string Emission(const PlanNode& node) {
  std::string out;
  switch (node.emit.kind) {
    case EmitKind::kChanges:
      out = "emit changes";
      break;
    case EmitKind::kEvery:
      out = "emit every " + DurationText(node.emit.every.ms) + " and final";
      break;
    case EmitKind::kWhen:
      out = "emit when " + node.predicate->signature;
      break;
    default:
      out = "emit final";
  }
  if (node.late.hold_ms > 0) out += " after " + DurationText(node.late.hold_ms) + " of grace";
  if (node.window.kind == WindowKind::kUnbounded) return out;
  out += "; late rows: ";
  if (node.late.policy == LatePolicy::kDrop) return out + "dropped";
  if (node.late.policy == LatePolicy::kUpdate) return out + "update for " + DurationText(node.late.update_ms);
  return out + "to " + node.late.stream;
}

class Explainer {
 public:
  explicit Explainer(const Plan& plan) : split_(plan) {}

  std::string Text(const Plan& plan) {
    for (const PlannedQuery& query : plan.queries) {
      out_ += query.name + " -> " + query.target + (query.stopped ? " (stopped)" : "") + "\n";
      Node(*query.root, 1);
    }
    Line(0, split_.HasTwoPhase() ? "lanes: several, for aggregates in two phases" : "lanes: one");
    return out_;
  }

 private:
  void Line(int depth, const std::string& text) {
    out_.append(static_cast<std::size_t>(2 * depth), ' ');
    out_ += text + "\n";
  }

  void Node(const PlanNode& node, int depth) {
    switch (node.kind) {
      case PlanNode::Kind::kScan:
        return Line(depth, Scan(*node.stream));
      case PlanNode::Kind::kFilter:
        Line(depth, "Filter " + node.detail);
        break;
      case PlanNode::Kind::kProject: {
        std::string columns;
        for (const ScopeColumn& column : node.scope.columns)
          columns += (columns.empty() ? "" : ", ") + column.name + " " + column.type.ToString();
        Line(depth, "Project " + columns);
        break;
      }
      case PlanNode::Kind::kAggregate: {
        std::string calls;
        for (const AggregateCall& call : node.aggregates) calls += (calls.empty() ? "" : ", ") + call.text;
        Line(depth, "Aggregate " + node.window.ToString() + " by " + KeysText(node.exprs) + ": " +
                        (calls.empty() ? "no aggregates" : calls));
        Line(depth + 1, "state: one group a key and window; " + Emission(node));
        Line(depth + 1, Shuffle(node));
        break;
      }
      case PlanNode::Kind::kAssignWindows:
        Line(depth, "AssignWindows " + node.window.ToString());
        break;
      case PlanNode::Kind::kOver:
        Line(depth, "Over " + node.detail + " by " + KeysText(node.exprs));
        Line(depth + 1, "state: the rows of the frame, a key");
        break;
      case PlanNode::Kind::kStreamJoin:
        Line(depth, std::string(Name(node.join)) + " StreamJoin on " + KeysText(node.left_keys) + " = " +
                        KeysText(node.right_keys) + ", right from -" + DurationText(node.before_ms) +
                        " to +" + DurationText(node.after_ms) +
                        (node.predicate ? " where " + node.predicate->signature : ""));
        Line(depth + 1, "state: rows of both sides as long as they may match; shuffle: by the join's keys");
        break;
      case PlanNode::Kind::kTableJoin:
        Line(depth,
             std::string(Name(node.join)) + " TableJoin " + node.detail + " on " + KeysText(node.left_keys));
        break;
      case PlanNode::Kind::kUnion:
        Line(depth, "Union");
        break;
      case PlanNode::Kind::kTableFunction:
        Line(depth, node.detail + " " + node.function->Describe());
        Line(depth + 1, "state: the function's own; shuffle: all rows to one place");
        break;
      case PlanNode::Kind::kSort:
        Line(depth, "Sort within buckets of time by " + KeysText(node.exprs));
        break;
      case PlanNode::Kind::kLimit:
        Line(depth, "Limit " + std::to_string(node.limit));
        break;
    }
    for (const PlanPtr& input : node.inputs) Node(*input, depth + 1);
  }

  static std::string_view Name(JoinKind kind) {
    return kind == JoinKind::kInner   ? "Inner"
           : kind == JoinKind::kLeft  ? "Left"
           : kind == JoinKind::kRight ? "Right"
                                      : "Full";
  }

  static std::string Scan(const StreamInfo& stream) {
    std::string columns;
    for (std::size_t i = 0; i < stream.columns.size(); ++i)
      if (stream.used[i] != 0) columns += (columns.empty() ? "" : ", ") + stream.columns[i].name;
    std::string out = "Scan " + stream.name + ": reads " + (columns.empty() ? "no columns" : columns);
    if (stream.time_column.has_value())
      return out + "; event time " + stream.columns[*stream.time_column].name + ", out of order by up to " +
             DurationText(stream.bound_ms);
    return out + "; time of arrival";
  }

  // Groups by all columns of the partition key live in one shard each; others are put together from parts.
  std::string Shuffle(const PlanNode& node) const {
    const std::string all =
        split_.IsTwoPhase(node) ? "shuffle: two phases, by key" : "shuffle: all rows, by key";
    const PlanNode* below = node.inputs[0].get();
    while (below->kind == PlanNode::Kind::kFilter) below = below->inputs[0].get();
    if (below->kind != PlanNode::Kind::kScan || below->stream->partition.empty()) return all;
    for (const std::string& wanted : below->stream->partition) {
      const bool grouped = std::any_of(node.exprs.begin(), node.exprs.end(), [&](const BoundPtr& key) {
        const std::size_t* column = key->AsColumn();
        return column != nullptr && *column < below->stream->columns.size() &&
               below->stream->columns[*column].name == wanted;
      });
      if (!grouped) return all;
    }
    return "shuffle: none, each shard by itself";
  }

  PlanSplit split_;
  std::string out_;
};

}  // namespace

std::string ExplainPlan(const Plan& plan) { return Explainer(plan).Text(plan); }

}  // namespace honryu::sql
