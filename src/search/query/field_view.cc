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

template <class Open>
DocSet Union(std::uint32_t doc_count, const std::vector<TermEntry>& entries, DocRange range, Open&& open) {
  range.end = std::min(range.end, doc_count);
  if (range.begin >= range.end) return DocSet(doc_count);
  std::uint64_t total = 0;
  for (const auto& entry : entries) total += entry.doc_count;
  if (total * 32 <= doc_count) {
    std::vector<std::uint32_t> docs;
    docs.reserve(total);
    for (const auto& entry : entries)
      ForEachTarget(open(entry), range.begin, range.end, [&docs](std::uint32_t doc) { docs.push_back(doc); });
    if (entries.size() > 1) {
      std::sort(docs.begin(), docs.end());
      docs.erase(std::unique(docs.begin(), docs.end()), docs.end());
    }
    return DocSet::FromSorted(doc_count, std::move(docs));
  }
  std::vector<std::uint64_t> bits((doc_count + 63) / 64);
  for (const auto& entry : entries)
    ForEachTarget(open(entry), range.begin, range.end,
                  [&bits](std::uint32_t doc) { bits[doc / 64] |= 1ULL << (doc % 64); });
  return DocSet::FromBits(doc_count, std::move(bits));
}

DocSet DocsOf(const Segment& segment, const FieldView& view, const std::vector<TermEntry>& entries,
              DocRange range) {
  if (entries.empty()) return DocSet(segment.doc_count());
  if (const auto* exact = view.exact())
    return Union(segment.doc_count(), entries, range,
                 [&](const TermEntry& entry) { return exact->Open(entry); });
  const auto* text = view.text();
  if (!text->by_ordinal)
    return Union(segment.doc_count(), entries, range,
                 [&](const TermEntry& entry) { return text->Open(entry); });
  std::vector<std::uint32_t> ordinals;
  for (const auto& entry : entries)
    for (auto cursor = text->Open(entry); cursor.Next();) ordinals.push_back(cursor.target());
  std::sort(ordinals.begin(), ordinals.end());
  ordinals.erase(std::unique(ordinals.begin(), ordinals.end()), ordinals.end());
  return ToDocs(segment, view, std::move(ordinals), range);
}

/// Terms (sources of long values) that are tried between two looks at the limits.
constexpr std::size_t kLookEvery = 256, kLookEverySource = 32;

/// Long values are in no dictionary: documents that have some are tried by their source.
Result<void> AddLong(const FieldView& view, const std::function<bool(std::string_view)>& accept,
                     SourceReader& source, const SearchLimits& limits, DocRange range, DocSet& docs) {
  const auto* exact = view.exact();
  if (exact == nullptr || exact->overlong.empty()) return Ok();
  std::vector<std::uint32_t> found;
  std::size_t tried = 0;
  for (const auto doc : exact->overlong) {
    if (doc < range.begin || doc >= range.end) continue;
    if (++tried % kLookEverySource == 0) HONRYU_TRY_VOID(limits.Check());
    bool any = false;
    source.Strings(doc, view.path, [&](std::string_view text) { any |= accept(text); });
    if (any) found.push_back(doc);
  }
  docs.Or(DocSet::FromSorted(docs.doc_count(), std::move(found)));
  return Ok();
}

