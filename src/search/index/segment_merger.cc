#include "search/index/segment_merger.h"

#include "search/index/field_writer.h"
#include "search/segment/byte_reader.h"
#include "search/segment/dictionary_writer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>

namespace honryu::search {
namespace {

constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max();

/// A field of one input.
struct Source {
  const Segment* segment = nullptr;
  const SegmentField* field = nullptr;
  const std::vector<std::uint32_t>* docs = nullptr;  ///< New number of each document, or kGone.
  bool whole = true;                                 ///< No document is gone.
  std::vector<std::uint32_t> ordinals;               ///< New ordinal of each, or kGone.
  std::vector<std::int64_t> values;  ///< Old ordinals of the documents, as the column has them.
  std::vector<bool> used;            ///< Ordinals that a kept document has; all, when `whole`.
  // Documents of each ordinal, made when postings by ordinals become postings by documents.
  std::vector<std::uint32_t> ordinal_docs;
  std::vector<std::size_t> ordinal_begins;
};

/// Visits the terms of several dictionaries in order: visit(term, [(source, entry)…]), sources rising.
/// kCorrupt when one ends too early.
template <class Visit>
Result<void> MergeTerms(const std::vector<const Dictionary*>& dictionaries, Visit&& visit) {
  std::vector<DictionaryWalker> walkers;
  // A heap of those with terms left, the least term in front; most comparisons end at the first eight bytes.
  struct Head {
    std::uint64_t prefix;
    std::size_t source;
  };
  std::vector<Head> heap;
  const auto before = [&](const Head& a, const Head& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    const int order = walkers[a.source].term().compare(walkers[b.source].term());
    return order != 0 ? order < 0 : a.source < b.source;
  };
  const auto sink = [&](std::size_t at) {
    const Head head = heap[at];
    for (std::size_t child; (child = 2 * at + 1) < heap.size(); at = child) {
      if (child + 1 < heap.size() && before(heap[child + 1], heap[child])) ++child;
      if (!before(heap[child], head)) break;
      heap[at] = heap[child];
    }
    heap[at] = head;
  };
  for (std::size_t i = 0; i < dictionaries.size(); ++i) {
    static const Dictionary kEmpty;
    walkers.emplace_back(dictionaries[i] != nullptr ? *dictionaries[i] : kEmpty);
    if (walkers.back().Next())
      heap.push_back({TextPrefix(walkers.back().term()), i});
    else if (dictionaries[i] != nullptr && dictionaries[i]->size() > 0)
      return Error(ErrorCode::kCorrupt, "a dictionary cannot be read");
  }
  for (auto at = heap.size() / 2; at-- > 0;) sink(at);
  std::vector<std::pair<std::size_t, TermEntry>> entries;
  std::string term;
  while (!heap.empty()) {
    const auto prefix = heap.front().prefix;
    term.assign(walkers[heap.front().source].term());
    entries.clear();
    while (!heap.empty() && heap.front().prefix == prefix && walkers[heap.front().source].term() == term) {
      auto& head = heap.front();
      auto& walker = walkers[head.source];
      entries.emplace_back(head.source, walker.entry());
      if (walker.Next()) {
        head.prefix = TextPrefix(walker.term());
      } else {
        const auto& ended = entries.back();
        if (ended.second.ordinal + std::uint64_t{1} != dictionaries[ended.first]->size())
          return Error(ErrorCode::kCorrupt, "a dictionary ends too early");
        head = heap.back();
        heap.pop_back();
      }
      if (!heap.empty()) sink(0);
    }
    visit(term, entries);
  }
  return Ok();
}

class FieldMerger {
 public:
  FieldMerger(std::string name, std::vector<Source> sources, std::uint32_t doc_count, SegmentFileWriter& file)
      : name_(std::move(name)), sources_(std::move(sources)), doc_count_(doc_count), file_(file) {}

