#include "sql/operator.h"
#include "sql/sliding_frame.h"
#include "sql/spill_area.h"
#include "sql/time_buffer.h"

#include <set>
#include <unordered_map>

namespace honryu::sql {
namespace {

// Aggregates OVER the rows before each row. Rows wait until the watermark says that none may come before them
// (ranges: nor beside them, since rows of equal time see each other), then come out in order of time.
//
// Where memory has no room, rows that wait go to the spill ('R', time, number), and keys with what their
// frames hold: rows of long frames ('C', key, number), the rest ('P', key) and when the key can be forgotten
// ('D', time, key). They come back when a row needs them.
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
        is_range_(!frame_.rows && !frame_.unbounded),
        kept_ms_(is_range_ ? frame_.range.ms : node.state_ttl_ms),
        columns_(node.scope.ToColumns()),
        area_(runtime),
        waiting_(runtime, area_, 'R') {}

  void OnRow(std::size_t, const Row& row) override {
    if (!row.final || row.revision > 0) {
      ++runtime_.skipped_partial_rows;
      return;
    }
    if (watermark_ != kNoWatermark && row.time < watermark_)
      return runtime_.on_late("LATE_ROWS", pump_, columns_, row);
    if (area_.IsDue()) Evict();
    if (IsOutOfRoom()) return Refuse(columns_, row, "row");
    waiting_.Add(row);
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    busy_ = true;
    while (!waiting_.empty() && IsReady(waiting_.oldest()) && !runtime_.failure.has_value()) {
      if (frame_.rows || waiting_.IsSingle()) {
        waiting_.VisitOldest([&](Row& row) {
          if (Partition* partition = Take(row)) Give(row, *partition);
        });
      } else {
        ProcessPeers();
      }
      waiting_.DropOldest();
    }
    Expire();
    busy_ = false;
    // Rows that wait still come out with their own times.
    Forward(waiting_.empty() ? watermark : std::min(watermark, waiting_.oldest()));
  }

  void Save(StateWriter& out) const override {
    out.I64(watermark_);
    waiting_.Save(out);
    out.U64(partitions_.size() + spilled_);
    for (const auto& [key, partition] : partitions_) {
      out.Text(key);
      SavePartition(key, partition, out);
    }
    if (spilled_ == 0) return;
    const std::string prefix = area_.Key('P');
    area_.Scan(prefix, [&](std::string_view place, std::string_view value) {
      const std::string key(place.substr(prefix.size()));
      Partition partition(calls_);
      if (!Decode(value, partition)) return false;
      out.Text(key);
      SavePartition(key, partition, out);
      return true;
    });
  }

  void Load(StateReader& in) override {
    partitions_.clear();
    ages_.clear();
    spilled_ = 0;
    spilled_next_ = kEndOfTime;
    watermark_ = in.I64();
    waiting_.Load(in);
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      const std::string key(in.Text());
      Partition& partition = partitions_.try_emplace(key, calls_).first->second;
      partition.newest = in.I64();
      if (frame_.unbounded) {
        LoadRunning(partition, in);
      } else {
        partition.frame.Load(in, runtime_.eval);
      }
      Added(key, partition);
      if (area_.IsDue()) Evict();
    }
  }

