#include "search/query/matcher.h"

#include "honryu/search/api_error.h"
#include "honryu/search/mapping.h"
#include "search/geo/geo_columns.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>

namespace honryu::search {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
/// 2^63, the first double that a 64-bit number cannot hold.
constexpr double kTooLarge = 9223372036854775808.0;
/// Points that are tried between two looks at the limits.
constexpr std::size_t kPointsBetweenLooks = 4096;

/// The moment that a value of a date field stands for.
Result<std::int64_t> DateOf(const Scalar& value, std::string_view format, const TimeZone& zone,
                            std::int64_t now_ms, bool round_up) {
  DateReading reading;
  reading.format = format;
  reading.zone = zone;
  reading.now_ms = now_ms;
  reading.round_up = round_up;
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (format != "epoch_second") return *number;
    if (const auto ms = DateOfNumber(*number, format)) return *ms;
    return Error(ErrorCode::kInvalidArgument, "the number is no date");
  }
  if (const auto* number = std::get_if<double>(&value)) {
    if (!(std::fabs(*number) < 9e15)) return Error(ErrorCode::kInvalidArgument, "the number is no date");
    return static_cast<std::int64_t>(*number * (format == "epoch_second" ? 1000 : 1));
  }
  return ParseDate(ToText(value), reading);
}

/// Whether a pattern holds what separates tokens ("10.0.*", "web-0?"): none of them can fit it, so it is
/// meant for the whole value.
bool SpansTokens(const FieldView& view, std::string_view pattern) {
  if (view.text() == nullptr || !view.field->keywords) return false;
  // Tokens of the other analysers hold any character.
  const auto analyzer = view.text()->analyzer;
  if (analyzer != AnalyzerKind::kStandard && analyzer != AnalyzerKind::kWords) return false;
  return std::any_of(pattern.begin(), pattern.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && std::isalnum(byte) == 0 && c != '*' && c != '?' && c != '\\';
  });
}

}  // namespace

std::size_t RequiredClauses(std::string_view minimum, std::size_t count, std::size_t fallback) {
  if (minimum.empty()) return fallback;
  const bool percent = minimum.ends_with('%');
  if (percent) minimum.remove_suffix(1);
  std::int64_t number = 0;
  std::from_chars(minimum.data(), minimum.data() + minimum.size(), number);
  const auto all = static_cast<std::int64_t>(count);
  number = std::clamp<std::int64_t>(number, -1'000'000, 1'000'000);  // keeps the product in range
  if (percent) number = all * number / 100;
  if (number < 0) number += all;
  return static_cast<std::size_t>(std::max<std::int64_t>(number, 0));
}

Result<DocSet> SegmentMatcher::Match(const Query& query) {
  HONRYU_TRY_VOID(context_.limits.Check());
  return std::visit([this](const auto& node) { return Visit(node); }, query.node);
}

Result<DocSet> SegmentMatcher::MatchWithin(const Query& query, DocRange range) {
  range_ = range;
  auto docs = Match(query);
  range_ = {};
  if (docs.ok()) docs->Clip(range);
  return docs;
}

Result<DocSet> SegmentMatcher::MatchPattern(const FieldView& view, const Pattern& pattern) {
  const auto& prefix = pattern.literal_prefix();
  HONRYU_TRY(auto docs, MatchStrings(segment_, view,
                                     {prefix, [&](std::string_view term) { return term.starts_with(prefix); },
                                      [&](std::string_view term) { return pattern.Matches(term); }},
                                     source_, context_.limits, range_));
  if (pattern.gave_up())
    return IllegalArgument("the regular expression takes too many steps or too deep a stack for some values");
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const MatchAllQuery&) { return DocSet::All(segment_.doc_count()); }
Result<DocSet> SegmentMatcher::Visit(const MatchNoneQuery&) { return DocSet(segment_.doc_count()); }
Result<DocSet> SegmentMatcher::Visit(const ConstantScoreQuery& query) { return Match(query.inner.front()); }

