#include "sql/operator.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace honryu::sql {
namespace {

// A queue of rows with their joint aggregate in amortised constant time: two stacks (Tangwongsan, Hirzel,
// Schneider, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2). The back
// takes rows and keeps their aggregate; the front gives rows up and keeps, for each row, the aggregate of it
// and those behind it. Nothing is ever subtracted, so that sums of doubles do not drift.
class SlidingFrame {
 public:
  struct Entry {
    std::int64_t time = 0;
    std::uint64_t counts = 0;  ///< Bit i: the row counts for call i.
    std::vector<Value> args;   ///< Of those calls, one after the other.
  };
  static constexpr std::size_t kMostCalls = 64;

  explicit SlidingFrame(std::vector<AggregateCall>& calls) : calls_(&calls), back_(calls.size()) {
    HONRYU_CHECK(calls.size() <= kMostCalls, "more calls over one window than the planner lets through");
  }

  void Push(Entry entry, EvalContext& context) {
    AddEntry(back_.data(), entry, context);
    entries_.push_back(std::move(entry));
  }
  /// An entry without arguments, with the memory of one that has left.
  Entry Fresh() {
    Entry entry;
    entry.args = std::move(spare_);
    spare_.clear();
    entry.args.clear();
    return entry;
  }
  void PopFront(EvalContext& context) {
    const std::size_t width = calls_->size();
    if (front_.empty()) {
      front_.resize(entries_.size() * width);
      Slot* joint = front_.data();
      for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry, joint += width) {
        AddEntry(joint, *entry, context);
        if (entry == entries_.rbegin()) continue;
        for (std::size_t i = 0; i < width; ++i)
          (*calls_)[i].aggregate->Merge(joint[i], *(joint - width + i), context);
      }
      back_ = std::vector<Slot>(width);
    }
    front_.resize(front_.size() - width);
    spare_ = std::move(entries_.front().args);
    entries_.pop_front();
  }
  void Result(std::size_t call, Value& out, EvalContext& context) const {
    const Aggregate& aggregate = *(*calls_)[call].aggregate;
    if (front_.empty()) return aggregate.Result(back_[call], out);
    Slot joint;
    aggregate.Merge(joint, front_[front_.size() - calls_->size() + call], context);
    aggregate.Merge(joint, back_[call], context);
    aggregate.Result(joint, out);
  }
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  std::int64_t oldest() const { return entries_.front().time; }
  std::int64_t newest() const { return entries_.back().time; }
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  void AddEntry(Slot* slots, const Entry& entry, EvalContext& context) const {
    const Value* next = entry.args.data();
    for (std::size_t i = 0; i < calls_->size(); ++i) {
      if ((entry.counts >> i & 1) == 0) continue;
      const AggregateCall& call = (*calls_)[i];
      pointers_.clear();
      for (std::size_t a = 0; a < call.args.size(); ++a) pointers_.push_back(next++);
      call.aggregate->Add(slots[i], pointers_, entry.time, context);
    }
  }

  std::vector<AggregateCall>* calls_;
  std::deque<Entry> entries_;  ///< Oldest first.
  std::vector<Slot> front_;    ///< For the oldest entries, one after the other, the oldest last.
  std::vector<Slot> back_;
  std::vector<Value> spare_;
  mutable std::vector<const Value*> pointers_;
};

// Aggregates OVER the rows before each row. Rows wait until the watermark says that none may come before them
// (ranges: nor beside them, since rows of equal time see each other), then come out in order of time.
class OverOperator final : public Stage {
 public:
  OverOperator(Runtime& runtime, std::string pump, PlanNode& node)
      : Stage(runtime, std::move(pump)),
        keys_(std::move(node.exprs)),
        calls_(std::move(node.aggregates)),
        outputs_(node.outputs),
        width_(node.width),
        frame_(node.frame),
        inclusive_(node.inclusive),
        columns_(node.scope.ToColumns()) {}