  // Keys not used lately go first, then rows that wait (not while they are visited), then all, until half is
  // free.
  void Evict() override {
    const std::size_t target = area_.bytes() / 2;
    EvictPartitions(target, true);
    if (area_.bytes() > target && !busy_)
      waiting_.Evict(waiting_.bytes() - std::min(waiting_.bytes(), area_.bytes() - target));
    if (area_.bytes() > target) EvictPartitions(target, false);
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override { return spilled_ + waiting_.spilled(); }
  std::string_view Kind() const override { return "over"; }
  std::size_t StateEntries() const override { return waiting_.size() + partitions_.size() + spilled_; }
  std::size_t StateBytes() const override {
    if (area_.bounded()) return area_.bytes();
    std::size_t bytes = waiting_.size() * (sizeof(Row) + width_ * sizeof(Value));
    for (const auto& [key, partition] : partitions_) bytes += BytesOf(key, partition);
    return bytes;
  }

 private:
  struct Partition {
    explicit Partition(FrameCalls& calls) : frame(calls), running(calls.size()) {}
    SlidingFrame frame;
    std::vector<Slot> running;  ///< Of frames without a beginning.
    std::int64_t newest = kNoWatermark;
    std::int64_t look_at = kEndOfTime;  ///< Its entry of ages_; kEndOfTime: none.
    std::size_t bytes = 0;              ///< As the area counts it.
    bool hot = true;                    ///< Used since the last eviction.
  };

  bool IsReady(std::int64_t time) const {
    return watermark_ == kEndOfTime || (frame_.rows ? time <= watermark_ : time < watermark_);
  }
  // A row of this time is no part of the frame of one of the time `now`.
  bool IsOut(std::int64_t time, std::int64_t now) const {
    const bool same_counts = inclusive_ && is_range_;
    return same_counts ? now - time > kept_ms_ : now - time >= kept_ms_;
  }

  std::size_t BytesOf(const std::string& key, const Partition& partition) const {
    std::size_t bytes = 200 + sizeof(Partition) + 2 * key.size() + partition.frame.bytes();
    for (const Slot& slot : partition.running) bytes += sizeof(Slot) + (slot.heavy ? slot.heavy->Bytes() : 0);
    return bytes;
  }
  void Measure(const std::string& key, Partition& partition) {
    if (!area_.bounded()) return;
    area_.Shrink(partition.bytes);
    partition.bytes = BytesOf(key, partition);
    area_.Grow(partition.bytes);
  }
  std::string SegmentsOf(const std::string& key) const { return area_.Key('C') + key; }
  std::string AgeKey(std::int64_t time, std::string_view key) const {
    std::string bytes = area_.Key('D');
    AppendOrdered(time, bytes);
    return bytes + std::string(key);
  }
  void Added(const std::string& key, Partition& partition) {
    Measure(key, partition);
    if (kept_ms_ > 0 && partition.newest != kNoWatermark) Schedule(key, partition);
  }
  void Schedule(const std::string& key, Partition& partition) {
    if (partition.look_at != kEndOfTime) return;
    partition.look_at = partition.newest;
    ages_.emplace(partition.look_at, key);
  }

  // Sets key_; false, and reported: it failed.
  bool MakeKey(const Row& row) {
    runtime_.eval.Use(row);
    key_.clear();
    for (const BoundPtr& key : keys_) AppendKey(key->Eval(runtime_.eval), key_);
    return !Failed(columns_, row);
  }

  // The partition of key_: from memory, from the spill, or new.
  Partition& Find() {
    if (const auto found = partitions_.find(key_); found != partitions_.end()) {
      found->second.hot = true;
      return found->second;
    }
    Partition& partition = partitions_.try_emplace(key_, calls_).first->second;
    if (spilled_ > 0) {
      const std::string place = area_.Key('P') + key_;
      const std::optional<std::string> stored = area_.Get(place);
      if (stored.has_value() && Decode(*stored, partition)) {
        std::vector<std::string> erased = {place};
        if (kept_ms_ > 0) erased.push_back(AgeKey(partition.newest, key_));
        area_.Erase(erased);
        --spilled_;
      }
    }
    Added(key_, partition);
    return partition;
  }

  // Adds a row to the frame of its key; nullptr, and reported: it failed.
  Partition* Take(const Row& row) {
    if (area_.IsDue()) Evict();
    if (!MakeKey(row)) return nullptr;
    EvalContext& eval = runtime_.eval;
    std::uint64_t counts = 0;
    for (std::size_t i = 0; i < calls_.size(); ++i)
      if (calls_.calls[i].Evaluate(eval)) counts |= std::uint64_t{1} << i;
    if (Failed(columns_, row)) return nullptr;
    Partition& partition = Find();
    if (frame_.unbounded || frame_.rows) {
      if (kept_ms_ > 0 && partition.newest != kNoWatermark && IsOut(partition.newest, row.time))
        Forget(partition);
    }
    partition.newest = row.time;
    if (frame_.unbounded) {
      for (std::size_t i = 0; i < calls_.size(); ++i)
        if ((counts >> i & 1) != 0)
          calls_.calls[i].aggregate->Add(partition.running[i], calls_.calls[i].values(), row.time, eval);
    } else {
      partition.frame.Push(row.time, counts, eval);
      if (frame_.rows) {
        if (partition.frame.size() > static_cast<std::size_t>(frame_.count) + 1) PopFront(partition);
      } else {
        while (!partition.frame.empty() && IsOut(partition.frame.oldest(), row.time) &&
               !runtime_.failure.has_value())
          PopFront(partition);
      }
    }
    if (kept_ms_ > 0) Schedule(key_, partition);
    Measure(key_, partition);
    return Failed(columns_, row) ? nullptr : &partition;
  }
  void PopFront(Partition& partition) {
    // Only a frame with rows in the spill needs their place.
    partition.frame.PopFront(area_, partition.frame.has_stored() ? SegmentsOf(key_) : std::string(),
                             runtime_.eval);
  }
  // What is in key_'s partition counts no more.
  void Forget(Partition& partition) {
    if (partition.frame.has_stored()) area_.ErasePrefix(SegmentsOf(key_));
    partition.frame = SlidingFrame(calls_);
    partition.running = std::vector<Slot>(calls_.size());
  }

  void Give(Row& row, const Partition& partition) {
    row.values.resize(width_);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (frame_.unbounded) {
        calls_.calls[i].aggregate->Result(partition.running[i], row.values[outputs_[i]]);
      } else {
        partition.frame.Result(i, row.values[outputs_[i]], runtime_.eval);
      }
    }
    if (!Failed(columns_, row)) Emit(row);
  }

