#pragma once

#include "sql/aggregate.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace honryu::sql {

/// A window that a key's rows opened for themselves: a session or a stagger window.
struct Span {
  explicit Span(std::size_t slots_of_span) : slots(slots_of_span) {}
  std::int64_t start = 0, end = 0;
  std::uint64_t rows = 0;  ///< Of a first phase: how many it has taken.
  std::uint32_t revision = 0;
  bool closed = false, dirty = false, emitted = false;
  std::vector<Slot> slots;

  std::size_t Bytes() const {
    std::size_t bytes = sizeof(*this) + slots.capacity() * sizeof(Slot);
    for (const Slot& slot : slots) bytes += slot.heavy ? slot.heavy->Bytes() : 0;
    return bytes;
  }
};

/// Puts an empty span at its place by start; returns the place.
inline std::size_t OpenSpan(std::vector<Span>& spans, std::int64_t start, std::int64_t end,
                            std::size_t slots) {
  const auto at =
      std::find_if(spans.begin(), spans.end(), [&](const Span& span) { return span.start > start; });
  Span span(slots);
  span.start = start;
  span.end = end;
  return static_cast<std::size_t>(spans.insert(at, std::move(span)) - spans.begin());
}

/// The session that [start, end) belongs to, with those that it joins merged: [10:00..10:50) + [10:40..11:10)
/// + [10:55..11:25) become [10:00..11:25). Returns its place.
inline std::size_t MergeIntoSession(std::vector<Span>& spans, std::int64_t start, std::int64_t end,
                                    const std::vector<AggregateCall>& calls, EvalContext& eval) {
  std::size_t first = 0;
  while (first < spans.size() && spans[first].end <= start) ++first;
  if (first == spans.size() || spans[first].start >= end) return OpenSpan(spans, start, end, calls.size());
  Span& session = spans[first];
  session.start = std::min(session.start, start);
  session.end = std::max(session.end, end);
  while (first + 1 < spans.size() && spans[first + 1].start < session.end) {
    Span& next = spans[first + 1];
    session.end = std::max(session.end, next.end);
    for (std::size_t i = 0; i < calls.size(); ++i)
      calls[i].aggregate->Merge(session.slots[i], next.slots[i], eval);
    session.rows += next.rows;
    session.revision = std::max(session.revision, next.revision);
    session.emitted = session.emitted || next.emitted;
    session.dirty = session.dirty || next.dirty;
    spans.erase(spans.begin() + static_cast<std::ptrdiff_t>(first + 1));
  }
  return first;
}

}  // namespace honryu::sql
