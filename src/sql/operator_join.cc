#include "sql/join_side.h"
#include "sql/operator.h"

#include <algorithm>
#include <unordered_map>

namespace honryu::sql {
namespace {

// Key bytes of a row; false: a part is NULL, which equals nothing.
bool KeyOf(const std::vector<BoundPtr>& keys, EvalContext& eval, std::string& out) {
  out.clear();
  for (const BoundPtr& key : keys) {
    const Value& value = key->Eval(eval);
    if (value.is_null()) return false;
    AppendKey(value, out);
  }
  return true;
}

// A time some way off, without leaving the range.
std::int64_t Shift(std::int64_t time, std::int64_t ms) {
  if (time == kNoWatermark || time == kEndOfTime) return time;
  std::int64_t shifted = 0;
  if (!__builtin_add_overflow(time, ms, &shifted)) return shifted;
  return ms < 0 ? kNoWatermark : kEndOfTime;
}

// Joins two streams on keys and a bound in time. Each side keeps its rows as long as a row of the other side
// may still match; outer joins give an unmatched row out when it is let go.
class StreamJoin final : public Stage {
 public:
  StreamJoin(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        kind_(node.join),
        predicate_(std::move(node.predicate)),
        exclusive_(node.exclusive),
        hold_ms_(node.late.hold_ms),
        width_(node.width),
        columns_(node.scope.ToColumns()),
        watermark_(2),
        area_(runtime),
        sides_{Side(runtime, area_, {'a', 'b', 'c'}, IsOuter(0)),
               Side(runtime, area_, {'d', 'e', 'f'}, IsOuter(1))} {
    sides_[0].keys = std::move(node.left_keys);
    sides_[1].keys = std::move(node.right_keys);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      sides_[side].width = node.inputs[side]->width;
      sides_[side].columns = node.inputs[side]->scope.ToColumns();
    }
    // right time - left time lies in [-before, after]
    sides_[0].reach_ms = node.after_ms;
    sides_[1].reach_ms = node.before_ms;
    out_.values.resize(width_);
  }

  void OnRow(std::size_t input, const Row& row) override {
    if (!row.final || row.revision > 0) {
      ++runtime_.skipped_partial_rows;
      return;
    }
    if (area_.IsDue()) Evict();
    Side& own = sides_[input];
    const std::int64_t watermark = watermark_.value();
    if (watermark != kNoWatermark && row.time < WatermarkMinus(watermark, hold_ms_))
      return runtime_.on_late("LATE_ROWS", pump_, own.columns, row);
    runtime_.eval.Use(row);
    const bool has_key = KeyOf(own.keys, runtime_.eval, key_);
    if (Failed(own.columns, row)) return;
    if (IsOutOfRoom()) return Refuse(own.columns, row, "row");
    const bool matched = has_key && Probe(input, row);
    if (!has_key && !IsOuter(input)) return;
    if (row.values.size() == own.width) return own.rows.Add(row, has_key ? &key_ : nullptr, matched);
    cut_ = row;
    cut_.values.resize(own.width);
    own.rows.Add(cut_, has_key ? &key_ : nullptr, matched);
  }

  void OnWatermark(std::size_t input, std::int64_t watermark) override {
    if (!watermark_.Set(input, watermark)) return;
    const std::int64_t now = WatermarkMinus(watermark_.value(), hold_ms_);
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) Expire(side, now);
    // An unmatched row comes out with the time at which it is let go: nothing older than `now` is left.
    Forward(now);
  }

  void Save(StateWriter& out) const override {
    watermark_.Save(out);
    for (const Side& side : sides_) side.rows.Save(out);
  }
  void Load(StateReader& in) override {
    watermark_.Load(in);
    for (Side& side : sides_) side.rows.Load(in, side.width);
  }

