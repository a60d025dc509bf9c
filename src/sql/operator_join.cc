#include "sql/operator.h"

#include <algorithm>
#include <deque>
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
        watermark_(2) {
    sides_[0].keys = std::move(node.left_keys);
    sides_[1].keys = std::move(node.right_keys);
    sides_[0].width = node.inputs[0]->width;
    sides_[1].width = node.inputs[1]->width;
    for (int side : {0, 1})
      sides_[side].columns = node.inputs[static_cast<std::size_t>(side)]->scope.ToColumns();
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
    Side& own = sides_[input];
    const std::int64_t watermark = watermark_.value();
    if (watermark != kNoWatermark && row.time < WatermarkMinus(watermark, hold_ms_))
      return runtime_.on_late("LATE_ROWS", pump_, own.columns, row);
    runtime_.eval.Use(row);
    std::string key;
    const bool has_key = KeyOf(own.keys, runtime_.eval, key);
    if (Failed(own.columns, row)) return;
    auto entry = std::make_shared<Entry>();
    entry->row = row;
    entry->row.values.resize(own.width);
    if (has_key) Probe(input, key, *entry);
    if (runtime_.eval.failed()) return;
    if (!has_key && !IsOuter(input)) return;
    entry->key = std::move(key);
    entry->has_key = has_key;
    if (has_key) own.rows[entry->key].push_back(entry);
    own.by_time.emplace(row.time, std::move(entry));
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
    for (const Side& side : sides_) {
      out.U64(side.by_time.size());
      for (const auto& [time, entry] : side.by_time) {
        out.Put(entry->row);
        out.Text(entry->key);
        out.U8(static_cast<std::uint8_t>((entry->matched ? 1 : 0) | (entry->has_key ? 2 : 0)));
      }
    }
  }

  void Load(StateReader& in) override {
    watermark_.Load(in);
    for (Side& side : sides_) {
      side.rows.clear();
      side.by_time.clear();
      for (std::uint64_t left = in.Count(25); left > 0 && in.ok(); --left) {
        auto entry = std::make_shared<Entry>();
        in.Take(entry->row);
        entry->key = in.Text();
        const std::uint8_t flags = in.U8();
        entry->matched = (flags & 1) != 0;
        entry->has_key = (flags & 2) != 0;
        if (entry->row.values.size() != side.width) return in.Fail();
        if (entry->has_key) side.rows[entry->key].push_back(entry);
        side.by_time.emplace(entry->row.time, std::move(entry));
      }
    }
  }

  std::string_view Kind() const override { return "join"; }
  std::size_t StateEntries() const override { return sides_[0].by_time.size() + sides_[1].by_time.size(); }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const Side& side : sides_) bytes += side.by_time.size() * (200 + side.width * sizeof(Value));
    return bytes;
  }

 private:
  struct Entry {
    Row row;
    std::string key;
    bool matched = false, has_key = false;
  };
  // Shared by the two indexes of a side: by key, to find matches, and by time, to let rows go.
  using EntryPtr = std::shared_ptr<Entry>;
  struct Side {
    std::vector<BoundPtr> keys;
    Columns columns;
    std::size_t width = 0;
    std::int64_t reach_ms = 0;  ///< How much later a row of the other side may be.
    std::unordered_map<std::string, std::deque<EntryPtr>> rows;
    std::multimap<std::int64_t, EntryPtr> by_time;
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

  void Probe(std::size_t input, const std::string& key, Entry& own) {
    const std::size_t other = 1 - input;
    const auto found = sides_[other].rows.find(key);
    if (found == sides_[other].rows.end()) return;
    Fill(input, &own.row);
    for (const EntryPtr& entry : found->second) {
      const std::int64_t later = own.row.time - entry->row.time;  // how much the new row is later
      if (later > sides_[other].reach_ms || -later > sides_[input].reach_ms) continue;
      Fill(other, &entry->row);
      out_.time = std::max(own.row.time, entry->row.time);
      if (predicate_) {
        runtime_.eval.Use(out_);
        const Value& keep = predicate_->Eval(runtime_.eval);
        if (Failed(columns_, out_)) continue;
        if (keep.is_null() || !keep.as_bool()) continue;
      }
      own.matched = entry->matched = true;
      Emit(out_);
    }
  }

  void Expire(std::size_t which, std::int64_t now) {
    Side& side = sides_[which];
    while (!side.by_time.empty()) {
      const auto first = side.by_time.begin();
      if (now != kEndOfTime && first->first + side.reach_ms >= now) break;
      const EntryPtr entry = first->second;
      side.by_time.erase(first);
      if (entry->has_key) {
        const auto found = side.rows.find(entry->key);
        std::erase(found->second, entry);
        if (found->second.empty()) side.rows.erase(found);
      }
      if (entry->matched || !IsOuter(which)) continue;
      Fill(which, &entry->row);
      Fill(1 - which, nullptr);
      out_.time = entry->row.time + side.reach_ms + (exclusive_ ? 1 : 0);
      Emit(out_);
    }
  }

  JoinKind kind_;
  BoundPtr predicate_;
  bool exclusive_;
  std::int64_t hold_ms_;
  std::size_t width_;
  Columns columns_;
  JointWatermark watermark_;
  Side sides_[2];
  Row out_;
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