  Result<void> Run() {
    FieldEntry entry;
    entry.name = name_;
    for (const auto& source : sources_) {
      if (!source.field->text) continue;
      const auto analyzer = static_cast<std::uint8_t>(source.field->text->analyzer);
      if (entry.analyzer != FieldEntry::kNoText && entry.analyzer != analyzer)
        return Error(ErrorCode::kFailedPrecondition, "field " + name_ + " was analysed in two ways");
      entry.analyzer = analyzer;
    }
    HONRYU_TRY_VOID(MergeKeywords());
    if (entry.analyzer != FieldEntry::kNoText) {
      is_exact_ = std::all_of(sources_.begin(), sources_.end(), [](const Source& source) {
        return source.field->text ? source.field->text->is_exact : !source.field->keywords;
      });
      by_ordinal_ = is_exact_ || ByOrdinal();
      entry.text_by_ordinal = by_ordinal_;
      entry.text_is_exact = is_exact_;
      MeasureText();
      entry.text_tokens = tokens_;
    }
    const bool text = entry.analyzer != FieldEntry::kNoText;
    number_ = file_.AddField(std::move(entry));
    MergeNumbers(SectionKind::kLongs, &SegmentField::longs);
    MergeNumbers(SectionKind::kBooleans, &SegmentField::booleans);
    MergeNumbers(SectionKind::kDates, &SegmentField::dates);
    MergeDoubles();
    if (has_keywords_) {
      std::vector<BytesView> terms;
      for (std::size_t i = 0; i + 1 < term_begins_.size(); ++i)
        terms.push_back(
            BytesView(term_arena_).substr(term_begins_[i], term_begins_[i + 1] - term_begins_[i]));
      WriteKeywords(number_, keyword_docs_, keyword_ordinals_, terms, overlong_, doc_count_, file_);
    }
    if (text && is_exact_) {
      std::string section;
      PackedInts::Append(lengths_, section);
      file_.AddSection(SectionKind::kTextLengths, number_, section);
      return Ok();
    }
    return text ? MergeText() : Ok();
  }

 private:
  template <class Visit>
  static void ForEachValue(const Source& source, const Column& column, Visit&& visit) {
    const auto values = column.values().DecodeAll();
    column.index().ForEach([&](std::uint32_t doc, std::size_t value) {
      const auto to = (*source.docs)[doc];
      if (to != kGone) visit(to, values[value]);
    });
  }

  void MergeNumbers(SectionKind kind, std::optional<Column> SegmentField::* member) {
    std::vector<std::uint32_t> docs;
    std::vector<std::int64_t> values;
    for (const auto& source : sources_)
      if (const auto& column = source.field->*member)
        ForEachValue(source, *column, [&](std::uint32_t doc, std::int64_t value) {
          docs.push_back(doc);
          values.push_back(value);
        });
    if (docs.empty()) return;
    std::string section;
    Column::Append(docs, values, doc_count_, section);
    file_.AddSection(kind, number_, section);
  }

  void MergeDoubles() {
    std::vector<std::uint32_t> docs;
    std::vector<double> values;
    for (const auto& source : sources_)
      if (const auto& column = source.field->doubles)
        ForEachValue(source, *column, [&](std::uint32_t doc, std::int64_t value) {
          docs.push_back(doc);
          values.push_back(column->ToDouble(value));
        });
    if (docs.empty()) return;
    std::string section;
    Column::AppendDoubles(docs, values, doc_count_, section);
    file_.AddSection(SectionKind::kDoubles, number_, section);
  }

  Result<void> MergeKeywords() {
    std::vector<const Dictionary*> dictionaries(sources_.size());
    std::size_t values = 0;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      auto& source = sources_[i];
      if (!source.field->keywords) continue;
      has_keywords_ = true;
      const auto& keywords = *source.field->keywords;
      dictionaries[i] = &keywords.terms;
      source.ordinals.assign(keywords.terms.size(), kGone);
      source.values = keywords.ordinals.values().DecodeAll();
      values += source.values.size();
      if (source.whole) continue;
      source.used.assign(keywords.terms.size(), false);
      ForEachOrdinal(source, [&](std::uint32_t doc, std::uint32_t ordinal) {
        if ((*source.docs)[doc] != kGone) source.used[ordinal] = true;
      });
    }
    if (!has_keywords_) return Ok();
    std::uint32_t terms = 0;
    auto merged = MergeTerms(dictionaries, [&](BytesView term, const auto& entries) {
      bool used = false;
      for (const auto& [i, entry] : entries)
        if (sources_[i].whole || sources_[i].used[entry.ordinal]) {
          sources_[i].ordinals[entry.ordinal] = terms;
          used = true;
        }
      if (!used) return;
      term_begins_.push_back(term_arena_.size());
      term_arena_.append(term);
      ++terms;
    });
    if (!merged.ok()) return merged;
    for (const auto& source : sources_)
      for (std::size_t ordinal = 0; ordinal < source.ordinals.size(); ++ordinal)
        if ((source.whole || source.used[ordinal]) && source.ordinals[ordinal] == kGone)
          return Error(ErrorCode::kCorrupt, "field " + name_ + ": a dictionary lacks terms");
    term_begins_.push_back(term_arena_.size());
    keyword_docs_.reserve(values);
    keyword_ordinals_.reserve(values);
    for (const auto& source : sources_) {
      if (!source.field->keywords) continue;
      ForEachOrdinal(source, [&](std::uint32_t doc, std::uint32_t ordinal) {
        const auto to = (*source.docs)[doc];
        if (to == kGone) return;
        keyword_docs_.push_back(to);
        keyword_ordinals_.push_back(source.ordinals[ordinal]);
      });
      for (const auto doc : source.field->keywords->overlong)
        if ((*source.docs)[doc] != kGone) overlong_.push_back((*source.docs)[doc]);
    }
    return Ok();
  }

