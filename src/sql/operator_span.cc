#include "sql/aggregate_operator.h"
#include "sql/span.h"
#include "sql/spill_area.h"

#include <algorithm>
#include <set>

namespace honryu::sql {
namespace {

// Windows that a key's rows open for themselves: sessions, which grow and merge, and stagger windows.
//
// Where memory has no room, keys go to the spill with all their spans ('K', key) and the time at which they
// are to be looked at ('D', time, key), and come back when a row or the watermark needs them.
class SpanAggregate final : public AggregateOperator {
 public:
  SpanAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node),
        session_(window_.kind == WindowKind::kSession),
        area_(runtime) {}

  void OnRow(std::size_t, const Row& row) override {
    if (area_.IsDue() && !busy_) Evict();
    const Busy busy(*this);
    if (!Prepare(row)) return;
    const std::int64_t end = row.time + window_.size;
    if (watermark_ != kNoWatermark && GoneAt(end) <= watermark_) return Late(row);
    KeySpans* key = Take();
    if (key == nullptr) return Refuse(row);
    const std::size_t before = Measure(*key);
    Span& span = key->spans[session_ ? Merge(key->spans, row.time, end) : Find(key->spans, row.time, end)];
    AddTo(span.slots.data(), row);
    Remeasure(before, *key);
    Touched(*key, span, row.time);
  }

  void MergeState(StateReader& in) override {
    if (area_.IsDue()) Evict();
    const Busy busy(*this);
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      key_ = in.Text();
      for (std::uint64_t count = in.Count(24); count > 0 && in.ok(); --count) {
        const std::int64_t start = in.I64();
        const std::int64_t end = in.I64();
        const std::uint64_t rows = in.U64();
        const bool gone = watermark_ != kNoWatermark && GoneAt(end) <= watermark_;
        KeySpans* key = gone ? nullptr : Take();
        if (key == nullptr) {
          if (gone) LateState(key_, end, rows);
          if (!gone) Refuse(key_, end);
          std::vector<Slot> refused(calls_.size());
          LoadSlots(refused.data(), in);
          continue;
        }
        const std::size_t before = Measure(*key);
        Span& span = key->spans[Merge(key->spans, start, end)];
        MergeSlots(span.slots.data(), key_, end, in);
        Remeasure(before, *key);
        if (in.ok()) Touched(*key, span, end - window_.size);
      }
    }
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    const Busy busy(*this);
    watermark_ = watermark;
    // By deadline and key, so that rows come out in the same order whatever was spilled or restored.
    for (;;) {
      if (spilled_keys_ > 0 && spilled_next_.first <= watermark &&
          (deadlines_.empty() || spilled_next_ < *deadlines_.begin()))
        LoadDue(watermark);
      if (deadlines_.empty() || deadlines_.begin()->first > watermark || runtime_.failure.has_value()) break;
      const std::int64_t now = deadlines_.begin()->first;
      key_ = deadlines_.begin()->second;
      deadlines_.erase(deadlines_.begin());
      const auto found = keys_of_.find(key_);
      KeySpans& key = found->second;
      const std::size_t before = Measure(key);
      key.look_at = kEndOfTime;
      for (std::size_t i = 0; i < key.spans.size();) {
        Span& span = key.spans[i];
        if (!span.closed && DueAt(span.end) <= now) {
          span.closed = true;
          if (emit_ != EmitKind::kWhen) {
            Produce(key_, span.slots.data(), span.start, span.end, span.end, true, span.revision);
            span.emitted = true;
          }
        }
        if (span.closed && GoneAt(span.end) <= now) {
          key.spans.erase(key.spans.begin() + static_cast<std::ptrdiff_t>(i));
          --spans_;
        } else {
          Schedule(key, span);
          ++i;
        }
      }
      if (key.spans.empty()) {
        area_.Shrink(before);
        keys_of_.erase(found);
      } else {
        Remeasure(before, key);
      }
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    const Busy busy(*this);
    auto next = keys_of_.begin();
    const auto give_before = [&](const std::string* end) {
      for (; next != keys_of_.end() && (end == nullptr || next->first < *end); ++next)
        GiveOutEarly(next->first, next->second);
    };
    const std::string prefix = area_.Key('K');
    std::string from = prefix;
    for (bool more = spilled_keys_ > 0; more && !runtime_.failure.has_value();) {
      constexpr std::size_t kBatchBytes = 1 << 20;
      more = false;
      std::vector<StateSpill::Entry> given;  // rewritten, so that they are given out once
      std::size_t given_bytes = 0;
      area_.ScanRange(from, SpillArea::Behind(prefix), [&](std::string_view place, std::string_view value) {
        const std::string key(place.substr(prefix.size()));
        KeySpans spilled;
        if (!Decode(value, spilled)) return false;
        give_before(&key);
        if (!GiveOutEarly(key, spilled)) return true;
        given.emplace_back(std::string(place), Encode(spilled));
        given_bytes += place.size() + given.back().second.size();
        if (given_bytes < kBatchBytes) return true;
        from = std::string(place) + '\0';
        more = true;
        return false;
      });
      if (!given.empty() && !area_.Put(given))
        runtime_.Fail(Error(ErrorCode::kUnavailable, "the spill has no room to mark rows as given out"));
    }
    give_before(nullptr);
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.U64(keys_of_.size() + spilled_keys_);
    for (const auto& [key, of_key] : keys_of_) {
      out.Text(key);
      PutSpans(of_key, out);
    }
    if (spilled_keys_ == 0) return;
    const std::string prefix = area_.Key('K');
    area_.Scan(prefix, [&](std::string_view key, std::string_view value) {
      out.Text(key.substr(prefix.size()));
      out.Raw(value.substr(8));
      return true;
    });
  }

