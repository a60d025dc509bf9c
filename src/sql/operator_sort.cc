#include "sql/operator.h"
#include "sql/spill_area.h"
#include "sql/time_buffer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace honryu::sql {
namespace {

// Appends a value so that bytes compare as CompareValues does, and no such bytes begin others.
void AppendSortKey(const Value& value, bool descending, std::string& out) {
  const std::size_t start = out.size();
  out += static_cast<char>(value.tag());
  switch (value.tag()) {
    case Value::Tag::kNull:
      break;
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      AppendOrdered(value.as_int(), out);
      break;
    case Value::Tag::kDouble: {
      double real = value.as_double();
      if (real == 0) real = 0;  // -0.0
      if (std::isnan(real)) real = std::numeric_limits<double>::quiet_NaN();
      const auto bits = std::bit_cast<std::int64_t>(real);
      // Negative ones in opposite order, before the others.
      AppendOrdered(bits < 0 ? bits ^ std::numeric_limits<std::int64_t>::max() : bits, out);
      break;
    }
    case Value::Tag::kText:
      for (const char c : value.text()) {
        out += c;
        if (c == '\0') out += '\xff';
      }
      out.append(2, '\0');
      break;
  }
  if (!descending) return;
  for (std::size_t i = start; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

// Holds the rows of a bucket of time until it has passed, and gives them in order. Where memory has no room
// they go to the spill, those of a bucket that is over in the order in which they come out ('S', sort key ->
// row).
class SortOperator final : public Stage {
 public:
  SortOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        keys_(std::move(node.exprs)),
        descending_(node.descending),
        by_time_(node.sort_bucket),
        bucket_(node.window),
        columns_(node.scope.ToColumns()),
        area_(runtime),
        waiting_(runtime, area_, 'T') {}

  void OnRow(std::size_t, const Row& row) override {
    if (area_.IsDue()) Evict();
    if (IsOutOfRoom()) return Refuse(columns_, row, "row");
    runtime_.eval.Use(row);
    for (const BoundPtr& key : keys_) key->Eval(runtime_.eval);
    if (!Failed(columns_, row)) waiting_.Add(row);
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (waiting_.empty()) return Forward(watermark);
    const std::optional<Value> now = BucketOf(watermark);
    if (now.has_value() && *now == bucket_now_) return Forward(watermark);
    if (now.has_value()) bucket_now_ = *now;
    bool spilled = false;
    while (!waiting_.empty() && !runtime_.failure.has_value()) {
      bool over = watermark == kEndOfTime || (!now.has_value() && waiting_.oldest() <= watermark);
      if (!over && !now.has_value()) break;
      if (!over) {
        waiting_.VisitOldest([&](Row& row) {
          runtime_.eval.Use(row);
          over = CompareValues(keys_[0]->Eval(runtime_.eval), *now) < 0;
        });
      }
      if (!over) break;
      waiting_.VisitOldest([&](Row& row) {
        Take(row);
        if (area_.IsDue()) spilled = GiveToSpill() || spilled;
      });
      waiting_.DropOldest();
    }
    GiveOut(spilled);
    Forward(watermark);
  }

  void Save(StateWriter& out) const override { waiting_.Save(out); }
  void Load(StateReader& in) override {
    bucket_now_.SetNull();
    waiting_.Load(in);
  }
  void Evict() override { waiting_.Evict(waiting_.bytes() / 2); }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override { return waiting_.spilled(); }
  std::string_view Kind() const override { return "sort"; }
  std::size_t StateEntries() const override { return waiting_.size(); }
  std::size_t StateBytes() const override {
    return area_.bounded() ? area_.bytes()
                           : waiting_.size() * (sizeof(Row) + columns_.size() * sizeof(Value));
  }

 private:
  struct Ready {
    std::string order;
    Row row;
    std::size_t Bytes() const { return sizeof(Ready) + order.size() + RowBytes(row); }
  };

  // The leading key that the watermark lies in, whose rows are not all there; none: rows are ready as soon as
  // the watermark reaches them.
  std::optional<Value> BucketOf(std::int64_t watermark) {
    if (watermark == kEndOfTime || watermark == kNoWatermark) return {};
    if (by_time_) {
      runtime_.eval.row_time = watermark;
      Value now = keys_[0]->Eval(runtime_.eval);
      runtime_.eval.Clear();
      return now;
    }
    if (bucket_.kind == WindowKind::kUnbounded) return {};
    AssignWindows(bucket_, watermark, windows_);
    return Value::Int(windows_[0].first);
  }

  void Take(const Row& row) {
    runtime_.eval.Use(row);
    Ready ready;
    for (std::size_t i = 0; i < keys_.size(); ++i)
      AppendSortKey(keys_[i]->Eval(runtime_.eval), descending_[i], ready.order);
    AppendOrdered(next_number_++, ready.order);
    ready.row = row;
    if (area_.bounded()) {
      ready_bytes_ += ready.Bytes();
      area_.Grow(ready.Bytes());
    }
    ready_.push_back(std::move(ready));
  }

  bool GiveToSpill() {
    const std::string prefix = area_.Key('S');
    std::vector<StateSpill::Entry> batch;
    for (const Ready& ready : ready_) {
      std::string row;
      StateWriter(row).Put(ready.row);
      batch.emplace_back(prefix + ready.order, std::move(row));
    }
    if (batch.empty() || !area_.Put(batch)) return false;
    ForgetReady();
    return true;
  }
  void ForgetReady() {
    ready_.clear();
    area_.Shrink(ready_bytes_);
    ready_bytes_ = 0;
  }

  void GiveOut(bool spilled) {
    std::sort(ready_.begin(), ready_.end(), [](const Ready& a, const Ready& b) { return a.order < b.order; });
    std::size_t at = 0;
    if (spilled) {
      const std::string prefix = area_.Key('S');
      Row row;
      area_.Scan(prefix, [&](std::string_view key, std::string_view value) {
        key.remove_prefix(prefix.size());
        for (; at < ready_.size() && ready_[at].order < key; ++at) Emit(ready_[at].row);
        StateReader in(value);
        in.Take(row);
        if (!in.ok() || !in.AtEnd()) {
          runtime_.Fail(Error(ErrorCode::kCorrupt, "a spilled row is damaged"));
          return false;
        }
        Emit(row);
        return true;
      });
      area_.ErasePrefix(prefix);
    }
    for (; at < ready_.size(); ++at) Emit(ready_[at].row);
    ForgetReady();
  }

  std::vector<BoundPtr> keys_;
  std::vector<bool> descending_;
  bool by_time_;             ///< The leading key is computed from the row's time.
  WindowDefinition bucket_;  ///< Of a leading key that is a bucket of time; kUnbounded: it is none.
  Columns columns_;
  SpillArea area_;
  TimeBuffer waiting_;
  std::vector<Ready> ready_;  ///< While rows are given out.
  std::size_t ready_bytes_ = 0;
  std::int64_t next_number_ = 0;
  Value bucket_now_;
  std::vector<std::pair<std::int64_t, std::int64_t>> windows_;
};

}  // namespace

std::unique_ptr<Stage> MakeSort(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<SortOperator>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