  std::size_t Terms() const { return term_begins_.empty() ? 0 : term_begins_.size() - 1; }

  /// As for a segment made from documents: values repeat four times and more, one a document, none too long.
  bool ByOrdinal() const {
    if (!has_keywords_ || !overlong_.empty()) return false;
    for (std::size_t i = 1; i < keyword_docs_.size(); ++i)
      if (keyword_docs_[i] == keyword_docs_[i - 1]) return false;
    return Terms() * 4 <= keyword_docs_.size();
  }

  /// Calls visit(document, ordinal) for the documents of a source with exact values, old numbers both.
  template <class Visit>
  static void ForEachOrdinal(const Source& source, Visit&& visit) {
    source.field->keywords->ordinals.index().ForEach([&](std::uint32_t doc, std::size_t value) {
      const auto ordinal = static_cast<std::uint64_t>(source.values[value]);
      if (ordinal < source.ordinals.size()) visit(doc, static_cast<std::uint32_t>(ordinal));
    });
  }

  void MeasureText() {
    lengths_.assign(by_ordinal_ ? Terms() : doc_count_, 0);
    for (auto& source : sources_) {
      if (!source.field->text) continue;
      const auto& text = *source.field->text;
      if (!text.by_ordinal && !by_ordinal_) {
        for (std::uint32_t doc = 0; doc < text.lengths.size(); ++doc)
          if ((*source.docs)[doc] != kGone) lengths_[(*source.docs)[doc]] = text.lengths.Get(doc);
        continue;
      }
      // One side at least is by ordinals.
      ForEachOrdinal(source, [&](std::uint32_t doc, std::uint32_t ordinal) {
        const auto to = (*source.docs)[doc];
        if (to == kGone) return;
        lengths_[by_ordinal_ ? source.ordinals[ordinal] : to] =
            text.lengths.Get(text.by_ordinal ? ordinal : doc);
      });
      if (text.by_ordinal && !by_ordinal_) GatherDocs(source);
      if (!text.by_ordinal && by_ordinal_) {
        source.ordinal_docs.assign(source.segment->doc_count(),
                                   kGone);  // here: the new ordinal of each document
        ForEachOrdinal(source, [&](std::uint32_t doc, std::uint32_t ordinal) {
          source.ordinal_docs[doc] = (*source.docs)[doc] == kGone ? kGone : source.ordinals[ordinal];
        });
      }
    }
    if (by_ordinal_)
      for (const auto ordinal : keyword_ordinals_)
        tokens_ += static_cast<std::uint64_t>(lengths_[static_cast<std::size_t>(ordinal)]);
    else
      for (const auto length : lengths_) tokens_ += static_cast<std::uint64_t>(length);
  }

  static void GatherDocs(Source& source) {
    source.ordinal_begins.assign(source.field->keywords->terms.size() + std::size_t{1}, 0);
    ForEachOrdinal(source, [&](std::uint32_t, std::uint32_t ordinal) {
      ++source.ordinal_begins[ordinal + std::size_t{1}];
    });
    std::partial_sum(source.ordinal_begins.begin(), source.ordinal_begins.end(),
                     source.ordinal_begins.begin());
    source.ordinal_docs.resize(source.ordinal_begins.back());
    auto next = source.ordinal_begins;
    ForEachOrdinal(source, [&](std::uint32_t doc, std::uint32_t ordinal) {
      source.ordinal_docs[next[ordinal]++] = (*source.docs)[doc];
    });
  }

  /// New targets of an old one.
  template <class Visit>
  void ForEachTarget(const Source& source, std::uint32_t old, Visit&& visit) const {
    const bool from_ordinal = source.field->text->by_ordinal;
    if (from_ordinal && by_ordinal_) {
      if (old < source.ordinals.size() && source.ordinals[old] != kGone) visit(source.ordinals[old]);
    } else if (from_ordinal) {
      if (old + std::size_t{1} >= source.ordinal_begins.size()) return;
      for (auto i = source.ordinal_begins[old]; i < source.ordinal_begins[old + std::size_t{1}]; ++i)
        if (source.ordinal_docs[i] != kGone) visit(source.ordinal_docs[i]);
    } else if (old < source.docs->size()) {
      const auto to = by_ordinal_ ? source.ordinal_docs[old] : (*source.docs)[old];
      if (to != kGone) visit(to);
    }
  }

