#include "search/index/field_writer.h"

#include "honryu/codec/endian.h"
#include "search/segment/column.h"
#include "search/segment/dictionary.h"
#include "search/segment/postings.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace honryu::search {
namespace {

/// Numbers 0..n-1 in the order of their strings.
template <class TextOf>
std::vector<std::uint32_t> SortByText(std::size_t n, TextOf&& text_of) {
  struct Key {
    std::uint64_t prefix;
    std::uint32_t number;
  };
  std::vector<Key> keys(n);
  for (std::uint32_t i = 0; i < n; ++i) keys[i] = {TextPrefix(text_of(i)), i};
  std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : text_of(a.number) < text_of(b.number);
  });
  std::vector<std::uint32_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = keys[i].number;
  return order;
}

/// One token of one target, gathered by term.
struct Occurrence {
  std::uint32_t target, position;
};

/// Where the tokens of a text view go: calls visit(term, target, position) in rising target order, positions
/// rising within a target.
template <class Visit>
void ForEachToken(const FieldBuffer& field, const TextBuffer& text,
                  const std::vector<std::uint32_t>* value_order, Visit&& visit) {
  const auto tokens_of = [&](std::uint32_t value, std::uint32_t target, std::uint32_t base) {
    const auto begin = text.begins[value];
    const auto end = value + 1 < text.begins.size() ? text.begins[value + 1] : text.tokens.size();
    for (auto t = begin; t < end; ++t)
      visit(text.tokens[t], target, base + static_cast<std::uint32_t>(t - begin));
    return static_cast<std::uint32_t>(end - begin);
  };
  if (value_order != nullptr) {
    for (std::uint32_t ordinal = 0; ordinal < value_order->size(); ++ordinal)
      tokens_of((*value_order)[ordinal], ordinal, 0);
    return;
  }
  const auto& docs = field.strings.docs;
  std::uint32_t base = 0;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (i > 0 && docs[i] != docs[i - 1]) base = 0;
    base += tokens_of(field.strings.values[i], docs[i], base) + kPositionGap;
  }
}

/// Of a view that is the exact one.
void WriteOnes(std::size_t values, std::uint32_t number, SegmentFileWriter& file) {
  std::string section;
  PackedInts::Append(std::vector<std::int64_t>(values, 1), section);
  file.AddSection(SectionKind::kTextLengths, number, section);
}

void WriteText(const FieldBuffer& field, const TextBuffer& text, const std::string& arena,
               const std::vector<std::uint32_t>* value_order, std::uint32_t doc_count, std::uint32_t number,
               SegmentFileWriter& file) {
  const auto term_text = [&](std::uint32_t term) {
    return BytesView(arena).substr(text.terms[term].offset, text.terms[term].length);
  };
  const auto order = SortByText(text.terms.size(), term_text);
  // Counting sort of the tokens by term.
  std::vector<std::uint64_t> ends(text.terms.size() + 1);
  const auto targets = value_order != nullptr ? value_order->size() : doc_count;
  std::vector<std::int64_t> lengths(targets);
  ForEachToken(field, text, value_order, [&](std::uint32_t term, std::uint32_t target, std::uint32_t) {
    ++ends[term + 1];
    ++lengths[target];
  });
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<Occurrence> occurrences(ends.back());
  std::vector<std::uint64_t> next(ends.begin(), ends.end() - 1);
  ForEachToken(field, text, value_order,
               [&](std::uint32_t term, std::uint32_t target, std::uint32_t position) {
                 occurrences[next[term]++] = {target, position};
               });

  DictionaryWriter dictionary(TermForm::kPlain, file.pack_terms());
  std::string postings, stream;
  std::vector<std::uint32_t> list, starts, positions;
  for (const auto term : order) {
    list.clear();
    starts.clear();
    stream.clear();
    for (auto i = ends[term]; i < ends[term + 1];) {
      const auto target = occurrences[i].target;
      positions.clear();
      for (; i < ends[term + 1] && occurrences[i].target == target; ++i)
        positions.push_back(occurrences[i].position);
      list.push_back(target);
      starts.push_back(static_cast<std::uint32_t>(stream.size()));
      AppendPositions(positions, stream);
    }
    const auto before = postings.size();
    AppendPostings(list, stream, starts, postings);
    dictionary.Add(term_text(term), static_cast<std::uint32_t>(list.size()), postings.size() - before);
  }
  std::string section;
  dictionary.Finish(section);
  file.AddSection(SectionKind::kTextTerms, number, section);
  file.AddSection(SectionKind::kTextPostings, number, postings);
  section.clear();
  PackedInts::Append(lengths, section);
  file.AddSection(SectionKind::kTextLengths, number, section);
}

