#include "sql/aggregate_operator.h"
#include "sql/span.h"

#include <algorithm>
#include <set>

namespace honryu::sql {
namespace {

// Windows that a key's rows open for themselves: sessions, which grow and merge, and stagger windows.
class SpanAggregate final : public AggregateOperator {
 public:
  SpanAggregate(Runtime& runtime, std::string pump, PlanNode& node)
      : AggregateOperator(runtime, std::move(pump), node), session_(window_.kind == WindowKind::kSession) {}

  void OnRow(std::size_t, const Row& row) override {
    if (!Prepare(row)) return;
    const std::int64_t end = row.time + window_.size;
    if (watermark_ != kNoWatermark && GoneAt(end) <= watermark_) return Late(row);
    auto found = keys_of_.find(key_);
    if (found == keys_of_.end()) {
      if (AtLimit(spans_, row)) return;
      found = keys_of_.emplace(key_, KeySpans()).first;
    }
    std::vector<Span>& spans = found->second.spans;
    Span& span = spans[session_ ? Merge(spans, row.time, end) : Find(spans, row.time, end)];
    AddTo(span.slots.data(), row);
    Touched(found->second, span, row.time);
  }

  void MergeState(StateReader& in) override {
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      key_ = in.Text();
      for (std::uint64_t count = in.Count(24); count > 0 && in.ok(); --count) {
        const std::int64_t start = in.I64();
        const std::int64_t end = in.I64();
        const std::uint64_t rows = in.U64();
        const bool gone = watermark_ != kNoWatermark && GoneAt(end) <= watermark_;
        auto found = keys_of_.find(key_);
        if (gone || (found == keys_of_.end() && AtLimit(spans_, key_, end))) {
          if (gone) LateState(key_, end, rows);
          std::vector<Slot> refused(calls_.size());
          LoadSlots(refused.data(), in);
          continue;
        }
        if (found == keys_of_.end()) found = keys_of_.emplace(key_, KeySpans()).first;
        Span& span = found->second.spans[Merge(found->second.spans, start, end)];
        MergeSlots(span.slots.data(), key_, end, in);
        if (in.ok()) Touched(found->second, span, end - window_.size);
      }
    }
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    while (!deadlines_.empty() && deadlines_.begin()->first <= watermark) {
      key_ = deadlines_.begin()->second;
      deadlines_.erase(deadlines_.begin());
      const auto found = keys_of_.find(key_);
      KeySpans& key = found->second;
      key.look_at = kEndOfTime;
      for (std::size_t i = 0; i < key.spans.size();) {
        Span& span = key.spans[i];
        if (!span.closed && DueAt(span.end) <= watermark) {
          span.closed = true;
          if (emit_ != EmitKind::kWhen) {
            Produce(key_, span.slots.data(), span.start, span.end, span.end, true, span.revision);
            span.emitted = true;
          }
        }
        if (GoneAt(span.end) <= watermark) {
          key.spans.erase(key.spans.begin() + static_cast<std::ptrdiff_t>(i));
          --spans_;
        } else {
          Schedule(key, span);
          ++i;
        }
      }
      if (key.spans.empty()) keys_of_.erase(found);
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    for (auto& [key, of_key] : keys_of_) {
      for (Span& span : of_key.spans) {
        if (!span.dirty || span.closed) continue;
        span.dirty = false;
        Produce(key, span.slots.data(), span.start, span.end, span.end, false, 0);
      }
    }
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.U64(keys_of_.size());
    for (const auto& [key, of_key] : keys_of_) {
      out.Text(key);
      out.U64(of_key.spans.size());
      for (const Span& span : of_key.spans) {
        out.I64(span.start);
        out.I64(span.end);
        out.U64(span.revision);
        out.U8(
            static_cast<std::uint8_t>((span.closed ? 1 : 0) | (span.dirty ? 2 : 0) | (span.emitted ? 4 : 0)));
        SaveSlots(span.slots.data(), out);
      }
    }
  }

  void Load(StateReader& in) override {
    keys_of_.clear();
    deadlines_.clear();
    spans_ = 0;
    LoadTime(in);
    for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
      key_ = in.Text();
      KeySpans& key = keys_of_[key_];
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
        Schedule(key, span);
        key.spans.push_back(std::move(span));
        ++spans_;
      }
    }
  }

  std::size_t StateEntries() const override { return spans_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = deadlines_.size() * 96;
    for (const auto& [key, of_key] : keys_of_) {
      bytes += 128 + key.capacity();
      for (const Span& span : of_key.spans) bytes += span.Bytes();
    }
    return bytes;
  }

 private:
  struct KeySpans {
    std::vector<Span> spans;            ///< By start.
    std::int64_t look_at = kEndOfTime;  ///< Its entry of deadlines_; kEndOfTime: none.
  };

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
  std::map<std::string, KeySpans> keys_of_;
  /// When to look at a key, one entry each; may be too early, as sessions grow.
  std::set<std::pair<std::int64_t, std::string>> deadlines_;
  std::size_t spans_ = 0;
};

}  // namespace

std::unique_ptr<Stage> MakeSpanAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<SpanAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
