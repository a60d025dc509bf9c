#include "search/query/highlight.h"

#include "honryu/search/analyzer.h"
#include "honryu/search/api_error.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/text/unicode.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace honryu::search {
namespace {

using codec::Json;

/// A word or a run of characters without blanks, folded, with its place in the original text.
struct Word {
  std::string text;
  bool run = false;                  ///< Of Chinese, Japanese or Korean characters, or of emoji.
  bool emoji = false;                ///< The latter.
  std::size_t begin = 0, end = 0;    ///< In the original.
  std::vector<std::size_t> origins;  ///< Of a run: where each byte of `text` comes from.
};

/// Folds and cuts a text character by character, so that places stay known. Forms that only fold together
/// (a letter and its combining mark) are taken by the letter.
std::vector<Word> Words(std::string_view text) {
  std::vector<Word> words;
  bool open = false;
  std::string folded;
  for (std::size_t at = 0; at < text.size();) {
    const auto begin = at;
    NextChar(text, &at);
    folded.clear();
    FoldInto(text.substr(begin, at - begin), folded);
    if (folded.empty()) {
      // Joiners and the like are not there for the analyser.
      if (open) words.back().end = at;
      continue;
    }
    std::size_t first = 0;
    const auto folded_class = ClassOf(NextChar(folded, &first));
    if (folded_class == CharClass::kSeparator) {
      open = false;
      continue;
    }
    const bool emoji = folded_class == CharClass::kEmoji, run = emoji || folded_class == CharClass::kPaired;
    if (!open ||
        ((words.back().run != run || words.back().emoji != emoji) && folded_class != CharClass::kMark)) {
      words.push_back({{}, run, emoji, begin, at, {}});
      open = true;
    }
    words.back().text += folded;
    words.back().origins.resize(words.back().text.size(), begin);
    words.back().end = at;
  }
  return words;
}

void AddWords(const MatchQuery& query, HighlightTerm::Kind last, bool together,
              std::vector<HighlightTerm>& out) {
  const auto words = Words(query.text);
  HighlightTerm whole;
  whole.fields = query.fields;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool prefix = last == HighlightTerm::Kind::kPrefix && i + 1 == words.size();
    if (together && !prefix) {
      whole.words.push_back(words[i].text);
      continue;
    }
    HighlightTerm term;
    term.fields = query.fields;
    term.kind = prefix ? last : HighlightTerm::Kind::kWords;
    term.words = {words[i].text};
    out.push_back(std::move(term));
  }
  if (!whole.words.empty()) out.push_back(std::move(whole));
}

void Collect(const Query& query, std::vector<HighlightTerm>& out);

struct Collector {
  std::vector<HighlightTerm>& out;

  void operator()(const BoolQuery& query) const {
    for (const auto* list : {&query.must, &query.filter, &query.should})
      for (const auto& inner : *list) Collect(inner, out);
  }
  void operator()(const ConstantScoreQuery& query) const {
    for (const auto& inner : query.inner) Collect(inner, out);
  }
  void operator()(const TermsQuery& query) const {
    for (const auto& value : query.values) {
      MatchQuery words;
      words.fields = {{query.field, 1}};
      words.text = ToText(value);
      AddWords(words, HighlightTerm::Kind::kWords, true, out);
    }
  }
  void operator()(const PatternQuery& query) const {
    if (query.kind != PatternQuery::Kind::kPrefix && query.kind != PatternQuery::Kind::kWildcard) return;
    AddPattern(query.field, query.pattern,
               query.kind == PatternQuery::Kind::kPrefix ? HighlightTerm::Kind::kPrefix
                                                         : HighlightTerm::Kind::kWildcard);
  }
  void operator()(const MatchQuery& query) const {
    using Kind = MatchQuery::Kind;
    switch (query.kind) {
      case Kind::kTerms:
      case Kind::kFuzzy:
        return AddWords(query, HighlightTerm::Kind::kWords, false, out);
      case Kind::kBoolPrefix:
        return AddWords(query, HighlightTerm::Kind::kPrefix, false, out);
      case Kind::kPhrase:
        return AddWords(query, HighlightTerm::Kind::kWords, true, out);
      case Kind::kPhrasePrefix:
        return AddWords(query, HighlightTerm::Kind::kPrefix, true, out);
      case Kind::kWildcard:
        for (const auto& field : query.fields)
          AddPattern(field.name, query.text, HighlightTerm::Kind::kWildcard);
        if (query.fields.empty()) AddPattern("", query.text, HighlightTerm::Kind::kWildcard);
        return;
      case Kind::kRegexp:
        return;
    }
  }
  template <class Other>
  void operator()(const Other&) const {}

  void AddPattern(const std::string& field, const std::string& pattern, HighlightTerm::Kind kind) const {
    if (pattern.find_first_not_of("*?") == std::string::npos) return;  // fits everything: shows nothing
    HighlightTerm term;
    if (!field.empty()) term.fields = {{field, 1}};
    term.kind = kind;
    std::string folded;
    FoldInto(pattern, folded);
    term.words = {std::move(folded)};
    out.push_back(std::move(term));
  }
};

