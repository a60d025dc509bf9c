#include "search/query/field_view.h"

#include "search/index/document_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace honryu::search {
namespace {

constexpr std::string_view kExactSuffix = ".keyword";
/// Fewer ordinals than this are looked up one by one; more are marked and the column is scanned.
constexpr std::size_t kFewOrdinals = 16;

DocSet Union(std::uint32_t doc_count, const std::vector<TermEntry>& entries,
             const std::function<PostingsCursor(const TermEntry&)>& open) {
  std::uint64_t total = 0;
  for (const auto& entry : entries) total += entry.doc_count;
  if (entries.size() == 1 || total * 32 <= doc_count) {
    std::vector<std::uint32_t> docs;
    docs.reserve(total);
    for (const auto& entry : entries)
      for (auto cursor = open(entry); cursor.Next();)
        if (cursor.target() < doc_count) docs.push_back(cursor.target());
    if (entries.size() > 1) {
      std::sort(docs.begin(), docs.end());
      docs.erase(std::unique(docs.begin(), docs.end()), docs.end());
    }
    return DocSet::FromSorted(doc_count, std::move(docs));
  }
  std::vector<std::uint64_t> bits((doc_count + 63) / 64);
  for (const auto& entry : entries)
    for (auto cursor = open(entry); cursor.Next();)
      if (cursor.target() < doc_count) bits[cursor.target() / 64] |= 1ULL << (cursor.target() % 64);
  return DocSet::FromBits(doc_count, std::move(bits));
}

DocSet DocsOf(const Segment& segment, const FieldView& view, const std::vector<TermEntry>& entries) {
  if (entries.empty()) return DocSet(segment.doc_count());
  if (const auto* exact = view.exact())
    return Union(segment.doc_count(), entries, [&](const TermEntry& entry) { return exact->Open(entry); });
  const auto* text = view.text();
  if (!text->by_ordinal)
    return Union(segment.doc_count(), entries, [&](const TermEntry& entry) { return text->Open(entry); });
  std::vector<std::uint32_t> ordinals;
  for (const auto& entry : entries)
    for (auto cursor = text->Open(entry); cursor.Next();) ordinals.push_back(cursor.target());
  std::sort(ordinals.begin(), ordinals.end());
  ordinals.erase(std::unique(ordinals.begin(), ordinals.end()), ordinals.end());
  return ToDocs(segment, view, std::move(ordinals));
}

/// Terms (sources of long values) that are tried between two looks at the limits.
constexpr std::size_t kLookEvery = 256, kLookEverySource = 32;

/// Long values are in no dictionary: documents that have some are tried by their source.
Result<void> AddLong(const FieldView& view, const std::function<bool(std::string_view)>& accept,
                     SourceReader& source, const SearchLimits& limits, DocSet& docs) {
  const auto* exact = view.exact();
  if (exact == nullptr || exact->overlong.empty()) return Ok();
  std::vector<std::uint32_t> found;
  std::size_t tried = 0;
  for (const auto doc : exact->overlong) {
    if (++tried % kLookEverySource == 0) HONRYU_TRY_VOID(limits.Check());
    bool any = false;
    source.Strings(doc, view.path, [&](std::string_view text) { any |= accept(text); });
    if (any) found.push_back(doc);
  }
  docs.Or(DocSet::FromSorted(docs.doc_count(), std::move(found)));
  return Ok();
}

/// Documents whose stored numbers fit; skip(min, max) rules whole blocks out.
template <class Skip, class Fits>
DocSet ScanColumn(const Column& column, std::uint32_t doc_count, Skip&& skip, Fits&& fits) {
  const auto& values = column.values();
  std::array<std::int64_t, PackedInts::kBlock> block;
  std::vector<std::uint32_t> docs;
  if (column.index().identity()) {
    for (std::size_t b = 0; b < values.blocks(); ++b) {
      if (skip(values.BlockMin(b), values.BlockMax(b))) continue;
      const auto count = values.Decode(b, block.data());
      for (std::size_t i = 0; i < count; ++i)
        if (fits(block[i])) docs.push_back(static_cast<std::uint32_t>(b * PackedInts::kBlock + i));
    }
    return DocSet::FromSorted(doc_count, std::move(docs));
  }
  std::size_t loaded = SIZE_MAX;
  bool skipped = false;
  column.index().ForEach([&](std::uint32_t doc, std::size_t value) {
    const auto b = value / PackedInts::kBlock;
    if (b != loaded) {
      loaded = b;
      skipped = skip(values.BlockMin(b), values.BlockMax(b));
      if (!skipped) values.Decode(b, block.data());
    }
    if (skipped || !fits(block[value % PackedInts::kBlock])) return;
    if (docs.empty() || docs.back() != doc) docs.push_back(doc);
  });
  return DocSet::FromSorted(doc_count, std::move(docs));
}

}  // namespace