  // Rows of equal time: all go in, then each comes out.
  void ProcessPeers() {
    std::vector<bool> failed;
    waiting_.VisitOldest([&](Row& row) { failed.push_back(Take(row) == nullptr); });
    std::size_t at = 0;
    waiting_.VisitOldest([&](Row& row) {
      if (at >= failed.size() || failed[at++] || runtime_.failure.has_value()) return;
      if (area_.IsDue()) Evict();
      if (MakeKey(row)) Give(row, Find());
    });
  }

  // Forgets keys whose newest row has left every frame to come.
  void Expire() {
    if (watermark_ == kEndOfTime) return ForgetAll();
    if (kept_ms_ == 0) return;
    while (!ages_.empty() && IsOut(ages_.begin()->first, watermark_)) {
      auto age = ages_.extract(ages_.begin());
      const auto found = partitions_.find(age.value().second);
      Partition& partition = found->second;
      if (IsOut(partition.newest, watermark_)) {
        if (partition.frame.has_stored()) area_.ErasePrefix(SegmentsOf(found->first));
        area_.Shrink(partition.bytes);
        partitions_.erase(found);
      } else {
        partition.look_at = age.value().first = partition.newest;
        ages_.insert(std::move(age));
      }
    }
    while (spilled_ > 0 && spilled_next_ != kEndOfTime && IsOut(spilled_next_, watermark_) &&
           !runtime_.failure.has_value())
      ExpireSpilled();
  }

  // No row comes any more.
  void ForgetAll() {
    for (const auto& [key, partition] : partitions_) area_.Shrink(partition.bytes);
    partitions_.clear();
    ages_.clear();
    for (const char letter : {'P', 'C', 'D'})
      if (area_.on()) area_.ErasePrefix(area_.Key(letter));
    spilled_ = 0;
    spilled_next_ = kEndOfTime;
  }

  // Some of them, and sets spilled_next_.
  void ExpireSpilled() {
    constexpr std::size_t kMost = 256;
    std::vector<std::string> erased, long_frames;
    const std::string prefix = area_.Key('D');
    const std::string from = AgeKey(spilled_next_, {});  // behind what was erased
    spilled_next_ = kEndOfTime;
    std::size_t keys = 0;
    area_.ScanRange(from, SpillArea::Behind(prefix),
                    [&](std::string_view place, std::string_view has_stored) {
                      const std::int64_t time = TakeOrdered(place.substr(prefix.size()));
                      if (!IsOut(time, watermark_) || keys == kMost) {
                        spilled_next_ = time;
                        return false;
                      }
                      ++keys;
                      const std::string key(place.substr(prefix.size() + 8));
                      erased.emplace_back(place);
                      erased.push_back(area_.Key('P') + key);
                      if (!has_stored.empty()) long_frames.push_back(key);
                      return true;
                    });
    for (const std::string& key : long_frames) area_.ErasePrefix(SegmentsOf(key));
    area_.Erase(erased);
    spilled_ -= keys;
  }