Result<DocSet> SegmentMatcher::Visit(const BoolQuery& query) {
  auto docs = DocSet::All(segment_.doc_count());
  // What a clause leaves bounds the work of those that follow.
  struct Restore {
    DocRange& range;
    const DocRange before;
    ~Restore() { range = before; }
  } const restore{range_, range_};
  // Ranges first: zone maps often rule the whole segment out before anything else is read.
  for (const bool ranges : {true, false})
    for (const auto* clauses : {&query.filter, &query.must})
      for (const auto& clause : *clauses) {
        if (std::holds_alternative<RangeQuery>(clause.node) != ranges) continue;
        HONRYU_TRY(const auto matched, Match(clause));
        docs.And(matched);
        if (docs.empty()) return docs;
        const auto bounds = docs.Bounds();
        range_ = {std::max(range_.begin, bounds.begin), std::min(range_.end, bounds.end)};
        if (range_.begin >= range_.end) return DocSet(segment_.doc_count());
      }
  const std::size_t usual = query.must.empty() && query.filter.empty() && !query.should.empty() ? 1 : 0;
  const auto needed = RequiredClauses(query.minimum, query.should.size(), usual);
  if (needed > query.should.size()) return DocSet(segment_.doc_count());
  if (needed == 1) {
    DocSet any(segment_.doc_count());
    for (const auto& clause : query.should) {
      HONRYU_TRY(const auto matched, Match(clause));
      any.Or(matched);
    }
    docs.And(any);
  } else if (needed > 1) {
    std::vector<std::uint16_t> hits(segment_.doc_count());
    for (const auto& clause : query.should) {
      HONRYU_TRY(const auto matched, Match(clause));
      matched.ForEach([&hits](std::uint32_t doc) { ++hits[doc]; });
    }
    docs.Filter([&](std::uint32_t doc) { return hits[doc] >= needed; });
  }
  for (const auto& clause : query.must_not) {
    if (docs.empty()) return docs;
    HONRYU_TRY(const auto matched, Match(clause));
    docs.AndNot(matched);
  }
  return docs;
}

Result<void> SegmentMatcher::MatchOne(const FieldView& view, const Scalar& value, DocSet& docs) {
  const auto doc_count = segment_.doc_count();
  const auto& field = *view.field;
  if (const auto number = ToDouble(value); number && !std::holds_alternative<bool>(value)) {
    if (field.longs && *number == std::floor(*number) && std::fabs(*number) < kTooLarge) {
      // Whole numbers beyond 2^53 lose digits as doubles.
      auto exact = static_cast<std::int64_t>(*number);
      if (const auto* whole = std::get_if<std::int64_t>(&value)) exact = *whole;
      if (const auto* text = std::get_if<std::string>(&value)) {
        std::int64_t read = 0;
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), read);
        if (error == std::errc() && end == text->data() + text->size()) exact = read;
      }
      docs.Or(MatchStored(*field.longs, doc_count, exact, exact, range_));
    }
    if (field.doubles) docs.Or(MatchDoubles(*field.doubles, doc_count, {*number, *number}, range_));
  }
  if (field.booleans) {
    const auto text = ToText(value);
    if (text == "true" || text == "false") {
      const std::int64_t truth = text == "true" ? 1 : 0;
      docs.Or(MatchStored(*field.booleans, doc_count, truth, truth, range_));
    }
  }
  if (field.dates && !std::holds_alternative<bool>(value)) {
    const auto low = DateOf(value, {}, TimeZone(), context_.now_ms, false);
    const auto high = DateOf(value, {}, TimeZone(), context_.now_ms, true);
    if (low.ok() && high.ok()) docs.Or(MatchStored(*field.dates, doc_count, *low, *high, range_));
  }
  return Ok();
}