  void OnRow(std::size_t, const Row& row) override {
    if (!row.final || row.revision > 0) {
      ++runtime_.skipped_partial_rows;
      return;
    }
    if (watermark_ != kNoWatermark && row.time < watermark_)
      return runtime_.on_late("LATE_ROWS", pump_, columns_, row);
    Row waiting;
    if (!spare_.empty()) {  // the memory of a row that is done with
      waiting = std::move(spare_.back());
      spare_.pop_back();
    }
    waiting = row;
    auto at = waiting_.end();
    while (at != waiting_.begin() && (at - 1)->time > row.time) --at;
    waiting_.insert(at, std::move(waiting));
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    while (!waiting_.empty() && IsReady(waiting_.front().time)) {
      const std::int64_t time = waiting_.front().time;
      while (!waiting_.empty() && waiting_.front().time == time && (peers_.empty() || !frame_.rows)) {
        peers_.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      Process(peers_);
      for (Row& row : peers_)
        if (spare_.size() < kSpareRows) spare_.push_back(std::move(row));
      peers_.clear();
    }
    Expire();
    // Rows that wait still come out with their own times.
    Forward(waiting_.empty() ? watermark : std::min(watermark, waiting_.front().time));
  }

  void Save(StateWriter& out) const override {
    out.I64(watermark_);
    out.U64(waiting_.size());
    for (const Row& row : waiting_) out.Put(row);
    out.U64(partitions_.size());
    for (const auto& [key, partition] : partitions_) {
      out.Text(key);
      out.U64(partition.frame.size());
      for (const SlidingFrame::Entry& entry : partition.frame.entries()) {
        out.I64(entry.time);
        out.U64(entry.counts);
        for (const Value& arg : entry.args) out.Put(arg);
      }
      for (std::size_t i = 0; i < calls_.size(); ++i) calls_[i].aggregate->Save(partition.running[i], out);
    }
  }

  void Load(StateReader& in) override {
    waiting_.clear();
    partitions_.clear();
    watermark_ = in.I64();
    waiting_.resize(in.Count(25));
    for (Row& row : waiting_) in.Take(row);
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      const std::string key(in.Text());
      Partition& partition = partitions_.try_emplace(key, calls_).first->second;
      for (std::uint64_t entries = in.Count(8); entries > 0 && in.ok(); --entries) {
        SlidingFrame::Entry entry;
        entry.time = in.I64();
        entry.counts = in.U64();
        for (std::size_t i = 0; i < calls_.size(); ++i)
          if ((entry.counts >> i & 1) != 0) entry.args.resize(entry.args.size() + calls_[i].args.size());
        for (Value& arg : entry.args) in.Take(arg);
        if (in.ok()) partition.frame.Push(std::move(entry), runtime_.eval);
      }
      for (std::size_t i = 0; i < calls_.size(); ++i) calls_[i].aggregate->Load(partition.running[i], in);
      if (!partition.frame.empty()) Schedule(key, partition, partition.frame.newest());
    }
  }

  std::string_view Kind() const override { return "over"; }
  std::size_t StateEntries() const override { return waiting_.size() + partitions_.size(); }
  std::size_t StateBytes() const override {
    std::size_t bytes = waiting_.size() * (sizeof(Row) + width_ * sizeof(Value));
    for (const auto& [key, partition] : partitions_)
      bytes += 160 + key.capacity() +
               partition.frame.size() *
                   (sizeof(SlidingFrame::Entry) + calls_.size() * (sizeof(Value) + sizeof(Slot)));
    return bytes;
  }

 private:
  struct Partition {
    explicit Partition(std::vector<AggregateCall>& calls) : frame(calls), running(calls.size()) {}
    SlidingFrame frame;
    std::vector<Slot> running;  ///< Of frames without a beginning.
    bool scheduled = false;     ///< It has an entry of ages_.
  };
  static constexpr std::size_t kSpareRows = 16;

  void Schedule(const std::string& key, Partition& partition, std::int64_t time) {
    if (partition.scheduled) return;
    partition.scheduled = true;
    ages_.emplace(time, key);
  }

  bool IsReady(std::int64_t time) const {
    return watermark_ == kEndOfTime || (frame_.rows ? time <= watermark_ : time < watermark_);
  }