  void LoadRunning(Partition& partition, StateReader& in) {
    for (std::size_t i = 0; i < calls_.size(); ++i) calls_.calls[i].aggregate->Load(partition.running[i], in);
  }
  void SaveRunning(const Partition& partition, StateWriter& out) const {
    for (std::size_t i = 0; i < calls_.size(); ++i)
      calls_.calls[i].aggregate->Save(partition.running[i], out);
  }
  // For snapshots: all of it.
  void SavePartition(const std::string& key, const Partition& partition, StateWriter& out) const {
    out.I64(partition.newest);
    if (frame_.unbounded) {
      SaveRunning(partition, out);
    } else {
      partition.frame.Save(area_, SegmentsOf(key), out);
    }
  }
  // For the spill: all but the rows that are there already.
  std::string Encode(const Partition& partition) const {
    std::string bytes;
    StateWriter out(bytes);
    out.I64(partition.newest);
    if (frame_.unbounded) {
      SaveRunning(partition, out);
    } else {
      partition.frame.SaveRest(out);
    }
    return bytes;
  }
  bool Decode(std::string_view bytes, Partition& partition) const {
    StateReader in(bytes);
    partition.newest = in.I64();
    if (frame_.unbounded) {
      for (std::size_t i = 0; i < calls_.size(); ++i)
        calls_.calls[i].aggregate->Load(partition.running[i], in);
    } else {
      partition.frame.LoadRest(in, runtime_.eval);
    }
    if (in.ok() && in.AtEnd()) return true;
    runtime_.Fail(Error(ErrorCode::kCorrupt, "a spilled sliding window is damaged"));
    return false;
  }

  void EvictPartitions(std::size_t target, bool cold_only) {
    constexpr std::size_t kBatchBytes = 1 << 20;
    std::vector<StateSpill::Entry> batch;
    std::vector<std::string> keys;  // of the batch
    std::size_t batch_bytes = 0, freed = 0;
    const auto write = [&] {
      if (keys.empty()) return true;
      if (!area_.Put(batch)) return false;
      for (const std::string& key : keys) {
        const auto found = partitions_.find(key);
        const Partition& partition = found->second;
        area_.Shrink(partition.bytes);
        ++spilled_;
        spilled_next_ = std::min(spilled_next_, partition.newest);
        if (partition.look_at != kEndOfTime) ages_.erase({partition.look_at, key});
        partitions_.erase(found);
      }
      keys.clear();
      batch_bytes = freed = 0;
      return true;
    };
    for (auto next = partitions_.begin(); next != partitions_.end();) {
      if (area_.bytes() <= target + freed) break;
      auto& [key, partition] = *next++;  // writing erases those before
      if (cold_only && std::exchange(partition.hot, false)) continue;
      if (!partition.frame.Store(area_, SegmentsOf(key))) break;
      Measure(key, partition);
      batch.emplace_back(area_.Key('P') + key, Encode(partition));
      batch_bytes += 2 * key.size() + batch.back().second.size() + 32;
      if (kept_ms_ > 0)
        batch.emplace_back(AgeKey(partition.newest, key),
                           std::string(partition.frame.has_stored() ? 1 : 0, 'C'));
      freed += partition.bytes;
      keys.push_back(key);
      if (batch_bytes >= kBatchBytes && !write()) return;
    }
    write();
  }

  std::vector<BoundPtr> keys_;
  mutable FrameCalls calls_;
  std::vector<std::size_t> outputs_;
  std::size_t width_;
  Frame frame_;
  bool inclusive_;
  bool is_range_;         ///< Else ROWS, or a frame without a beginning.
  std::int64_t kept_ms_;  ///< A key that had no row for so long is forgotten; 0: never.
  Columns columns_;
  mutable SpillArea area_;
  TimeBuffer waiting_;
  std::unordered_map<std::string, Partition> partitions_;
  /// When to see whether a key of memory can be forgotten, one entry each; may be too early.
  std::set<std::pair<std::int64_t, std::string>> ages_;
  std::size_t spilled_ = 0;                 ///< Partitions.
  std::int64_t spilled_next_ = kEndOfTime;  ///< No spilled key had its last row earlier.
  bool busy_ = false;                       ///< Rows that wait are visited.
  std::string key_;
  std::int64_t watermark_ = kNoWatermark;
};

}  // namespace

std::unique_ptr<Stage> MakeOver(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<OverOperator>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