Result<DocSet> SegmentMatcher::Visit(const TermsQuery& query) {
  DocSet docs(segment_.doc_count());
  if (query.field == kIdField) {
    IdsQuery ids;
    for (const auto& value : query.values) ids.ids.push_back(ToText(value));
    return Visit(ids);
  }
  const auto view = ViewField(segment_, query.field);
  if (!view) return docs;
  std::vector<std::string> strings;
  for (const auto& value : query.values) {
    strings.push_back(ToText(value));
    if (strings.size() % 64 == 0) HONRYU_TRY_VOID(context_.limits.Check());
    HONRYU_TRY_VOID(MatchOne(*view, value, docs));
  }
  if (query.case_insensitive) {
    Analyzer analyzer(AnalyzerKind::kWords);
    for (auto& string : strings) string = analyzer.Fold(string);
    HONRYU_TRY(const auto folded, MatchStrings(segment_, *view,
                                               {{},
                                                [](std::string_view) { return true; },
                                                [&](std::string_view term) {
                                                  return std::find(strings.begin(), strings.end(),
                                                                   analyzer.Fold(term)) != strings.end();
                                                }},
                                               source_, context_.limits, range_));
    docs.Or(folded);
  } else {
    docs.Or(MatchExactStrings(segment_, *view, strings, source_, range_));
  }
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const IdsQuery& query) {
  DocSet docs(segment_.doc_count());
  const auto* shard = segment_.Find(kShardField);
  const auto* sequence = segment_.Find(kSequenceField);
  for (const auto& id : query.ids) {
    auto candidates = DocSet::FromSorted(segment_.doc_count(), FindId(segment_, id));
    // "shard:sequence" or "shard:sequence:part"; a shard's name may hold colons itself.
    auto rest = std::string_view(id);
    for (int i = 0; i < 2 && shard != nullptr && sequence != nullptr && sequence->longs; ++i) {
      const auto colon = rest.rfind(':');
      if (colon == std::string_view::npos) break;
      const auto number = ToDouble(Scalar(std::string(rest.substr(colon + 1))));
      rest = rest.substr(0, colon);
      if (!number) break;
      std::int64_t exact = 0;
      std::from_chars(id.data() + colon + 1, id.data() + id.size(), exact);
      auto at = MatchExactStrings(segment_, {shard, shard->name, false}, {std::string(rest)}, source_);
      if (at.empty()) continue;
      at.And(MatchStored(*sequence->longs, segment_.doc_count(), exact, exact));
      candidates.Or(at);
    }
    candidates.Filter([&](std::uint32_t doc) { return segment_.Id(doc) == id; });
    docs.Or(candidates);
  }
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const ExistsQuery& query) {
  DocSet docs(segment_.doc_count());
  if (const auto view = ViewField(segment_, query.field)) docs = MatchPresent(segment_, *view->field);
  const auto prefix = query.field + ".";  // an object exists where a member does
  for (const auto& field : segment_.fields())
    if (field.name.starts_with(prefix)) {
      segment_.Use(field);
      docs.Or(MatchPresent(segment_, field));
    }
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const PatternQuery& query) {
  std::optional<Pattern> pattern;
  if (query.kind == PatternQuery::Kind::kRegexp) {
    HONRYU_TRY(pattern, Pattern::Regexp(query.pattern, query.case_insensitive));
  } else if (query.kind == PatternQuery::Kind::kFuzzy) {
    pattern = Pattern::Fuzzy(query.pattern, query.edits);
  } else if (query.kind == PatternQuery::Kind::kWildcard) {
    pattern = Pattern::Wildcard(query.pattern, query.case_insensitive);
  } else if (query.case_insensitive) {
    std::string escaped;
    for (const char c : query.pattern) {
      if (c == '*' || c == '?' || c == '\\') escaped += '\\';
      escaped += c;
    }
    pattern = Pattern::Wildcard(escaped + "*", true);
  }
  const auto view = ViewField(segment_, query.field);
  if (!view) return DocSet(segment_.doc_count());
  if (query.kind == PatternQuery::Kind::kWildcard && SpansTokens(*view, query.pattern))
    return MatchPattern(view->Exact(), *pattern);
  if (pattern) return MatchPattern(*view, *pattern);
  return MatchStrings(segment_, *view,
                      {query.pattern, [&](std::string_view term) { return term.starts_with(query.pattern); },
                       [](std::string_view) { return true; }},
                      source_, context_.limits, range_);
}

