#include "search/index/field_writer.h"

#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/segment/column.h"
#include "search/segment/dictionary_writer.h"
#include "search/segment/postings.h"

#include <algorithm>
#include <numeric>
#include <span>

namespace honryu::search {
namespace {

struct SortKey {
  std::uint64_t prefix;  // eight bytes of the string, from the depth that is being sorted
  std::uint32_t number;
};

/// Sorts strings whose first `depth` bytes are the same (a shorter one has zeros there). Word by word, so
/// that nearly all comparisons are of numbers.
template <class TextOf>
void SortFrom(std::size_t depth, std::span<SortKey> keys, TextOf&& text_of) {
  constexpr std::size_t kDeepest =
      512;  // a call for every eight bytes in common: texts of any length may come
  if (depth >= kDeepest) {
    std::sort(keys.begin(), keys.end(),
              [&](const SortKey& a, const SortKey& b) { return text_of(a.number) < text_of(b.number); });
    return;
  }
  std::sort(keys.begin(), keys.end(), [](const SortKey& a, const SortKey& b) { return a.prefix < b.prefix; });
  const auto next = depth + 8;
  for (std::size_t begin = 0, end; begin < keys.size(); begin = end) {
    for (end = begin + 1; end < keys.size() && keys[end].prefix == keys[begin].prefix;) ++end;
    if (end - begin == 1) continue;
    const auto same = keys.subspan(begin, end - begin);
    // Those that end here come first, the shorter before the longer.
    const auto longer = std::partition(
        same.begin(), same.end(), [&](const SortKey& key) { return text_of(key.number).size() <= next; });
    std::sort(same.begin(), longer, [&](const SortKey& a, const SortKey& b) {
      return text_of(a.number).size() < text_of(b.number).size();
    });
    const std::span<SortKey> rest(longer, same.end());
    if (rest.empty()) continue;
    for (auto& key : rest) key.prefix = TextPrefix(text_of(key.number).substr(next));
    if (rest.size() > 1) SortFrom(next, rest, text_of);
  }
}

/// Numbers 0..n-1 in the order of their strings.
template <class TextOf>
std::vector<std::uint32_t> SortByText(std::size_t n, TextOf&& text_of) {
  std::vector<SortKey> keys(n);
  for (std::uint32_t i = 0; i < n; ++i) keys[i] = {TextPrefix(text_of(i)), i};
  SortFrom(0, keys, text_of);
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
  constexpr std::size_t kAhead = 8;  // terms stand in the arena as they came: their bytes are fetched ahead
  for (std::size_t at = 0; at < order.size(); ++at) {
    const auto term = order[at];
    if (at + kAhead < order.size()) {
      const auto ahead = order[at + kAhead];
      __builtin_prefetch(arena.data() + text.terms[ahead].offset);
      __builtin_prefetch(occurrences.data() + ends[ahead]);
    }
    if (ends[term + 1] - ends[term] == 1) {
      const auto& [target, position] = occurrences[ends[term]];
      const auto before = postings.size();
      codec::AppendVarint(postings, codec::VarintSize(target));
      codec::AppendVarint(postings, target);
      codec::AppendVarint(postings, std::uint64_t{position} << 1);
      dictionary.Add(term_text(term), 1, postings.size() - before);
      continue;
    }
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
  if (text.size() >= 8) return codec::LoadBigEndian64(text.data());
  std::uint64_t prefix = 0;
  for (const char c : text) prefix = prefix << 8 | static_cast<unsigned char>(c);
  return text.empty() ? 0 : prefix << (8 * (8 - text.size()));
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
    if (ends[term + 1] - ends[term] == 1) {
      const auto before = postings.size();
      codec::AppendVarint(postings, lists[ends[term]]);
      dictionary.Add(sorted_terms[term], 1, postings.size() - before);
      continue;
    }
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
  exact.reserve(field.values.size());
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
    // Those of 64 KB and more the table does not recognise either.
    if ((field.mark < 0 && text.size() < UINT16_MAX) || sorted.empty() || sorted.back() != text) {
      sorted.push_back(text);
      order[kept++] = value;
    }
    ordinal_of[value] = static_cast<std::uint32_t>(sorted.size() - 1);
  }
  order.resize(kept);
  std::vector<std::uint32_t> docs, overlong;
  std::vector<std::int64_t> ordinals;
  docs.reserve(field.strings.docs.size());
  ordinals.reserve(field.strings.docs.size());
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