  Result<void> MergeText() {
    struct Part {
      std::uint32_t target;
      std::uint32_t offset, size;
    };
    DictionaryWriter dictionary(TermForm::kPlain, file_.pack_terms());
    std::string postings, gathered, stream;
    std::vector<Part> parts;
    std::vector<std::uint32_t> targets, starts;
    std::vector<const Dictionary*> dictionaries(sources_.size());
    for (std::size_t i = 0; i < sources_.size(); ++i)
      if (sources_[i].field->text) dictionaries[i] = &sources_[i].field->text->terms;
    const bool by_documents =
        !by_ordinal_ && std::none_of(sources_.begin(), sources_.end(), [](const Source& source) {
          return source.field->text && source.field->text->by_ordinal;
        });
    auto merged = MergeTerms(dictionaries, [&](BytesView term, const auto& entries) {
      parts.clear();
      gathered.clear();
      targets.clear();
      starts.clear();
      stream.clear();
      const auto write = [&] {
        const auto begin = postings.size();
        AppendPostings(targets, stream, starts, postings);
        dictionary.Add(term, static_cast<std::uint32_t>(targets.size()), postings.size() - begin);
      };
      if (by_documents) {  // they come in order
        for (const auto& [i, entry] : entries) {
          const auto& docs = *sources_[i].docs;
          if (entry.doc_count == 1) {
            std::uint32_t target;
            BytesView raw;
            if (!PostingsCursor::TakeOnly(sources_[i].field->text->List(entry), &target, &raw) ||
                target >= docs.size() || docs[target] == kGone)
              continue;
            targets.push_back(docs[target]);
            starts.push_back(static_cast<std::uint32_t>(stream.size()));
            stream.append(raw);
            continue;
          }
          for (auto cursor = sources_[i].field->text->Open(entry); cursor.Next();) {
            const auto raw = cursor.TakeRawPositions();
            if (raw.empty() || cursor.target() >= docs.size() || docs[cursor.target()] == kGone) continue;
            targets.push_back(docs[cursor.target()]);
            starts.push_back(static_cast<std::uint32_t>(stream.size()));
            stream.append(raw);
          }
        }
        if (!targets.empty()) write();
        return;
      }
      for (const auto& [i, entry] : entries) {
        const auto& source = sources_[i];
        for (auto cursor = source.field->text->Open(entry); cursor.Next();) {
          const auto raw = cursor.TakeRawPositions();
          if (raw.empty()) continue;
          const auto offset = static_cast<std::uint32_t>(gathered.size());
          const auto before = parts.size();
          ForEachTarget(source, cursor.target(), [&](std::uint32_t to) {
            parts.push_back({to, offset, static_cast<std::uint32_t>(raw.size())});
          });
          if (parts.size() > before) gathered.append(raw);
        }
      }
      if (parts.empty()) return;
      std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.target < b.target; });
      for (const auto& part : parts) {
        if (!targets.empty() && targets.back() == part.target) continue;  // a value of several inputs
        targets.push_back(part.target);
        starts.push_back(static_cast<std::uint32_t>(stream.size()));
        stream.append(gathered, part.offset, part.size);
      }
      write();
    });
    if (!merged.ok()) return merged;
    std::string section;
    dictionary.Finish(section);
    file_.AddSection(SectionKind::kTextTerms, number_, section);
    file_.AddSection(SectionKind::kTextPostings, number_, postings);
    section.clear();
    PackedInts::Append(lengths_, section);
    file_.AddSection(SectionKind::kTextLengths, number_, section);
    return Ok();
  }

  std::string name_;
  std::vector<Source> sources_;
  std::uint32_t doc_count_;
  SegmentFileWriter& file_;
  std::uint32_t number_ = 0;
  bool has_keywords_ = false, by_ordinal_ = false, is_exact_ = false;
  std::string term_arena_;
  std::vector<std::size_t> term_begins_;
  std::vector<std::uint32_t> keyword_docs_, overlong_;
  std::vector<std::int64_t> keyword_ordinals_, lengths_;
  std::uint64_t tokens_ = 0;
};