Result<DocSet> SegmentMatcher::Visit(const RangeQuery& query) {
  const auto doc_count = segment_.doc_count();
  DocSet docs(doc_count);
  HONRYU_TRY(const auto zone, TimeZone::Parse(query.time_zone));
  auto view = ViewField(segment_, query.field);
  if (!view) return docs;
  view->analysed = false;  // a range over tokens means nothing to a person
  const auto& field = *view->field;
  if (field.dates) {
    std::int64_t low = kLeast, high = kMost;
    if (query.low) {
      HONRYU_TRY(low, DateOf(*query.low, query.format, zone, context_.now_ms, !query.include_low));
      if (!query.include_low) ++low;
    }
    if (query.high) {
      HONRYU_TRY(high, DateOf(*query.high, query.format, zone, context_.now_ms, query.include_high));
      if (!query.include_high) --high;
    }
    docs.Or(MatchStored(*field.dates, doc_count, low, high, range_));
  }
  DoubleRange range{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(),
                    query.include_low, query.include_high};
  const auto low = query.low ? ToDouble(*query.low) : range.low;
  const auto high = query.high ? ToDouble(*query.high) : range.high;
  if (low && high) {
    range.low = *low;
    range.high = *high;
    if (field.doubles) docs.Or(MatchDoubles(*field.doubles, doc_count, range, range_));
    if (field.longs) {
      const auto whole = [](const std::optional<Scalar>& bound, double number, double rounded,
                            std::int64_t otherwise) {
        if (!bound || std::fabs(rounded) >= kTooLarge)
          return number < 0 ? kLeast : number > 0 ? kMost : otherwise;
        if (const auto* exact = std::get_if<std::int64_t>(&*bound)) return *exact;
        return static_cast<std::int64_t>(rounded);
      };
      auto from = whole(query.low, range.low, std::ceil(range.low), kLeast);
      auto to = whole(query.high, range.high, std::floor(range.high), kMost);
      if (!query.include_low && query.low && static_cast<double>(from) == range.low && from < kMost) ++from;
      if (!query.include_high && query.high && static_cast<double>(to) == range.high && to > kLeast) --to;
      if (from <= to) docs.Or(MatchStored(*field.longs, doc_count, from, to, range_));
    }
  }
  // Strings are compared with strings only, so that a stray string in a field of numbers matches no range of
  // numbers.
  const auto textual = [](const std::optional<Scalar>& bound) {
    return !bound || std::holds_alternative<std::string>(*bound);
  };
  if (field.keywords && textual(query.low) && textual(query.high)) {
    const auto from = query.low ? std::get<std::string>(*query.low) : std::string();
    StringTest test{from,
                    [&](std::string_view term) {
                      if (!query.high) return true;
                      const auto order = term.compare(std::get<std::string>(*query.high));
                      return query.include_high ? order <= 0 : order < 0;
                    },
                    [&](std::string_view term) { return query.include_low || !query.low || term != from; }};
    HONRYU_TRY(const auto matched, MatchStrings(segment_, *view, test, source_, context_.limits, range_));
    docs.Or(matched);
  }
  return docs;
}

std::vector<SegmentMatcher::WeightedView> SegmentMatcher::Views(const MatchQuery& query) const {
  std::vector<WeightedView> views;
  const auto add_all = [&](std::string_view pattern, double boost) {
    for (const auto& field : segment_.fields())
      if (!IsStoreField(field.name) && (field.text || field.keywords) && NameFits(pattern, field.name)) {
        segment_.Use(field);
        views.push_back({{&field, field.name, field.text.has_value()}, boost});
      }
  };
  if (query.fields.empty()) add_all("*", 1);
  for (const auto& field : query.fields) {
    if (field.name.find('*') != std::string::npos)
      add_all(field.name, field.boost);
    else if (const auto view = ViewField(segment_, field.name))
      views.push_back({*view, field.boost});
  }
  return views;
}

std::vector<TextClause> SegmentMatcher::Clauses(const FieldView& view, const MatchQuery& query) {
  Analyzer analyzer(view.text()->analyzer);
  const bool phrase =
      query.kind == MatchQuery::Kind::kPhrase || query.kind == MatchQuery::Kind::kPhrasePrefix;
  std::vector<TextClause> clauses;
  if (phrase) {
    clauses.push_back(PhraseClause(analyzer, query.text));
    if (clauses[0].parts.empty()) clauses.clear();
  } else {
    clauses = WordClauses(analyzer, query.text);
  }
  if (!clauses.empty() &&
      (query.kind == MatchQuery::Kind::kPhrasePrefix || query.kind == MatchQuery::Kind::kBoolPrefix))
    OpenEnd(clauses.back());
  return clauses;
}