  bool IsOut(std::int64_t time, std::int64_t now) const {
    return inclusive_ ? now - time > frame_.range.ms : now - time >= frame_.range.ms;
  }

  // Rows of equal time (one row, of ROWS frames): all go in, then each comes out.
  void Process(std::vector<Row>& peers) {
    EvalContext& eval = runtime_.eval;
    partition_of_.assign(peers.size(), nullptr);
    for (std::size_t p = 0; p < peers.size(); ++p) {
      eval.Use(peers[p]);
      key_.clear();
      for (const BoundPtr& key : keys_) AppendKey(key->Eval(eval), key_);
      if (Failed(columns_, peers[p])) continue;
      Partition& partition = partitions_.try_emplace(key_, calls_).first->second;
      SlidingFrame::Entry entry = partition.frame.Fresh();
      entry.time = peers[p].time;
      for (std::size_t i = 0; i < calls_.size(); ++i) {
        if (!calls_[i].Evaluate(eval)) continue;
        entry.counts |= std::uint64_t{1} << i;
        for (const Value* arg : calls_[i].values()) entry.args.push_back(*arg);
      }
      if (Failed(columns_, peers[p])) {
        if (partition.frame.empty() && !frame_.unbounded) partitions_.erase(key_);
        continue;
      }
      partition_of_[p] = &partition;
      if (frame_.unbounded) {
        for (std::size_t i = 0; i < calls_.size(); ++i)
          if ((entry.counts >> i & 1) != 0)
            calls_[i].aggregate->Add(partition.running[i], calls_[i].values(), entry.time, eval);
        continue;
      }
      partition.frame.Push(std::move(entry), eval);
      if (frame_.rows) {
        if (partition.frame.size() > static_cast<std::size_t>(frame_.count) + 1)
          partition.frame.PopFront(eval);
        continue;
      }
      while (!partition.frame.empty() && IsOut(partition.frame.oldest(), peers[p].time))
        partition.frame.PopFront(eval);
      Schedule(key_, partition, peers[p].time);
    }
    for (std::size_t p = 0; p < peers.size(); ++p) {
      if (partition_of_[p] == nullptr) continue;
      Partition& partition = *partition_of_[p];
      Row& row = peers[p];
      row.values.resize(width_);
      for (std::size_t i = 0; i < calls_.size(); ++i) {
        if (frame_.unbounded) {
          calls_[i].aggregate->Result(partition.running[i], row.values[outputs_[i]]);
        } else {
          partition.frame.Result(i, row.values[outputs_[i]], eval);
        }
      }
      if (Failed(columns_, row)) continue;
      Emit(row);
    }
  }

  // Forgets keys whose newest row has left every frame to come.
  void Expire() {
    if (frame_.rows || frame_.unbounded || watermark_ == kEndOfTime) return;
    while (!ages_.empty() && IsOut(ages_.begin()->first, watermark_)) {
      auto age = ages_.extract(ages_.begin());
      const auto found = partitions_.find(age.value().second);
      if (found == partitions_.end()) continue;
      if (IsOut(found->second.frame.newest(), watermark_)) {
        partitions_.erase(found);
      } else {
        age.value().first = found->second.frame.newest();
        ages_.insert(std::move(age));
      }
    }
  }

  std::vector<BoundPtr> keys_;
  std::vector<AggregateCall> calls_;
  std::vector<std::size_t> outputs_;
  std::size_t width_;
  Frame frame_;
  bool inclusive_;
  Columns columns_;
  std::deque<Row> waiting_;  ///< By time.
  std::unordered_map<std::string, Partition> partitions_;
  /// When to see whether a key can be forgotten, one entry each; may be too early.
  std::set<std::pair<std::int64_t, std::string>> ages_;
  std::vector<Row> peers_, spare_;
  std::vector<Partition*> partition_of_;  ///< Of the peers; nullptr: the row failed.
  std::string key_;
  std::int64_t watermark_ = kNoWatermark;
};

}  // namespace

std::unique_ptr<Stage> MakeOver(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<OverOperator>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