void Collect(const Query& query, std::vector<HighlightTerm>& out) { std::visit(Collector{out}, query.node); }

struct Mark {
  std::size_t begin = 0, end = 0;
};

/// `*` and `?`, over bytes.
bool WildcardFits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == text[t] || pattern[p] == '?')) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// U+1F3FB to U+1F3FF: belongs to the emoji before it.
bool IsSkinTone(std::string_view text) {
  return text.starts_with("\xf0\x9f\x8f") && text.size() >= 4 && static_cast<unsigned char>(text[3]) >= 0xbb;
}

/// Marks of one wanted word in one word of the text: the word as a whole, or parts of a run.
void MarkWord(const HighlightTerm& term, const std::string& wanted, const Word& word,
              std::vector<Mark>& marks) {
  if (word.run) {
    auto part = std::string_view(wanted);
    while (part.ends_with('*')) part.remove_suffix(1);
    while (part.starts_with('*')) part.remove_prefix(1);
    if (part.empty()) return;
    for (auto at = word.text.find(part); at != std::string::npos;
         at = word.text.find(part, at + part.size())) {
      auto end = at + part.size();
      while (word.emoji && IsSkinTone(std::string_view(word.text).substr(end))) end += 4;
      marks.push_back({word.origins[at], end < word.origins.size() ? word.origins[end] : word.end});
    }
    return;
  }
  bool fits = word.text == wanted;
  if (term.kind == HighlightTerm::Kind::kPrefix) fits = word.text.starts_with(wanted);
  if (term.kind == HighlightTerm::Kind::kWildcard) fits = WildcardFits(wanted, word.text);
  if (fits) marks.push_back({word.begin, word.end});
}

std::vector<Mark> MarksOf(const std::vector<Word>& words, const std::vector<const HighlightTerm*>& terms) {
  std::vector<Mark> marks;
  for (const auto* term : terms) {
    if (term->words.size() == 1) {
      for (const auto& word : words) MarkWord(*term, term->words[0], word, marks);
      continue;
    }
    for (std::size_t i = 0; i + term->words.size() <= words.size(); ++i) {
      std::vector<Mark> phrase;
      for (std::size_t k = 0; k < term->words.size(); ++k) {
        const auto before = phrase.size();
        MarkWord(*term, term->words[k], words[i + k], phrase);
        if (phrase.size() == before) break;
        if (k + 1 == term->words.size()) marks.insert(marks.end(), phrase.begin(), phrase.end());
      }
    }
  }
  std::sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) { return a.begin < b.begin; });
  std::vector<Mark> joined;
  for (const auto& mark : marks) {
    if (!joined.empty() && mark.begin < joined.back().end)
      joined.back().end = std::max(joined.back().end, mark.end);
    else
      joined.push_back(mark);
  }
  return joined;
}

bool InsideChar(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

std::string Marked(std::string_view text, std::size_t begin, std::size_t end, const std::vector<Mark>& marks,
                   const Highlight::Field& field) {
  std::string out;
  auto at = begin;
  for (const auto& mark : marks) {
    if (mark.begin < begin || mark.end > end) continue;
    out += text.substr(at, mark.begin - at);
    out += field.before;
    out += text.substr(mark.begin, mark.end - mark.begin);
    out += field.after;
    at = mark.end;
  }
  out += text.substr(at, end - at);
  return out;
}

void Flatten(const Json& json, const std::string& path,
             std::map<std::string, std::vector<std::string_view>>& out) {
  if (json.is_object()) {
    for (const auto& [name, value] : json.object())
      Flatten(value, path.empty() ? name : path + "." + name, out);
  } else if (json.is_array()) {
    for (const auto& item : json.array()) Flatten(item, path, out);
  } else if (json.is_string()) {
    out[path].push_back(json.StringOr(""));
  }
}

std::string_view WithoutKeyword(std::string_view name) {
  return name.ends_with(".keyword") ? name.substr(0, name.size() - 8) : name;
}

bool Counts(const HighlightTerm& term, std::string_view path, bool require) {
  if (!require || term.fields.empty()) return true;
  return std::any_of(term.fields.begin(), term.fields.end(),
                     [path](const auto& field) { return NameFits(WithoutKeyword(field.name), path); });
}

Result<void> ReadOptions(const Json& json, Highlight::Field& field) {
  constexpr std::array<std::string_view, 16> kAccepted = {"type",
                                                          "order",
                                                          "encoder",
                                                          "boundary_scanner",
                                                          "boundary_chars",
                                                          "fragmenter",
                                                          "tags_schema",
                                                          "no_match_size",
                                                          "phrase_limit",
                                                          "matched_fields",
                                                          "force_source",
                                                          "fields",
                                                          "max_analyzer_offset",
                                                          "boundary_max_scan",
                                                          "boundary_scanner_locale",
                                                          "fragment_offset"};
  for (const auto& [name, value] : json.object()) {
    if (name == "pre_tags" || name == "post_tags") {
      auto& tag = name == "pre_tags" ? field.before : field.after;
      if (value.is_string()) tag = value.StringOr("");
      if (!value.array().empty()) tag = value.array()[0].StringOr("");
    } else if (name == "fragment_size") {
      field.fragment_size = static_cast<std::size_t>(std::max<std::int64_t>(0, value.IntOr(100)));
    } else if (name == "number_of_fragments") {
      field.fragments = static_cast<std::size_t>(std::max<std::int64_t>(0, value.IntOr(5)));
    } else if (name == "require_field_match") {
      field.require_field_match = value.BoolOr(true);
    } else if (name == "highlight_query") {
      HONRYU_TRY(const auto query, ParseQuery(value));
      field.terms.clear();
      Collect(query, field.terms);
      field.own_query = true;
    } else if (std::find(kAccepted.begin(), kAccepted.end(), name) == kAccepted.end()) {
      return ParsingError("[highlight] unknown field [" + name + "]");
    }
  }
  return Ok();
}

}  // namespace