bool HasValues(const Source& source) {
  const auto any = [&](const Column& column) {
    bool found = false;
    column.index().ForEach([&](std::uint32_t doc, std::size_t) { found |= (*source.docs)[doc] != kGone; });
    return found;
  };
  for (const auto* column :
       {&source.field->longs, &source.field->doubles, &source.field->booleans, &source.field->dates})
    if (*column && any(**column)) return true;
  if (source.field->keywords) {
    for (const auto doc : source.field->keywords->overlong)
      if ((*source.docs)[doc] != kGone) return true;
    return any(source.field->keywords->ordinals);
  }
  return source.field->text.has_value();
}

/// The fields that the merged sources refer to, and what each input's marks become there.
struct Marks {
  std::vector<std::string> names;
  struct Of {
    bool same = true;      ///< As they are.
    bool possible = true;  ///< False: its documents are made whole.
    std::array<char, kMaxDetached> to{};
  };
  std::vector<Of> inputs;
};

Marks MergeMarks(const std::vector<MergeInput>& inputs) {
  Marks marks;
  for (const auto& input : inputs) {
    auto& of = marks.inputs.emplace_back();
    const auto& names = input.segment->detached();
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto found = std::find(marks.names.begin(), marks.names.end(), names[i]);
      if (found == marks.names.end() && marks.names.size() < kMaxDetached)
        found = marks.names.insert(found, names[i]);
      const auto number = static_cast<std::size_t>(found - marks.names.begin());
      of.possible = of.possible && found != marks.names.end();
      of.same = of.same && number == i;
      of.to[i] = static_cast<char>(kDetachedMark + static_cast<int>(number));
    }
  }
  return marks;
}

/// Adds the kept documents of one input, one by one.
Result<void> CopySources(const MergeInput& input, const Marks::Of& marks, SourceWriter& sources) {
  const Segment& segment = *input.segment;
  Segment::SourceCache cache;
  std::string changed;
  for (std::uint32_t doc = 0; doc < segment.doc_count(); ++doc) {
    if (!input.keep.empty() && !input.keep[doc]) continue;
    if (!marks.possible) {
      HONRYU_TRY(const auto source, segment.Source(doc, cache));
      sources.Add(source);
      continue;
    }
    HONRYU_TRY(const auto source, segment.source().Get(doc, cache.block));
    if (marks.same) {
      sources.Add(source);
      continue;
    }
    changed.assign(source);
    for (char& c : changed)
      if (const auto number = static_cast<std::size_t>(c - kDetachedMark); number < segment.detached().size())
        c = marks.to[number];
    sources.Add(changed);
  }
  return Ok();
}

}  // namespace

Result<std::string> MergeSegments(const std::vector<MergeInput>& inputs, bool pack_terms) {
  std::size_t bytes = 0;
  for (const auto& input : inputs) bytes += input.segment->byte_size();
  SegmentFileWriter file(pack_terms, bytes);
  SourceWriter sources;
  const auto marks = MergeMarks(inputs);
  std::vector<std::vector<std::uint32_t>> docs(inputs.size());
  std::uint64_t doc_count = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& [segment, keep] = inputs[i];
    docs[i].resize(segment->doc_count());
    for (std::uint32_t doc = 0; doc < segment->doc_count(); ++doc)
      docs[i][doc] = keep.empty() || keep[doc] ? static_cast<std::uint32_t>(doc_count++) : kGone;
    if (keep.empty() && marks.inputs[i].same)
      sources.AddPacked(segment->source());
    else
      HONRYU_TRY_VOID(CopySources(inputs[i], marks.inputs[i], sources));
  }
  if (doc_count > INT32_MAX)
    return Error(ErrorCode::kTooLarge, "the merged segment would have too many documents");
  std::map<std::string_view, std::vector<Source>> fields;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (const auto& field : inputs[i].segment->fields()) {
      Source source;
      source.segment = inputs[i].segment.get();
      source.field = &field;
      source.docs = &docs[i];
      source.whole = inputs[i].keep.empty();
      if (HasValues(source)) fields[field.name].push_back(std::move(source));
    }
  for (auto& [name, list] : fields)
    HONRYU_TRY_VOID(
        FieldMerger(std::string(name), std::move(list), static_cast<std::uint32_t>(doc_count), file).Run());
  std::string section;
  for (const auto& name : marks.names) AppendString(section, name);
  if (!section.empty()) file.AddSection(SectionKind::kDetached, kNoField, section);
  const auto [head, data] = sources.Finish();
  file.AddSection(SectionKind::kSource, kNoField, head, data);
  return file.Finish(static_cast<std::uint32_t>(doc_count));
}

}  // namespace honryu::search
