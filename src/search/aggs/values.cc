#include "search/aggs/values.h"

#include <algorithm>
#include <numeric>

namespace honryu::search {
namespace {

/// Calls visit(index, string) for each of `ordinals` (rising).
template <class Visit>
void ForTerms(AggSegment& segment, const KeywordColumn& column, const std::vector<std::uint32_t>& ordinals,
              Visit&& visit) {
  if (const auto* small = segment.SmallTerms(column)) {
    for (std::size_t i = 0; i < ordinals.size(); ++i)
      if (ordinals[i] < small->size()) visit(i, BytesView((*small)[ordinals[i]]));
    return;
  }
  for (std::size_t i = 0; i < ordinals.size();) {
    const auto before = i;
    column.terms.Scan(ordinals[i], [&](BytesView term, const TermEntry& entry) {
      if (entry.ordinal == ordinals[i]) visit(i++, term);
      // Jump when the next one is not on this page or the one behind it.
      return i < ordinals.size() && ordinals[i] < entry.ordinal + Dictionary::kPageTerms;
    });
    if (i == before) ++i;  // its page is corrupt
  }
}

}  // namespace

StringGroups GroupByString(AggSegment& segment, const std::string& field, std::span<const std::uint32_t> docs,
                           bool with_docs) {
  StringGroups groups;
  const auto view = ViewField(segment.segment(), field);
  if (!view || !view->field->keywords) return groups;
  const KeywordColumn& column = *view->field->keywords;
  const auto terms = column.terms.size();

  // Of all documents the dictionary knows the counts already.
  if (!with_docs && docs.size() == segment.segment().doc_count() && column.overlong.empty()) {
    column.terms.Scan(0, [&](BytesView term, const TermEntry& entry) {
      groups.keys.emplace_back(term);
      groups.counts.push_back(entry.doc_count);
      return true;
    });
    return groups;
  }

  // (ordinal, document), each once.
  std::vector<std::uint32_t> ordinals, found;
  ordinals.reserve(docs.size());
  if (with_docs) found.reserve(docs.size());
  ColumnCursor cursor(column.ordinals, docs.size());
  for (const auto doc : docs) {
    const auto begin = ordinals.size();
    cursor.Of(doc, [&](std::int64_t value) {
      const auto ordinal =
          static_cast<std::uint64_t>(value) < terms ? static_cast<std::uint32_t>(value) : terms;
      if (ordinal == terms) return;
      if (std::find(ordinals.begin() + static_cast<std::ptrdiff_t>(begin), ordinals.end(), ordinal) !=
          ordinals.end())
        return;
      ordinals.push_back(ordinal);
      if (with_docs) found.push_back(doc);
    });
  }

  std::vector<std::uint32_t> distinct;
  if (terms <= ordinals.size() * 4 + 1024) {
    std::vector<std::size_t> ends(terms + std::size_t{1});
    for (const auto ordinal : ordinals) ++ends[ordinal + std::size_t{1}];
    for (std::uint32_t o = 0; o < terms; ++o)
      if (ends[o + std::size_t{1}] > 0) {
        distinct.push_back(o);
        groups.counts.push_back(ends[o + std::size_t{1}]);
      }
    if (with_docs) {
      std::partial_sum(ends.begin(), ends.end(), ends.begin());
      for (const auto o : distinct) groups.begins.push_back(ends[o]);
      groups.docs.resize(ordinals.size());
      for (std::size_t i = 0; i < ordinals.size(); ++i) groups.docs[ends[ordinals[i]]++] = found[i];
    }
  } else {
    std::vector<std::size_t> order(ordinals.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return ordinals[a] != ordinals[b] ? ordinals[a] < ordinals[b] : a < b; });
    for (const auto i : order) {
      if (distinct.empty() || distinct.back() != ordinals[i]) {
        distinct.push_back(ordinals[i]);
        groups.counts.push_back(0);
        groups.begins.push_back(groups.docs.size());
      }
      ++groups.counts.back();
      if (with_docs) groups.docs.push_back(found[i]);
    }
  }
  groups.keys.resize(distinct.size());
  ForTerms(segment, column, distinct, [&](std::size_t i, BytesView term) { groups.keys[i] = term; });
  groups.begins.resize(distinct.size());
  groups.begins.push_back(groups.docs.size());

  // Values that are too long for the dictionary.
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> more;
  for (const auto doc : column.overlong) {
    if (!std::binary_search(docs.begin(), docs.end(), doc)) continue;
    segment.source().Strings(doc, view->path, [&](std::string_view text) {
      if (column.terms.Find(text)) return;
      auto& list = more[std::string(text)];
      if (list.empty() || list.back() != doc) list.push_back(doc);
    });
  }
  for (auto& [key, list] : more) {
    groups.keys.push_back(key);
    groups.counts.push_back(list.size());
    if (with_docs) groups.docs.insert(groups.docs.end(), list.begin(), list.end());
    groups.begins.push_back(groups.docs.size());
  }
  return groups;
}

bool HasValue(AggSegment& segment, const std::string& field, std::uint32_t doc) {
  const auto view = ViewField(segment.segment(), field);
  if (!view) return false;
  std::size_t begin, end;
  for (const auto* column :
       {&view->field->longs, &view->field->doubles, &view->field->booleans, &view->field->dates})
    if (*column && (*column)->index().Find(doc, &begin, &end)) return true;
  if (!view->field->keywords) return false;
  const auto& overlong = view->field->keywords->overlong;
  return view->field->keywords->ordinals.index().Find(doc, &begin, &end) ||
         std::binary_search(overlong.begin(), overlong.end(), doc);
}

void WriteDouble(codec::JsonWriter& out, double value) {
  if (std::isfinite(value))
    out.Double(value);
  else
    out.Null();
}

}  // namespace honryu::search