Result<DocSet> SegmentMatcher::MatchFieldPattern(const FieldView& view, const MatchQuery& query) {
  auto text = query.text;
  if (query.kind == MatchQuery::Kind::kWildcard && SpansTokens(view, text))
    return MatchPattern(view.Exact(), Pattern::Wildcard(text, true));
  if (view.text() != nullptr && query.kind != MatchQuery::Kind::kRegexp)
    text = Analyzer(view.text()->analyzer).Fold(text);
  std::optional<Pattern> pattern;
  if (query.kind == MatchQuery::Kind::kRegexp) {
    HONRYU_TRY(pattern, Pattern::Regexp(text, false));
  } else if (query.kind == MatchQuery::Kind::kFuzzy) {
    pattern = Pattern::Fuzzy(text, query.slop);
  } else {
    pattern = Pattern::Wildcard(text, false);
  }
  return MatchPattern(view, *pattern);
}

Result<DocSet> SegmentMatcher::MatchField(const FieldView& view, const MatchQuery& query) {
  const auto doc_count = segment_.doc_count();
  DocSet docs(doc_count);
  if (query.kind >= MatchQuery::Kind::kWildcard) return MatchFieldPattern(view, query);
  if (view.text() == nullptr) {
    HONRYU_TRY_VOID(MatchOne(view, query.text, docs));
    if (query.kind == MatchQuery::Kind::kPhrasePrefix || query.kind == MatchQuery::Kind::kBoolPrefix) {
      HONRYU_TRY(const auto begun,
                 Visit(PatternQuery{std::string(view.field->name) + (view.field->text ? ".keyword" : ""),
                                    PatternQuery::Kind::kPrefix, query.text, false, 0}));
      docs.Or(begun);
    } else {
      docs.Or(MatchExactStrings(segment_, view, {query.text}, source_, range_));
    }
    return docs;
  }
  const auto clauses = Clauses(view, query);
  if (clauses.empty()) return docs;
  const auto needed = query.all ? clauses.size()
                                : std::max<std::size_t>(1, RequiredClauses(query.minimum, clauses.size(), 1));
  if (needed > clauses.size()) return docs;
  std::vector<std::uint16_t> hits(needed > 1 && needed < clauses.size() ? doc_count : 0);
  bool first = true;
  for (const auto& clause : clauses) {
    HONRYU_TRY_VOID(context_.limits.Check());
    const auto targets = view.text()->by_ordinal ? DocRange{} : range_;
    auto matched =
        ToDocs(segment_, view, FindClause(*view.text(), clause, query.slop, false, targets).targets, range_);
    if (!hits.empty())
      matched.ForEach([&hits](std::uint32_t doc) { ++hits[doc]; });
    else if (needed == 1)
      docs.Or(matched);
    else if (first)
      docs = std::move(matched);
    else
      docs.And(matched);
    if (needed == clauses.size() && needed > 1 && docs.empty()) return docs;
    first = false;
  }
  if (!hits.empty()) {
    docs = DocSet::All(doc_count);
    docs.Filter([&](std::uint32_t doc) { return hits[doc] >= needed; });
  }
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const MatchQuery& query) {
  DocSet docs(segment_.doc_count());
  for (const auto& weighted : Views(query)) {
    HONRYU_TRY(const auto matched, MatchField(weighted.view, query));
    docs.Or(matched);
  }
  return docs;
}

Result<DocSet> SegmentMatcher::MatchPoints(std::string_view field, const DoubleRange& latitudes,
                                           const std::function<bool(const GeoPoint&)>& inside) {
  GeoColumns points(segment_, field, segment_.doc_count());
  auto docs = points.Near(latitudes, range_);
  std::size_t tried = 0;
  Result<void> going = Ok();
  docs.Filter([&](std::uint32_t doc) {
    if (++tried % kPointsBetweenLooks == 0 && going.ok()) going = context_.limits.Check();
    bool any = false;
    if (going.ok()) points.Of(doc, [&](const GeoPoint& point) { any = any || inside(point); });
    return any;
  });
  HONRYU_TRY_VOID(std::move(going));
  return docs;
}