std::optional<FieldView> ViewField(const Segment& segment, std::string_view name) {
  if (const auto* field = segment.Find(name)) return FieldView{field, field->name, field->text.has_value()};
  if (!name.ends_with(kExactSuffix)) return std::nullopt;
  name.remove_suffix(kExactSuffix.size());
  if (const auto* field = segment.Find(name)) return FieldView{field, field->name, false};
  return std::nullopt;
}

void SourceReader::Strings(std::uint32_t doc, std::string_view path,
                           const std::function<void(std::string_view)>& visit) {
  const auto text = Get(doc);
  if (!text.ok()) return;
  DocumentParser parser;
  const auto object = parser.Parse(*text);
  if (!object.ok()) return;
  for (const auto member : *object) {
    if (!path.starts_with(member.key)) continue;
    const auto take = [&](const simdjson::dom::element& element) {
      if (element.is_string()) visit(element.get_string().value_unsafe());
    };
    if (path.size() == member.key.size())
      ForEachAt(member.value, std::string_view(), take);
    else if (path[member.key.size()] == '.')
      ForEachAt(member.value, path.substr(member.key.size() + 1), take);
  }
}

DocSet ToDocs(const Segment& segment, const FieldView& view, std::vector<std::uint32_t> targets) {
  const auto doc_count = segment.doc_count();
  const auto* text = view.text();
  if (text == nullptr || !text->by_ordinal) {
    while (!targets.empty() && targets.back() >= doc_count) targets.pop_back();
    return DocSet::FromSorted(doc_count, std::move(targets));
  }
  const KeywordColumn& exact = *view.field->keywords;
  if (targets.size() <= kFewOrdinals) {
    std::vector<TermEntry> entries;
    for (const auto ordinal : targets)
      exact.terms.Scan(ordinal, [&](BytesView, const TermEntry& entry) {
        entries.push_back(entry);
        return false;
      });
    if (entries.empty()) return DocSet(doc_count);
    return Union(doc_count, entries, [&](const TermEntry& entry) { return exact.Open(entry); });
  }
  std::vector<bool> wanted(exact.terms.size() + std::size_t{1});
  for (const auto ordinal : targets)
    if (ordinal < exact.terms.size()) wanted[ordinal] = true;
  return ScanColumn(
      exact.ordinals, doc_count, [](std::int64_t, std::int64_t) { return false; },
      [&](std::int64_t ordinal) {
        return static_cast<std::uint64_t>(ordinal) < exact.terms.size() &&
               wanted[static_cast<std::size_t>(ordinal)];
      });
}

Result<DocSet> MatchStrings(const Segment& segment, const FieldView& view, const StringTest& test,
                            SourceReader& source, const SearchLimits& limits) {
  const auto* exact = view.exact();
  const auto* text = view.text();
  if (exact == nullptr && text == nullptr) return DocSet(segment.doc_count());
  const auto& terms = exact != nullptr ? exact->terms : text->terms;
  std::vector<TermEntry> entries;
  std::size_t tried = 0;
  Result<void> going = Ok();
  terms.Scan(terms.LowerBound(test.first), [&](BytesView term, const TermEntry& entry) {
    if (!test.within(term)) return false;
    if (++tried % kLookEvery == 0) going = limits.Check();
    if (test.accept(term)) entries.push_back(entry);
    return going.ok();
  });
  HONRYU_TRY_VOID(std::move(going));
  auto docs = DocsOf(segment, view, entries);
  HONRYU_TRY_VOID(AddLong(
      view,
      [&](std::string_view value) { return value >= test.first && test.within(value) && test.accept(value); },
      source, limits, docs));
  return docs;
}

DocSet MatchExactStrings(const Segment& segment, const FieldView& view,
                         const std::vector<std::string>& strings, SourceReader& source) {
  const auto* exact = view.exact();
  const auto* text = view.text();
  if (exact == nullptr && text == nullptr) return DocSet(segment.doc_count());
  std::vector<TermEntry> entries;
  for (const auto& string : strings)
    if (const auto entry = (exact != nullptr ? exact->terms : text->terms).Find(string))
      entries.push_back(*entry);
  auto docs = DocsOf(segment, view, entries);
  (void)AddLong(
      view,
      [&](std::string_view value) {
        return std::find(strings.begin(), strings.end(), value) != strings.end();
      },
      source, SearchLimits(), docs)
      .ok();  // without limits it cannot fail
  return docs;
}