template <class T>
void WriteColumn(SectionKind kind, const ValueBuffer<T>& buffer, std::uint32_t doc_count,
                 std::uint32_t number, SegmentFileWriter& file) {
  if (buffer.docs.empty()) return;
  std::string section;
  if constexpr (std::is_same_v<T, double>)
    Column::AppendDoubles(buffer.docs, buffer.values, doc_count, section);
  else
    Column::Append(buffer.docs, buffer.values, doc_count, section);
  file.AddSection(kind, number, section);
}

/// Text postings name ordinals instead of documents where values repeat: a value is then indexed once.
bool ByOrdinal(const FieldBuffer& field, std::size_t distinct) {
  if (field.mark >= 0) return false;
  if (distinct != field.values.size()) return false;  // some are overlong
  for (std::size_t i = 1; i < field.strings.docs.size(); ++i)
    if (field.strings.docs[i] == field.strings.docs[i - 1]) return false;
  return distinct * 4 <= field.strings.docs.size();
}

}  // namespace

std::uint64_t TextPrefix(BytesView text) {
  char bytes[8] = {};
  std::memcpy(bytes, text.data(), std::min<std::size_t>(8, text.size()));
  return codec::LoadBigEndian64(bytes);
}

void WriteKeywords(std::uint32_t field, const std::vector<std::uint32_t>& docs,
                   const std::vector<std::int64_t>& ordinals, const std::vector<BytesView>& sorted_terms,
                   const std::vector<std::uint32_t>& overlong, std::uint32_t doc_count,
                   SegmentFileWriter& file) {
  std::string section;
  Column::Append(docs, ordinals, doc_count, section);
  file.AddSection(SectionKind::kKeywordOrdinals, field, section);

  std::vector<std::uint64_t> ends(sorted_terms.size() + 1);
  for (const auto ordinal : ordinals) ++ends[static_cast<std::size_t>(ordinal) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<std::uint32_t> lists(docs.size());
  std::vector<std::uint64_t> next(ends.begin(), ends.end() - 1);
  for (std::size_t i = 0; i < docs.size(); ++i)
    lists[next[static_cast<std::size_t>(ordinals[i])]++] = docs[i];

  DictionaryWriter dictionary(FormOf(sorted_terms), file.pack_terms());
  std::string postings;
  for (std::size_t term = 0; term < sorted_terms.size(); ++term) {
    const auto begin = lists.begin() + static_cast<std::ptrdiff_t>(ends[term]);
    // A document that has the value twice stands in the list once.
    const auto end = std::unique(begin, lists.begin() + static_cast<std::ptrdiff_t>(ends[term + 1]));
    const auto before = postings.size();
    AppendPostings({begin, end}, {}, {}, postings);
    dictionary.Add(sorted_terms[term], static_cast<std::uint32_t>(end - begin), postings.size() - before);
  }
  section.clear();
  dictionary.Finish(section);
  file.AddSection(SectionKind::kKeywordTerms, field, section);
  file.AddSection(SectionKind::kKeywordPostings, field, postings);
  if (overlong.empty()) return;
  section.clear();
  for (const auto doc : overlong) codec::AppendU32(section, doc);
  file.AddSection(SectionKind::kOverlong, field, section);
}

void WriteField(const FieldBuffer& field, const std::string& values, const std::string& terms,
                std::uint32_t doc_count, SegmentFileWriter& file) {
  // Exact strings: sort the distinct ones that are short enough, and number them.
  std::vector<std::uint32_t> exact;
  for (std::uint32_t v = 0; v < field.values.size(); ++v)
    if (!field.values[v].overlong) exact.push_back(v);
  const auto value_text = [&](std::uint32_t v) {
    return BytesView(values).substr(field.values[v].offset, field.values[v].length);
  };
  auto order = SortByText(exact.size(), [&](std::uint32_t i) { return value_text(exact[i]); });
  for (auto& i : order) i = exact[i];
  const bool text_is_exact = !field.texts.empty() && field.texts[0].exact && !field.values.empty();
  const bool by_ordinal = text_is_exact || (!field.texts.empty() && ByOrdinal(field, exact.size()));

  FieldEntry entry;
  entry.name = field.name;
  if (!field.texts.empty() && !field.values.empty()) {
    entry.analyzer = static_cast<std::uint8_t>(field.texts[0].analyzer);
    entry.text_by_ordinal = by_ordinal;
    entry.text_is_exact = text_is_exact;
    if (text_is_exact) entry.text_tokens = field.strings.docs.size();
    if (!text_is_exact)
      for (const auto value : field.strings.values) {
        const auto& begins = field.texts[0].begins;
        entry.text_tokens +=
            (value + 1 < begins.size() ? begins[value + 1] : field.texts[0].tokens.size()) - begins[value];
      }
  }
  const auto number = file.AddField(entry);
  WriteColumn(SectionKind::kLongs, field.longs, doc_count, number, file);
  WriteColumn(SectionKind::kDoubles, field.doubles, doc_count, number, file);
  WriteColumn(SectionKind::kBooleans, field.booleans, doc_count, number, file);
  WriteColumn(SectionKind::kDates, field.dates, doc_count, number, file);
  if (field.values.empty()) return;

  // Values of fields with a mark were not looked for when they came, so the same may be there twice.
  std::vector<std::uint32_t> ordinal_of(field.values.size());
  std::vector<BytesView> sorted;
  sorted.reserve(order.size());
  std::size_t kept = 0;
  for (const auto value : order) {
    const auto text = value_text(value);
    if (sorted.empty() || sorted.back() != text) {
      sorted.push_back(text);
      order[kept++] = value;
    }
    ordinal_of[value] = static_cast<std::uint32_t>(sorted.size() - 1);
  }
  order.resize(kept);
  std::vector<std::uint32_t> docs, overlong;
  std::vector<std::int64_t> ordinals;
  for (std::size_t i = 0; i < field.strings.docs.size(); ++i) {
    const auto doc = field.strings.docs[i], value = field.strings.values[i];
    if (!field.values[value].overlong) {
      docs.push_back(doc);
      ordinals.push_back(ordinal_of[value]);
    } else if (overlong.empty() || overlong.back() != doc) {
      overlong.push_back(doc);
    }
  }
  WriteKeywords(number, docs, ordinals, sorted, overlong, doc_count, file);
  for (std::size_t t = 0; t < field.texts.size(); ++t) {
    if (t == 0 && text_is_exact) {
      WriteOnes(order.size(), number, file);
      continue;
    }
    auto text_number = number;
    if (t > 0) {
      FieldEntry view{field.texts[t].name, static_cast<std::uint8_t>(field.texts[t].analyzer), false, false,
                      field.texts[t].tokens.size()};
      text_number = file.AddField(std::move(view));
    }
    WriteText(field, field.texts[t], terms, t == 0 && by_ordinal ? &order : nullptr, doc_count, text_number,
              file);
  }
}

}  // namespace honryu::search
