#include "sql/aggregate_operator.h"

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
      found = keys_of_.emplace(key_, std::vector<Span>()).first;
    }
    std::vector<Span>& spans = found->second;
    const std::size_t place = session_ ? Merge(spans, row.time, end) : Find(spans, row.time, end);
    Span& span = spans[place];
    AddTo(span.slots.data(), row);
    span.dirty = true;
    deadlines_.emplace(NextOf(span), key_);
    if (span.closed) {
      Produce(key_, span.slots.data(), span.start, span.end, span.end, true,
              span.emitted ? ++span.revision : 0);
      span.emitted = true;
    } else if (emit_ == EmitKind::kChanges) {
      Produce(key_, span.slots.data(), span.start, span.end, span.end, false, 0);
      span.dirty = false;
    } else if (emit_ == EmitKind::kWhen && !span.emitted) {
      span.emitted = ProduceIf(key_, span.slots.data(), span.start, span.end, row.time);
    }
  }

  void OnWatermark(std::size_t, std::int64_t watermark) override {
    if (watermark <= watermark_) return;
    watermark_ = watermark;
    while (!deadlines_.empty() && deadlines_.begin()->first <= watermark) {
      const std::string key = deadlines_.begin()->second;
      deadlines_.erase(deadlines_.begin());
      const auto found = keys_of_.find(key);
      if (found == keys_of_.end()) continue;
      std::vector<Span>& spans = found->second;
      for (std::size_t i = 0; i < spans.size();) {
        Span& span = spans[i];
        if (!span.closed && DueAt(span.end) <= watermark) {
          span.closed = true;
          if (emit_ != EmitKind::kWhen) {
            Produce(key, span.slots.data(), span.start, span.end, span.end, true, span.revision);
            span.emitted = true;
          }
          deadlines_.emplace(GoneAt(span.end), key);
        }
        if (GoneAt(span.end) <= watermark) {
          spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(i));
          --spans_;
        } else {
          ++i;
        }
      }
      if (spans.empty()) keys_of_.erase(found);
    }
    Forward(WatermarkMinus(watermark, late_.hold_ms));
  }

  void OnTime() override {
    if (!IsDue()) return;
    for (auto& [key, spans] : keys_of_) {
      for (Span& span : spans) {
        if (!span.dirty || span.closed) continue;
        span.dirty = false;
        Produce(key, span.slots.data(), span.start, span.end, span.end, false, 0);
      }
    }
  }

  void Save(StateWriter& out) const override {
    SaveTime(out);
    out.U64(keys_of_.size());
    for (const auto& [key, spans] : keys_of_) {
      out.Text(key);
      out.U64(spans.size());
      for (const Span& span : spans) {
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
      const std::string key(in.Text());
      std::vector<Span>& spans = keys_of_[key];
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
        deadlines_.emplace(NextOf(span), key);
        spans.push_back(std::move(span));
        ++spans_;
      }
    }
  }

  std::size_t StateEntries() const override { return spans_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = deadlines_.size() * 96;
    for (const auto& [key, spans] : keys_of_) {
      bytes += 96 + key.capacity();
      for (const Span& span : spans) {
        bytes += sizeof(span) + span.slots.capacity() * sizeof(Slot);
        for (const Slot& slot : span.slots) bytes += slot.heavy ? slot.heavy->Bytes() : 0;
      }
    }
    return bytes;
  }

 private:
  struct Span {
    explicit Span(std::size_t slots_of_span) : slots(slots_of_span) {}
    std::int64_t start = 0, end = 0;
    std::uint32_t revision = 0;
    bool closed = false, dirty = false, emitted = false;
    std::vector<Slot> slots;
  };

  std::int64_t NextOf(const Span& span) const { return span.closed ? GoneAt(span.end) : DueAt(span.end); }

  std::size_t Open(std::vector<Span>& spans, std::int64_t start, std::int64_t end) {
    const auto at =
        std::find_if(spans.begin(), spans.end(), [&](const Span& span) { return span.start > start; });
    Span span(calls_.size());
    span.start = start;
    span.end = end;
    ++spans_;
    return static_cast<std::size_t>(spans.insert(at, std::move(span)) - spans.begin());
  }

  // The stagger window that holds the time; a new one begins with the row.
  std::size_t Find(std::vector<Span>& spans, std::int64_t time, std::int64_t end) {
    for (std::size_t i = 0; i < spans.size(); ++i)
      if (time >= spans[i].start && time < spans[i].end) return i;
    return Open(spans, time, end);
  }

  // The session that the row's own span [time, end) belongs to: [10:00..10:50) + [10:40..11:10) +
  // [10:55..11:25) become [10:00..11:25).
  std::size_t Merge(std::vector<Span>& spans, std::int64_t time, std::int64_t end) {
    std::size_t first = 0;
    while (first < spans.size() && spans[first].end <= time) ++first;
    if (first == spans.size() || spans[first].start >= end) return Open(spans, time, end);
    Span& session = spans[first];
    session.start = std::min(session.start, time);
    session.end = std::max(session.end, end);
    while (first + 1 < spans.size() && spans[first + 1].start < session.end) {
      Span& next = spans[first + 1];
      session.end = std::max(session.end, next.end);
      for (std::size_t i = 0; i < calls_.size(); ++i)
        calls_[i].aggregate->Merge(session.slots[i], next.slots[i], runtime_.eval);
      session.revision = std::max(session.revision, next.revision);
      session.emitted = session.emitted || next.emitted;
      spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(first + 1));
      --spans_;
    }
    if (session.closed && DueAt(session.end) > watermark_) {  // it goes on after all
      session.closed = false;
      if (session.emitted) ++session.revision;
    }
    return first;
  }

  bool session_;
  std::map<std::string, std::vector<Span>> keys_of_;          ///< Spans by start.
  std::set<std::pair<std::int64_t, std::string>> deadlines_;  ///< When to look at a key; may be too early.
  std::size_t spans_ = 0;
};

}  // namespace

std::unique_ptr<Stage> MakeSpanAggregate(Runtime& runtime, std::string pump, PlanNode& node) {
  return std::make_unique<SpanAggregate>(runtime, std::move(pump), node);
}

}  // namespace honryu::sql