  void Load(StateReader& in) override {
    keys_of_.clear();
    deadlines_.clear();
    spans_ = spilled_keys_ = spilled_spans_ = 0;
    spilled_next_ = {kEndOfTime, {}};
    area_.Resize(0);
    LoadTime(in);
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      key_ = in.Text();
      KeySpans& key = keys_of_[key_];
      TakeSpans(key, in);
      for (const Span& span : key.spans) Schedule(key, span);
      spans_ += key.spans.size();
      Remeasure(0, key);
      if (area_.IsDue()) Evict();
    }
  }

  // Keys not used lately go first, then all, until half is free.
  void Evict() override {
    constexpr std::size_t kBatchBytes = 1 << 20;
    const std::size_t target = area_.bytes() / 2;
    for (const bool cold_only : {true, false}) {
      std::vector<StateSpill::Entry> batch;
      std::vector<std::string> keys;  // of the batch
      std::size_t batch_bytes = 0, freed = 0;
      const auto write = [&] {
        if (!keys.empty() && !area_.Put(batch)) return false;
        for (const std::string& key : keys) Spilled(key);
        keys.clear();
        batch_bytes = freed = 0;
        return true;
      };
      for (auto& [key, of_key] : keys_of_) {
        if (area_.bytes() <= target + freed) break;
        if (cold_only && std::exchange(of_key.hot, false)) continue;
        batch.emplace_back(area_.Key('K') + key, Encode(of_key));
        batch.emplace_back(DeadlineKey(of_key.look_at, key), std::string());
        batch_bytes += 2 * key.size() + batch[batch.size() - 2].second.size() + 32;
        freed += BytesOf(key, of_key);
        keys.push_back(key);
        if (batch_bytes >= kBatchBytes) break;  // erasing changes the map
      }
      const bool more = batch_bytes >= kBatchBytes;
      if (!write()) return;
      if (more) return;  // comes again while memory is over its bound
    }
  }
  std::size_t EvictableBytes() const override { return area_.bytes(); }
  std::size_t SpilledEntries() const override { return spilled_spans_; }
  std::string_view Kind() const override { return session_ ? "sessions" : "stagger windows"; }
  std::size_t StateEntries() const override { return spans_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [key, of_key] : keys_of_) bytes += BytesOf(key, of_key);
    return bytes;
  }

 private:
  struct KeySpans {
    std::vector<Span> spans;            ///< By start.
    std::int64_t look_at = kEndOfTime;  ///< Its entry of deadlines_; kEndOfTime: none.
    bool hot = true;                    ///< Used since the last eviction.
  };
  // While one is alive, keys may be in use and keep their places.
  struct Busy {
    explicit Busy(SpanAggregate& of) : op(of), before(of.busy_) { op.busy_ = true; }
    ~Busy() { op.busy_ = before; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    SpanAggregate& op;
    bool before;
  };

  static std::size_t BytesOf(std::string_view key, const KeySpans& of_key) {
    std::size_t bytes = 224 + 2 * key.size();  // two nodes of trees
    for (const Span& span : of_key.spans) bytes += span.Bytes();
    return bytes;
  }
  std::size_t Measure(const KeySpans& key) const { return area_.bounded() ? BytesOf(key_, key) : 0; }
  void Remeasure(std::size_t before, const KeySpans& key) {
    if (!area_.bounded()) return;
    area_.Shrink(before);
    area_.Grow(BytesOf(key_, key));
  }
  std::string DeadlineKey(std::int64_t time, std::string_view key) const {
    std::string bytes = area_.Key('D');
    AppendOrdered(time, bytes);
    return bytes + std::string(key);
  }

  void PutSpans(const KeySpans& key, StateWriter& out) const {
    out.U64(key.spans.size());
    for (const Span& span : key.spans) {
      out.I64(span.start);
      out.I64(span.end);
      out.U64(span.revision);
      out.U8(
          static_cast<std::uint8_t>((span.closed ? 1 : 0) | (span.dirty ? 2 : 0) | (span.emitted ? 4 : 0)));
      SaveSlots(span.slots.data(), out);
    }
  }
  void TakeSpans(KeySpans& key, StateReader& in) const {
    for (std::uint64_t count = in.Count(25); count > 0 && in.ok(); --count) {
      Span span(calls_.size());
      span.start = in.I64();
      span.end = in.I64();
      span.revision = static_cast<std::uint32_t>(in.U64());
      const std::uint8_t flags = in.U8();
      span.closed = (flags & 1) != 0;
      span.dirty = (flags & 2) != 0;
      span.emitted = (flags & 4) != 0;
      LoadSlots(span.slots.data(), in);
      key.spans.push_back(std::move(span));
    }
  }
  std::string Encode(const KeySpans& key) const {
    std::string bytes;
    StateWriter out(bytes);
    out.I64(key.look_at);
    PutSpans(key, out);
    return bytes;
  }
  bool Decode(std::string_view bytes, KeySpans& key) {
    StateReader in(bytes);
    key.look_at = in.I64();
    TakeSpans(key, in);
    if (in.ok() && in.AtEnd()) return true;
    runtime_.Fail(Error(ErrorCode::kCorrupt, "spilled sessions are damaged"));
    return false;
  }

  // A key of memory is in the spill now.
  void Spilled(const std::string& key) {
    const auto found = keys_of_.find(key);
    const KeySpans& of_key = found->second;
    area_.Shrink(BytesOf(key, of_key));
    ++spilled_keys_;
    spilled_spans_ += of_key.spans.size();
    spilled_next_ = std::min(spilled_next_, {of_key.look_at, key});
    deadlines_.erase({of_key.look_at, key});
    keys_of_.erase(found);
  }

  // Brings the key in key_ back; nullptr: it is not there.
  KeySpans* TakeBack() {
    if (spilled_keys_ == 0) return nullptr;
    const std::string place = area_.Key('K') + key_;
    const std::optional<std::string> stored = area_.Get(place);
    if (!stored.has_value()) return nullptr;
    KeySpans& key = keys_of_[key_];
    if (!Decode(*stored, key)) return nullptr;
    area_.Erase({place, DeadlineKey(key.look_at, key_)});
    --spilled_keys_;
    spilled_spans_ -= key.spans.size();
    deadlines_.emplace(key.look_at, key_);
    Remeasure(0, key);
    return &key;
  }

  // The key in key_: from memory, from the spill, or new; nullptr: there is no room for a new one.
  KeySpans* Take() {
    if (const auto found = keys_of_.find(key_); found != keys_of_.end()) {
      found->second.hot = true;
      return &found->second;
    }
    if (KeySpans* key = TakeBack()) return key;
    if (IsFull(spans_)) return nullptr;
    KeySpans& key = keys_of_[key_];
    Remeasure(0, key);
    return &key;
  }

  // Brings back the first of the spilled keys whose time has come.
  void LoadDue(std::int64_t watermark) {
    constexpr std::size_t kMost = 256;
    std::vector<std::string> keys;
    const std::string prefix = area_.Key('D');
    const std::string from =
        DeadlineKey(spilled_next_.first, spilled_next_.second);  // behind what was erased
    spilled_next_ = {kEndOfTime, {}};
    area_.ScanRange(from, SpillArea::Behind(prefix), [&](std::string_view place, std::string_view) {
      place.remove_prefix(prefix.size());
      const std::int64_t time = TakeOrdered(place);
      if (time > watermark || keys.size() == kMost) {
        spilled_next_ = {time, std::string(place.substr(8))};
        return false;
      }
      keys.emplace_back(place.substr(8));
      return true;
    });
    for (const std::string& key : keys) {
      key_ = key;
      TakeBack();
    }
  }

  bool GiveOutEarly(std::string_view key, KeySpans& of_key) {
    bool any = false;
    for (Span& span : of_key.spans) {
      if (!span.dirty || span.closed) continue;
      span.dirty = false;
      any = true;
      Produce(key, span.slots.data(), span.start, span.end, span.end, false, 0);
    }
    return any;
  }

  // Sees to it that the key whose bytes are in key_ is looked at when the span is due, or earlier.
  void Schedule(KeySpans& key, const Span& span) {
    const std::int64_t next = span.closed ? GoneAt(span.end) : DueAt(span.end);
    if (next >= key.look_at) return;
    if (key.look_at != kEndOfTime) deadlines_.erase({key.look_at, key_});
    key.look_at = next;
    deadlines_.emplace(next, key_);
  }

  void Touched(KeySpans& key, Span& span, std::int64_t time) {
    span.dirty = true;
    Schedule(key, span);
    if (span.closed) {
      Produce(key_, span.slots.data(), span.start, span.end, span.end, true,
              span.emitted ? ++span.revision : 0);
      span.emitted = true;
    } else if (emit_ == EmitKind::kChanges) {
      Produce(key_, span.slots.data(), span.start, span.end, span.end, false, 0);
      span.dirty = false;
    } else if (emit_ == EmitKind::kWhen && !span.emitted) {
      span.emitted = ProduceIf(key_, span.slots.data(), span.start, span.end, time);
    }
  }

  // The stagger window that holds the time; a new one begins with the row.
  std::size_t Find(std::vector<Span>& spans, std::int64_t time, std::int64_t end) {
    for (std::size_t i = 0; i < spans.size(); ++i)
      if (time >= spans[i].start && time < spans[i].end) return i;
    ++spans_;
    return OpenSpan(spans, time, end, calls_.size());
  }

  std::size_t Merge(std::vector<Span>& spans, std::int64_t start, std::int64_t end) {
    const std::size_t before = spans.size();
    const std::size_t place = MergeIntoSession(spans, start, end, calls_, runtime_.eval);
    spans_ = spans_ + spans.size() - before;
    Span& session = spans[place];
    if (session.closed && DueAt(session.end) > watermark_) {  // it goes on after all
      session.closed = false;
      if (session.emitted) ++session.revision;
    }
    return place;
  }

  bool session_;
  mutable SpillArea area_;
  bool busy_ = false;
  std::map<std::string, KeySpans> keys_of_;
  /// When to look at a key of memory, one entry each; may be too early, as sessions grow.
  std::set<std::pair<std::int64_t, std::string>> deadlines_;
  std::size_t spans_ = 0;  ///< Of memory and spill.
  std::size_t spilled_keys_ = 0, spilled_spans_ = 0;
  /// No spilled key is to be looked at earlier.
  std::pair<std::int64_t, std::string> spilled_next_{kEndOfTime, {}};
};

}  // namespace

std::unique_ptr<Stage> MakeSpanAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<SpanAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
