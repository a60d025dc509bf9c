#include "sql/aggregate_operator.h"
#include "sql/group_table.h"
#include "sql/outbox.h"
#include "sql/span.h"

#include <algorithm>

namespace honryu::sql {
namespace {

// The first phase of an aggregate. Rows of windows that the engine has closed go to it as they are, so that
// it tells whether they are late, or corrects what it gave; all others are aggregated.
class PartialAggregate : public AggregateOperator {
 public:
  PartialAggregate(Runtime& runtime, std::string pump, PlanNode& node, std::size_t number,
                   std::vector<std::size_t> sources)
      : AggregateOperator(runtime, std::move(pump), node), number_(number), sources_(std::move(sources)) {}

  void OnWatermark(std::size_t, std::int64_t) override {}
  std::string_view Kind() const override { return "first phase"; }

 protected:
  // The engine has closed nothing behind this.
  std::int64_t Bound() const {
    std::int64_t bound = kEndOfTime;
    for (const std::size_t source : sources_) bound = std::min(bound, runtime_.source_bounds[source]);
    return bound;
  }
  void ShipRow(const Row& row) { runtime_.outbox->Add(RowPlace::kOperator, number_, 0, row); }

 private:
  std::size_t number_;
  std::vector<std::size_t> sources_;
};

class PartialWindows final : public PartialAggregate {
 public:
  using PartialAggregate::PartialAggregate;

  void OnRow(std::size_t, const Row& row) override {
    if (!Prepare(row)) return;
    const std::int64_t bound = Bound();
    AssignWindows(window_, row.time, windows_);
    for (const auto& [start, end] : windows_)
      if (start != kNoWatermark && GoneAt(end) <= bound) return ShipRow(row);
    for (const auto& [start, end] : windows_) {
      GroupTable& groups = panes_.try_emplace({end, start}, calls_.size()).first->second;
      const std::size_t before = groups.size();
      if (IsFull(groups_) && !groups.Find(key_).has_value()) return Refuse(row);
      const std::size_t number = groups.FindOrAdd(key_);
      groups_ += groups.size() - before;
      AddTo(groups.slots(number), row);
      GroupTable::Group& group = groups.group(number);
      group.touched = std::max(group.touched, row.time);
      ++group.rows;
    }
  }

  void Save(StateWriter& out) const override {
    out.U64(panes_.size());
    for (const auto& [bounds, groups] : panes_) {
      out.I64(bounds.first);
      out.I64(bounds.second);
      out.U64(groups.size());
      for (std::size_t i = 0; i < groups.size(); ++i) {
        out.Text(groups.key(i));
        out.I64(groups.group(i).touched);
        out.U64(groups.group(i).rows);
        SaveSlots(groups.slots(i), out);
      }
    }
  }
  void Clear() override {
    panes_.clear();
    groups_ = 0;
  }
  std::size_t StateEntries() const override { return groups_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [bounds, groups] : panes_) bytes += sizeof(groups) + 64 + groups.Bytes();
    return bytes;
  }

 private:
  std::map<std::pair<std::int64_t, std::int64_t>, GroupTable> panes_;  ///< By end and start.
  std::size_t groups_ = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> windows_;
};

class PartialSessions final : public PartialAggregate {
 public:
  using PartialAggregate::PartialAggregate;

  void OnRow(std::size_t, const Row& row) override {
    if (!Prepare(row)) return;
    // What is behind the bound may belong to a session that has ended.
    if (row.time < Bound()) return ShipRow(row);
    if (IsFull(spans_) && !keys_of_.contains(key_)) return Refuse(row);
    std::vector<Span>& spans = keys_of_[key_];
    const std::size_t before = spans.size();
    Span& span = spans[MergeIntoSession(spans, row.time, row.time + window_.size, calls_, runtime_.eval)];
    spans_ = spans_ + spans.size() - before;
    AddTo(span.slots.data(), row);
    ++span.rows;
  }

  void Save(StateWriter& out) const override {
    out.U64(keys_of_.size());
    for (const auto& [key, spans] : keys_of_) {
      out.Text(key);
      out.U64(spans.size());
      for (const Span& span : spans) {
        out.I64(span.start);
        out.I64(span.end);
        out.U64(span.rows);
        SaveSlots(span.slots.data(), out);
      }
    }
  }
  void Clear() override {
    keys_of_.clear();
    spans_ = 0;
  }
  std::size_t StateEntries() const override { return spans_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [key, spans] : keys_of_) {
      bytes += 96 + key.capacity();
      for (const Span& span : spans) bytes += span.Bytes();
    }
    return bytes;
  }

 private:
  std::map<std::string, std::vector<Span>> keys_of_;
  std::size_t spans_ = 0;
};

}  // namespace

std::unique_ptr<Stage> MakePartialAggregate(Runtime& runtime, std::string pump, PlanNode& node,
                                            std::size_t number, std::vector<std::size_t> sources) {
  if (node.window.kind == WindowKind::kSession)
    return std::make_unique<PartialSessions>(runtime, std::move(pump), node, number, std::move(sources));
  return std::make_unique<PartialWindows>(runtime, std::move(pump), node, number, std::move(sources));
}

}  // namespace honryu::sql