  void Evict() override {
    for (Side& side : sides_) side.rows.Evict(side.rows.bytes() / 2);
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override { return sides_[0].rows.spilled() + sides_[1].rows.spilled(); }
  std::string_view Kind() const override { return "join"; }
  std::size_t StateEntries() const override { return sides_[0].rows.size() + sides_[1].rows.size(); }
  std::size_t StateBytes() const override {
    if (area_.bounded()) return area_.bytes();
    std::size_t bytes = 0;
    for (const Side& side : sides_) bytes += side.rows.size() * (200 + side.width * sizeof(Value));
    return bytes;
  }

 private:
  struct Side {
    Side(Runtime& runtime, SpillArea& area, JoinSide::Letters letters, bool tracks)
        : rows(runtime, area, letters, tracks) {}
    std::vector<BoundPtr> keys;
    Columns columns;
    std::size_t width = 0;
    std::int64_t reach_ms = 0;  ///< How much later a row of the other side may be.
    JoinSide rows;
  };

  bool IsOuter(std::size_t side) const {
    return kind_ == JoinKind::kFull || (kind_ == JoinKind::kLeft && side == 0) ||
           (kind_ == JoinKind::kRight && side == 1);
  }

  void Fill(std::size_t side, const Row* row) {
    const std::size_t start = side == 0 ? 0 : sides_[0].width;
    for (std::size_t i = 0; i < sides_[side].width; ++i) {
      if (row == nullptr) {
        out_.values[start + i].SetNull();
      } else {
        out_.values[start + i] = row->values[i];
      }
    }
  }

  // Gives out what a new row with the key in key_ makes with the other side's; false: nothing.
  bool Probe(std::size_t input, const Row& own) {
    const std::size_t other = 1 - input;
    bool any = false;
    Fill(input, &own);
    const std::int64_t from = Shift(own.time, -sides_[other].reach_ms);
    const std::int64_t to = Shift(own.time, sides_[input].reach_ms);
    sides_[other].rows.Find(key_, from, to, [&](const Row& row) {
      const bool fits = Match(other, row, own.time);
      any = any || fits;
      return fits;
    });
    return any;
  }

  bool Match(std::size_t other, const Row& row, std::int64_t own_time) {
    Fill(other, &row);
    out_.time = std::max(own_time, row.time);
    if (predicate_) {
      runtime_.eval.Use(out_);
      const Value& keep = predicate_->Eval(runtime_.eval);
      if (Failed(columns_, out_) || keep.is_null() || !keep.as_bool()) return false;
    }
    Emit(out_);
    return true;
  }

  void Expire(std::size_t which, std::int64_t now) {
    const std::int64_t reach = sides_[which].reach_ms;
    sides_[which].rows.Expire(Shift(now, -reach), [&](const Row& row, bool matched) {
      if (matched) return;
      Fill(which, &row);
      Fill(1 - which, nullptr);
      out_.time = row.time + reach + (exclusive_ ? 1 : 0);
      Emit(out_);
    });
  }

  JoinKind kind_;
  BoundPtr predicate_;
  bool exclusive_;
  std::int64_t hold_ms_;
  std::size_t width_;
  Columns columns_;
  JointWatermark watermark_;
  SpillArea area_;
  Side sides_[2];
  Row out_, cut_;
  std::string key_;
};

// Looks rows up in a reference table, as it is when the row is processed.
class TableJoin final : public Stage {
 public:
  TableJoin(Runtime& runtime, std::string pump, PlanNode& node, const ReferenceTables& tables)
      : Stage(runtime, std::move(pump)),
        outer_(node.join == JoinKind::kLeft),
        predicate_(std::move(node.predicate)),
        left_keys_(std::move(node.left_keys)),
        right_keys_(std::move(node.right_keys)),
        left_width_(node.inputs[0]->width),
        table_width_(node.table->columns.size()),
        columns_(node.scope.ToColumns()),
        table_(node.table->name),
        tables_(tables) {}

  void OnRow(std::size_t, const Row& row) override {
    Refresh();
    runtime_.eval.Use(row);
    const bool has_key = KeyOf(left_keys_, runtime_.eval, key_);
    if (Failed(columns_, row)) return;
    out_ = row;
    out_.values.resize(left_width_ + table_width_);
    bool matched = false;
    const auto found = has_key ? index_.find(key_) : index_.end();
    if (found != index_.end()) {
      for (const std::size_t place : found->second) {
        const std::vector<Value>& from = tables_.Of(table_).rows[place];
        for (std::size_t i = 0; i < table_width_; ++i) out_.values[left_width_ + i] = from[i];
        if (predicate_) {
          runtime_.eval.Use(out_);
          const Value& keep = predicate_->Eval(runtime_.eval);
          if (Failed(columns_, out_)) return;
          if (keep.is_null() || !keep.as_bool()) continue;
        }
        matched = true;
        Emit(out_);
      }
    }
    if (matched || !outer_) return;
    for (std::size_t i = 0; i < table_width_; ++i) out_.values[left_width_ + i].SetNull();
    Emit(out_);
  }
  void OnWatermark(std::size_t, std::int64_t watermark) override { Forward(watermark); }

 private:
  void Refresh() {
    const ReferenceTables::Rows& table = tables_.Of(table_);
    if (table.version == version_) return;
    version_ = table.version;
    index_.clear();
    for (std::size_t place = 0; place < table.rows.size(); ++place) {
      runtime_.eval.values = table.rows[place].data();
      if (KeyOf(right_keys_, runtime_.eval, key_)) index_[key_].push_back(place);
      runtime_.eval.Clear();
    }
  }

  bool outer_;
  BoundPtr predicate_;
  std::vector<BoundPtr> left_keys_, right_keys_;
  std::size_t left_width_, table_width_;
  Columns columns_;
  std::string table_;
  const ReferenceTables& tables_;
  std::uint64_t version_ = 0;
  std::unordered_map<std::string, std::vector<std::size_t>> index_;
  std::string key_;
  Row out_;
};

}  // namespace

std::unique_ptr<Stage> MakeStreamJoin(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<StreamJoin>(runtime, std::move(pump), node);
}
std::unique_ptr<Stage> MakeTableJoin(Runtime& runtime, std::string pump, PlanNode& node,
                                     const ReferenceTables& tables) {
  return std::make_unique<TableJoin>(runtime, std::move(pump), node, tables);
}

}  // namespace honryu::sql