/// Documents whose stored numbers fit, of those in `range`. skip(min, max) rules whole blocks out, whole(min,
/// max) says that all numbers between fit.
template <class Skip, class Whole, class Fits>
DocSet ScanColumn(const Column& column, std::uint32_t doc_count, DocRange range, Skip&& skip, Whole&& whole,
                  Fits&& fits) {
  constexpr std::size_t kWords = PackedInts::kBlock / 64;
  const auto& values = column.values();
  std::array<std::int64_t, PackedInts::kBlock> block;
  range.end = std::min(range.end, doc_count);
  if (range.begin >= range.end) return DocSet(doc_count);
  if (column.index().identity()) {
    const std::size_t first = range.begin / PackedInts::kBlock,
                      last = (range.end - 1) / PackedInts::kBlock;  // of values, which are the documents'
    std::vector<std::uint64_t> bits;
    for (auto b = first; b <= last; ++b) {
      const auto min = values.BlockMin(b), max = values.BlockMax(b);
      if (skip(min, max)) continue;
      if (bits.empty()) bits.resize((doc_count + std::size_t{63}) / 64);
      if (whole(min, max)) {
        const auto count = std::min(PackedInts::kBlock, values.size() - b * PackedInts::kBlock);
        for (std::size_t i = 0; i < count; i += 64)
          bits[b * kWords + i / 64] = count - i >= 64 ? ~0ULL : ~(~0ULL << (count - i));
        continue;
      }
      const auto count = values.Decode(b, block.data());
      for (std::size_t i = 0; i < count; i += 64) {
        std::uint64_t word = 0;
        for (std::size_t j = 0; j < std::min<std::size_t>(64, count - i); ++j)
          word |= std::uint64_t{fits(block[i + j])} << j;
        bits[b * kWords + i / 64] = word;
      }
    }
    return bits.empty() ? DocSet(doc_count) : DocSet::FromBits(doc_count, std::move(bits));
  }
  std::vector<std::uint32_t> docs;
  std::size_t loaded = SIZE_MAX;
  bool skipped = false;
  column.index().ForEach(
      [&](std::uint32_t doc, std::size_t value) {
        const auto b = value / PackedInts::kBlock;
        if (b != loaded) {
          loaded = b;
          skipped = skip(values.BlockMin(b), values.BlockMax(b));
          if (!skipped) values.Decode(b, block.data());
        }
        if (skipped || !fits(block[value % PackedInts::kBlock])) return;
        if (docs.empty() || docs.back() != doc) docs.push_back(doc);
      },
      range.begin, range.end);
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

DocSet ToDocs(const Segment& segment, const FieldView& view, std::vector<std::uint32_t> targets,
              DocRange range) {
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
    return Union(doc_count, entries, range, [&](const TermEntry& entry) { return exact.Open(entry); });
  }
  std::vector<bool> wanted(exact.terms.size() + std::size_t{1});
  for (const auto ordinal : targets)
    if (ordinal < exact.terms.size()) wanted[ordinal] = true;
  return ScanColumn(
      exact.ordinals, doc_count, range, [](std::int64_t, std::int64_t) { return false; },
      [](std::int64_t, std::int64_t) { return false; },
      [&](std::int64_t ordinal) {
        return static_cast<std::uint64_t>(ordinal) < exact.terms.size() &&
               wanted[static_cast<std::size_t>(ordinal)];
      });
}

Result<DocSet> MatchStrings(const Segment& segment, const FieldView& view, const StringTest& test,
                            SourceReader& source, const SearchLimits& limits, DocRange range) {
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
  auto docs = DocsOf(segment, view, entries, range);
  HONRYU_TRY_VOID(AddLong(
      view,
      [&](std::string_view value) { return value >= test.first && test.within(value) && test.accept(value); },
      source, limits, range, docs));
  return docs;
}

DocSet MatchExactStrings(const Segment& segment, const FieldView& view,
                         const std::vector<std::string>& strings, SourceReader& source, DocRange range) {
  const auto* exact = view.exact();
  const auto* text = view.text();
  if (exact == nullptr && text == nullptr) return DocSet(segment.doc_count());
  std::vector<TermEntry> entries;
  for (const auto& string : strings)
    if (const auto entry = (exact != nullptr ? exact->terms : text->terms).Find(string))
      entries.push_back(*entry);
  auto docs = DocsOf(segment, view, entries, range);
  (void)AddLong(
      view,
      [&](std::string_view value) {
        return std::find(strings.begin(), strings.end(), value) != strings.end();
      },
      source, SearchLimits(), range, docs)
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

DocSet MatchStored(const Column& column, std::uint32_t doc_count, std::int64_t low, std::int64_t high,
                   DocRange within) {
  const auto whole = [=](std::int64_t min, std::int64_t max) { return min >= low && max <= high; };
  if (column.index().identity() && within.begin < std::min(within.end, doc_count)) {
    // A range of time holds most segments whole, or not at all.
    const auto& values = column.values();
    const auto end = (std::min(within.end, doc_count) - 1) / PackedInts::kBlock + 1;
    bool all = true;
    for (std::size_t b = within.begin / PackedInts::kBlock; all && b < end; ++b)
      all = whole(values.BlockMin(b), values.BlockMax(b));
    if (all) return DocSet::All(doc_count);
  }
  return ScanColumn(
      column, doc_count, within, [=](std::int64_t min, std::int64_t max) { return max < low || min > high; },
      whole, [=](std::int64_t value) { return value >= low && value <= high; });
}

DocSet MatchDoubles(const Column& column, std::uint32_t doc_count, const DoubleRange& range,
                    DocRange within) {
  const auto fits = [&](std::int64_t stored) {
    const double value = column.ToDouble(stored);
    return (range.include_low ? value >= range.low : value > range.low) &&
           (range.include_high ? value <= range.high : value < range.high);
  };
  return ScanColumn(
      column, doc_count, within,
      [&](std::int64_t min, std::int64_t max) {
        return column.ToDouble(max) < range.low || column.ToDouble(min) > range.high;
      },
      [&](std::int64_t min, std::int64_t max) { return fits(min) && fits(max); }, fits);
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