Result<DocSet> SegmentMatcher::Visit(const GeoBoxQuery& query) {
  return MatchPoints(query.field, {query.bottom, query.top}, [&](const GeoPoint& point) {
    const bool between = query.left <= query.right ? point.lon >= query.left && point.lon <= query.right
                                                   : point.lon >= query.left || point.lon <= query.right;
    return between && point.lat >= query.bottom && point.lat <= query.top;
  });
}

Result<DocSet> SegmentMatcher::Visit(const GeoDistanceQuery& query) {
  constexpr double kDegree = std::numbers::pi / 180;
  const double reach = query.metres / kEarthMetres / kDegree * 1.000001;
  const GeoPoint centre{query.lat, query.lon};
  return MatchPoints(query.field, {query.lat - reach, query.lat + reach},
                     [&](const GeoPoint& point) { return GeoMetres(point, centre) <= query.metres; });
}

void SegmentMatcher::ScoreField(const FieldView& view, const MatchQuery& query, const DocSet& within,
                                double boost, std::span<float> scores) {
  constexpr double kK1 = 1.2, kB = 0.75;
  const auto add = [&](std::uint32_t doc, double score) {
    if (doc < scores.size() && within.Contains(doc)) scores[doc] += static_cast<float>(score * boost);
  };
  if (view.text() == nullptr || query.kind >= MatchQuery::Kind::kWildcard) {
    auto matched = MatchField(view, query);
    if (matched.ok()) matched->ForEach([&](std::uint32_t doc) { add(doc, 1); });
    return;
  }
  const auto& column = *view.text();
  const double targets = static_cast<double>(std::max<std::size_t>(1, column.lengths.size()));
  double tokens = 0;
  if (column.by_ordinal)
    for (std::size_t i = 0; i < column.lengths.size(); ++i)
      tokens += static_cast<double>(column.lengths.Get(i));
  else
    tokens = static_cast<double>(column.tokens);
  const double average = std::max(1.0, tokens / targets);
  for (const auto& clause : Clauses(view, query)) {
    const auto hits = FindClause(column, clause, query.slop, true);
    const auto found = static_cast<double>(hits.targets.size());
    const double idf = std::log(1 + (targets - found + 0.5) / (found + 0.5));
    for (std::size_t i = 0; i < hits.targets.size(); ++i) {
      if (hits.targets[i] >= column.lengths.size()) break;
      const double frequency = hits.frequencies[i];
      const double length = static_cast<double>(column.lengths.Get(hits.targets[i]));
      const double score = idf * frequency / (frequency + kK1 * (1 - kB + kB * length / average));
      if (!column.by_ordinal)
        add(hits.targets[i], score);
      else
        ToDocs(segment_, view, {hits.targets[i]}).ForEach([&](std::uint32_t doc) { add(doc, score); });
    }
  }
}

Result<void> SegmentMatcher::AddScores(const Query& query, const DocSet& within, double boost,
                                       std::span<float> scores) {
  boost *= query.boost;
  if (const auto* match = std::get_if<MatchQuery>(&query.node)) {
    const auto views = Views(*match);
    if (views.size() == 1) {
      ScoreField(views[0].view, *match, within, boost * views[0].boost, scores);
      return Ok();
    }
    std::vector<float> best(scores.size()), one(scores.size());
    for (const auto& weighted : views) {
      std::fill(one.begin(), one.end(), 0.0f);
      ScoreField(weighted.view, *match, within, boost * weighted.boost, one);
      for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::max(best[i], one[i]);
    }
    for (std::size_t i = 0; i < best.size(); ++i) scores[i] += best[i];
    return Ok();
  }
  if (const auto* all = std::get_if<BoolQuery>(&query.node)) {
    for (const auto* clauses : {&all->must, &all->should})
      for (const auto& clause : *clauses) {
        HONRYU_TRY(auto matched, Match(clause));
        matched.And(within);
        HONRYU_TRY_VOID(AddScores(clause, matched, boost, scores));
      }
    return Ok();
  }
  within.ForEach([&](std::uint32_t doc) { scores[doc] += static_cast<float>(boost); });
  return Ok();
}

}  // namespace honryu::search