std::vector<IdField> IdFields(const Segment& segment) {
  std::vector<IdField> fields;
  const auto* own = segment.Find(kIdField);
  if (own != nullptr && own->keywords) fields.push_back({own});
  const auto* paths = segment.Find(kIdPathField);
  if (paths == nullptr || !paths->keywords) return fields;
  paths->keywords->terms.Scan(0, [&](BytesView path, const TermEntry& entry) {
    const auto* field = segment.Find(path);
    if (field != nullptr && field->keywords) fields.push_back({field, entry.ordinal});
    return true;
  });
  return fields;
}

std::vector<std::uint32_t> FindId(const Segment& segment, std::string_view id) {
  std::vector<std::uint32_t> docs;
  SourceReader source(segment);
  const auto* paths = segment.Find(kIdPathField);
  for (const auto& field : IdFields(segment)) {
    const auto found =
        MatchExactStrings(segment, {field.values, field.values->name, false}, {std::string(id)}, source);
    found.ForEach([&](std::uint32_t doc) {
      std::size_t begin, end;
      if (field.path_ordinal && (!paths->keywords->ordinals.index().Find(doc, &begin, &end) ||
                                 paths->keywords->Ordinal(begin) != *field.path_ordinal))
        return;
      docs.push_back(doc);
    });
  }
  std::sort(docs.begin(), docs.end());
  docs.erase(std::unique(docs.begin(), docs.end()), docs.end());
  return docs;
}

DocSet MatchPresent(const Segment& segment, const SegmentField& field) {
  DocSet docs(segment.doc_count());
  const auto add = [&](const Column& column) {
    if (column.index().identity()) {
      docs = DocSet::All(segment.doc_count());
      return;
    }
    std::vector<std::uint32_t> present;
    column.index().ForEach([&](std::uint32_t doc, std::size_t) {
      if (present.empty() || present.back() != doc) present.push_back(doc);
    });
    docs.Or(DocSet::FromSorted(segment.doc_count(), std::move(present)));
  };
  for (const auto* column : {&field.longs, &field.doubles, &field.booleans, &field.dates})
    if (*column) add(**column);
  if (field.keywords) {
    add(field.keywords->ordinals);
    docs.Or(DocSet::FromSorted(segment.doc_count(), field.keywords->overlong));
  } else if (field.text && !field.text->by_ordinal) {
    std::vector<std::uint32_t> present;  // a further view of a string field: it has no column of its own
    for (std::uint32_t doc = 0; doc < segment.doc_count(); ++doc)
      if (field.text->lengths.Get(doc) > 0) present.push_back(doc);
    docs.Or(DocSet::FromSorted(segment.doc_count(), std::move(present)));
  }
  return docs;
}

DocSet MatchStored(const Column& column, std::uint32_t doc_count, std::int64_t low, std::int64_t high) {
  if (column.index().identity()) {
    // A range of time holds most segments whole, or not at all.
    const auto& values = column.values();
    bool all = true;
    for (std::size_t b = 0; all && b < values.blocks(); ++b)
      all = values.BlockMin(b) >= low && values.BlockMax(b) <= high;
    if (all) return DocSet::All(doc_count);
  }
  return ScanColumn(
      column, doc_count, [=](std::int64_t min, std::int64_t max) { return max < low || min > high; },
      [=](std::int64_t value) { return value >= low && value <= high; });
}

DocSet MatchDoubles(const Column& column, std::uint32_t doc_count, const DoubleRange& range) {
  const auto fits = [&](std::int64_t stored) {
    const double value = column.ToDouble(stored);
    return (range.include_low ? value >= range.low : value > range.low) &&
           (range.include_high ? value <= range.high : value < range.high);
  };
  return ScanColumn(
      column, doc_count,
      [&](std::int64_t min, std::int64_t max) {
        return column.ToDouble(max) < range.low || column.ToDouble(min) > range.high;
      },
      fits);
}

std::optional<double> ToDouble(const Scalar& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? 1.0 : 0.0;
  const auto& text = std::get<std::string>(value);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

std::string ToText(const Scalar& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  char out[40];
  const auto [end, error] = std::to_chars(out, out + sizeof out, std::get<double>(value));
  return error == std::errc() ? std::string(out, end) : std::string();
}

}  // namespace honryu::search
