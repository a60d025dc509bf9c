#pragma once

#include "search/aggs/aggregation.h"
#include "search/segment/column_cursor.h"

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace honryu::search {

/// A number with the type that its column has.
struct TypedNumber {
  enum class Type : std::uint8_t { kLong, kDouble, kBoolean, kDate };
  Type type = Type::kLong;
  std::int64_t whole = 0;
  double value = 0;
};

/// Calls visit(doc, TypedNumber) for the numbers, dates and booleans of `field`, documents in order;
/// without(doc) for documents that have no value at all, strings counted.
template <class Visit, class Without>
void ForEachNumber(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                   Visit&& visit, Without&& without) {
  const auto view = ViewField(segment.segment(), field);
  if (!view) {
    for (const auto doc : docs) without(doc);
    return;
  }
  using Type = TypedNumber::Type;
  std::vector<std::pair<Type, ColumnCursor>> cursors;
  const auto open = [&](Type type, const std::optional<Column>& column) {
    if (column) cursors.emplace_back(type, ColumnCursor(*column, docs.size()));
  };
  open(Type::kLong, view->field->longs);
  open(Type::kDouble, view->field->doubles);
  open(Type::kBoolean, view->field->booleans);
  open(Type::kDate, view->field->dates);
  const DocIndex* strings = view->field->keywords ? &view->field->keywords->ordinals.index() : nullptr;
  if (cursors.size() == 1 && strings == nullptr && cursors[0].second.column().index().single()) {
    // The usual field: one type, and no document with several values.
    auto& [type, cursor] = cursors[0];
    const Column& column = cursor.column();
    if (docs.size() == segment.segment().doc_count() && column.index().identity()) {
      std::array<std::int64_t, PackedInts::kBlock> block;
      for (std::size_t b = 0; b < column.values().blocks(); ++b) {
        const auto count = column.values().Decode(b, block.data());
        for (std::size_t i = 0; i < count; ++i)
          visit(static_cast<std::uint32_t>(b * PackedInts::kBlock + i),
                TypedNumber{type, block[i], column.ToDouble(block[i])});
      }
      return;
    }
    for (const auto doc : docs) {
      bool any = false;
      cursor.Of(doc, [&, of = type](std::int64_t stored) {
        any = true;
        visit(doc, TypedNumber{of, stored, column.ToDouble(stored)});
      });
      if (!any) without(doc);
    }
    return;
  }
  for (const auto doc : docs) {
    bool any = false;
    for (auto& typed : cursors)
      typed.second.Of(doc, [&](std::int64_t stored) {
        any = true;
        visit(doc, TypedNumber{typed.first, stored, typed.second.column().ToDouble(stored)});
      });
    std::size_t begin, end;
    if (!any && (strings == nullptr || !strings->Find(doc, &begin, &end))) without(doc);
  }
}

/// Calls visit(TypedNumber) for the numbers of documents of `field`.
template <class Visit>
void ForEachValue(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                  Visit&& visit) {
  using Type = TypedNumber::Type;
  const auto view = ViewField(segment.segment(), field);
  if (!view) return;
  if (docs.size() != segment.segment().doc_count()) {
    ForEachNumber(
        segment, field, docs, [&](std::uint32_t, const TypedNumber& number) { visit(number); },
        [](std::uint32_t) {});
    return;
  }
  // Of all documents: whose a value is does not matter.
  std::array<std::int64_t, PackedInts::kBlock> block;
  const auto all = [&](Type type, const std::optional<Column>& column) {
    if (!column) return;
    for (std::size_t b = 0; b < column->values().blocks(); ++b) {
      const auto count = column->values().Decode(b, block.data());
      for (std::size_t i = 0; i < count; ++i) visit(TypedNumber{type, block[i], column->ToDouble(block[i])});
    }
  };
  all(Type::kLong, view->field->longs);
  all(Type::kDouble, view->field->doubles);
  all(Type::kBoolean, view->field->booleans);
  all(Type::kDate, view->field->dates);
}

/// Calls visit(string) once for each different string that documents have in `field`.
template <class Visit>
void ForEachString(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                   Visit&& visit);

/// Documents by the strings they have.
struct StringGroups {
  std::vector<std::string> keys;  ///< Without order.
  std::vector<std::uint64_t> counts;
  std::vector<std::uint32_t> docs;  ///< Only where asked for: those of keys[0], then of keys[1] …
  std::vector<std::size_t> begins;  ///< Of each key's documents; one more at the end.
};
StringGroups GroupByString(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                           bool with_docs);
template <class Visit>
void ForEachString(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                   Visit&& visit) {
  const auto view = ViewField(segment.segment(), field);
  if (!view || !view->field->keywords) return;
  const KeywordColumn& column = *view->field->keywords;
  if (docs.size() == segment.segment().doc_count() && column.overlong.empty()) {
    column.terms.Scan(0, [&](BytesView term, const TermEntry&) {
      visit(term);
      return true;
    });
    return;
  }
  const auto groups = GroupByString(segment, field, docs, false);
  for (const auto& key : groups.keys) visit(BytesView(key));
}
/// True when the document has a string or other value of `field`.
bool HasValue(AggSegment& segment, const std::string& field, std::uint32_t doc);

/// A double as JSON: null unless finite.
void WriteDouble(codec::JsonWriter& out, double value);

}  // namespace honryu::search