void Highlight::CollectTerms(const Query& query) { Collect(query, terms); }

Result<Highlight> ParseHighlight(const Json& json) {
  Highlight highlight;
  Highlight::Field common;
  HONRYU_TRY_VOID(ReadOptions(json, common));
  const auto add = [&](const std::string& name, const Json& options) -> Result<void> {
    auto field = common;
    field.pattern = name;
    HONRYU_TRY_VOID(ReadOptions(options, field));
    highlight.fields.push_back(std::move(field));
    return Ok();
  };
  const Json* fields = json.Find("fields");
  if (fields == nullptr) return highlight;
  for (const auto& [name, options] : fields->object()) HONRYU_TRY_VOID(add(name, options));
  for (const auto& item : fields->array())
    for (const auto& [name, options] : item.object()) HONRYU_TRY_VOID(add(name, options));
  return highlight;
}

std::vector<std::string> HighlightText(std::string_view text, const std::vector<const HighlightTerm*>& terms,
                                       const Highlight::Field& field) {
  const auto marks = MarksOf(Words(text), terms);
  if (marks.empty()) return {};
  if (field.fragments == 0 || field.fragment_size == 0 || text.size() <= field.fragment_size)
    return {Marked(text, 0, text.size(), marks, field)};
  std::vector<std::string> fragments;
  std::size_t done = 0;
  for (const auto& mark : marks) {
    if (fragments.size() == field.fragments) break;
    if (mark.begin < done) continue;
    // As much before the mark as behind it, from blank to blank where there is one near.
    const auto around =
        field.fragment_size > mark.end - mark.begin ? (field.fragment_size - (mark.end - mark.begin)) / 2 : 0;
    auto begin = std::max(done, mark.begin > around ? mark.begin - around : 0);
    auto end = std::min(text.size(), std::max(mark.end, begin + field.fragment_size));
    if (begin > done) {
      const auto blank = text.find(' ', begin);
      if (blank < mark.begin) begin = blank + 1;
    }
    if (end < text.size()) {
      const auto blank = text.rfind(' ', end);
      if (blank != std::string_view::npos && blank > mark.end) end = blank;
    }
    while (begin < mark.begin && InsideChar(text, begin)) ++begin;
    while (end < text.size() && InsideChar(text, end)) ++end;
    for (const auto& other : marks)
      if (other.begin < end && other.end > end) end = other.end;
    fragments.push_back(Marked(text, begin, end, marks, field));
    done = end;
  }
  return fragments;
}

void WriteHighlights(const Json& document, const Segment& segment, const Highlight& highlight,
                     codec::JsonWriter& out) {
  std::map<std::string, std::vector<std::string_view>> values;
  Flatten(document, "", values);
  std::vector<std::pair<std::string, std::vector<std::string>>> found;
  for (const auto& field : highlight.fields) {
    const bool exact = field.pattern.ends_with(".keyword");
    for (const auto& [path, texts] : values) {
      if (!NameFits(WithoutKeyword(field.pattern), path)) continue;
      const auto* column = segment.Find(path);
      if (column != nullptr && column->dates) continue;  // no text, though the source writes it so
      const auto name = exact ? path + ".keyword" : path;
      if (std::any_of(found.begin(), found.end(), [&](const auto& entry) { return entry.first == name; }))
        continue;
      std::vector<const HighlightTerm*> terms;
      for (const auto& term : field.own_query ? field.terms : highlight.terms)
        if (Counts(term, path, field.require_field_match)) terms.push_back(&term);
      if (terms.empty()) continue;
      std::vector<std::string> fragments;
      for (const auto text : texts)
        for (auto& fragment : HighlightText(text, terms, field)) {
          if (field.fragments > 0 && fragments.size() >= field.fragments) break;
          fragments.push_back(std::move(fragment));
        }
      if (!fragments.empty()) found.emplace_back(name, std::move(fragments));
    }
  }
  if (found.empty()) return;
  out.Key("highlight");
  out.BeginObject();
  for (const auto& [name, fragments] : found) {
    out.Key(name);
    out.BeginArray();
    for (const auto& fragment : fragments) out.String(fragment);
    out.EndArray();
  }
  out.EndObject();
}

}  // namespace honryu::search
