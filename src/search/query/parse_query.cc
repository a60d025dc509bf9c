#include "search/query/parse_query.h"

#include "honryu/search/analyzer.h"
#include "honryu/search/api_error.h"
#include "search/query/query_string.h"
#include "search/text/unicode.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <string_view>

namespace honryu::search {
namespace {

using codec::Json;
using Parser = Result<Query> (*)(const Json&, std::size_t depth);

constexpr std::size_t kMaxDepth = 50;
constexpr std::size_t kMaxTerms = 65'536;
/// Of one list of a bool query: matches are counted in 16 bits.
constexpr std::size_t kMaxClauses = 65'535;
constexpr std::int64_t kMaxSlop = 1000;

Result<Query> Parse(const Json& json, std::size_t depth);

std::string Text(const Json& json) {
  if (json.is_string()) return std::string(json.StringOr(""));
  return json.Dump();
}

std::string MinimumOf(const Json& json) {
  const auto* minimum = json.Find("minimum_should_match");
  return minimum == nullptr ? std::string() : Text(*minimum);
}

/// How far the words of a phrase may stand from their places; 0 when it is not given.
std::uint32_t SlopOf(const Json* json) {
  return json == nullptr ? 0
                         : static_cast<std::uint32_t>(std::clamp<std::int64_t>(json->IntOr(0), 0, kMaxSlop));
}

double BoostOf(const Json& json) {
  const auto* boost = json.Find("boost");
  return boost == nullptr ? 1 : boost->DoubleOr(1);
}

/// {"FIELD": value or {…}}, with "boost" and "_name" beside it allowed.
struct FieldBody {
  std::string field;
  const Json* body = nullptr;
};
Result<FieldBody> OneField(const Json& json, std::string_view query) {
  FieldBody found;
  for (const auto& [name, body] : json.object()) {
    if ((name == "boost" || name == "_name") && !body.is_object()) continue;
    if (found.body != nullptr)
      return ParsingError("[" + std::string(query) + "] query doesn't support multiple fields, found [" +
                          found.field + "] and [" + name + "]");
    found = {name, &body};
  }
  if (found.body == nullptr) return ParsingError("[" + std::string(query) + "] query needs a field");
  return found;
}

/// Refuses members that are not among `known`.
Result<void> OnlyKnown(const Json& json, std::string_view query,
                       std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : json.object()) {
    bool found = name == "boost" || name == "_name";
    for (const auto candidate : known) found |= name == candidate;
    if (!found) return ParsingError("[" + std::string(query) + "] query does not support [" + name + "]");
  }
  return Ok();
}

Query Make(Query::Node node, double boost) { return {std::move(node), boost}; }

Result<Query> ParseMatchAll(const Json& json, std::size_t) { return Make(MatchAllQuery{}, BoostOf(json)); }
Result<Query> ParseMatchNone(const Json& json, std::size_t) { return Make(MatchNoneQuery{}, BoostOf(json)); }

Error TooManyClauses(std::string_view what, std::size_t clauses) {
  return {ErrorCode::kInvalidArgument, "too_many_clauses_exception: " + std::string(what) + " has " +
                                           std::to_string(clauses) + " clauses, the limit is " +
                                           std::to_string(kMaxClauses)};
}

Result<void> ParseClauses(const Json* json, std::size_t depth, std::vector<Query>& out) {
  if (json == nullptr) return Ok();
  if (!json->is_array()) {
    HONRYU_TRY(auto query, Parse(*json, depth));
    out.push_back(std::move(query));
    return Ok();
  }
  if (json->array().size() > kMaxClauses) return TooManyClauses("a bool query", json->array().size());
  for (const auto& clause : json->array()) {
    HONRYU_TRY(auto query, Parse(clause, depth));
    out.push_back(std::move(query));
  }
  return Ok();
}

Result<Query> ParseBool(const Json& json, std::size_t depth) {
  HONRYU_TRY_VOID(
      OnlyKnown(json, "bool",
                {"must", "filter", "should", "must_not", "minimum_should_match", "adjust_pure_negative"}));
  BoolQuery query;
  HONRYU_TRY_VOID(ParseClauses(json.Find("must"), depth, query.must));
  HONRYU_TRY_VOID(ParseClauses(json.Find("filter"), depth, query.filter));
  HONRYU_TRY_VOID(ParseClauses(json.Find("should"), depth, query.should));
  HONRYU_TRY_VOID(ParseClauses(json.Find("must_not"), depth, query.must_not));
  query.minimum = MinimumOf(json);
  return Make(std::move(query), BoostOf(json));
}

Result<Query> ParseTerm(const Json& json, std::size_t) {
  HONRYU_TRY(const auto field, OneField(json, "term"));
  TermsQuery query;
  query.field = field.field;
  const Json* value = field.body;
  double boost = BoostOf(json);
  if (field.body->is_object()) {
    HONRYU_TRY_VOID(OnlyKnown(*field.body, "term", {"value", "term", "case_insensitive"}));
    value = field.body->Find("value") != nullptr ? field.body->Find("value") : field.body->Find("term");
    if (value == nullptr) return ParsingError("[term] query for field [" + field.field + "] needs a value");
    if (const auto* fold = field.body->Find("case_insensitive")) query.case_insensitive = fold->BoolOr(false);
    boost = BoostOf(*field.body);
  }
  HONRYU_TRY(auto scalar, ParseScalar(*value));
  query.values.push_back(std::move(scalar));
  return Make(std::move(query), boost);
}

Result<Query> ParseTerms(const Json& json, std::size_t) {
  HONRYU_TRY(const auto field, OneField(json, "terms"));
  if (!field.body->is_array())
    return ParsingError("[terms] query requires an array of values for [" + field.field + "]");
  if (field.body->array().size() > kMaxTerms)
    return IllegalArgument("the number of terms [" + std::to_string(field.body->array().size()) +
                           "] exceeds " + std::to_string(kMaxTerms));
  TermsQuery query;
  query.field = field.field;
  for (const auto& value : field.body->array()) {
    HONRYU_TRY(auto scalar, ParseScalar(value));
    query.values.push_back(std::move(scalar));
  }
  return Make(std::move(query), BoostOf(json));
}

Result<Query> ParseIds(const Json& json, std::size_t) {
  HONRYU_TRY_VOID(OnlyKnown(json, "ids", {"values", "type"}));
  IdsQuery query;
  if (const auto* values = json.Find("values"))
    for (const auto& value : values->array()) query.ids.push_back(Text(value));
  return Make(std::move(query), BoostOf(json));
}

Result<Query> ParseExists(const Json& json, std::size_t) {
  HONRYU_TRY_VOID(OnlyKnown(json, "exists", {"field"}));
  const auto* field = json.Find("field");
  if (field == nullptr || !field->is_string())
    return ParsingError("[exists] must be provided with a [field]");
  return Make(ExistsQuery{std::string(field->StringOr(""))}, BoostOf(json));
}

Result<Query> ParsePattern(const Json& json, std::string_view name, PatternQuery::Kind kind) {
  HONRYU_TRY(const auto field, OneField(json, name));
  PatternQuery query;
  query.field = field.field;
  query.kind = kind;
  double boost = BoostOf(json);
  const Json* value = field.body;
  if (field.body->is_object()) {
    HONRYU_TRY_VOID(
        OnlyKnown(*field.body, name,
                  {"value", name, "case_insensitive", "rewrite", "flags", "max_determinized_states",
                   "fuzziness", "max_expansions", "prefix_length", "transpositions"}));
    value = field.body->Find("value") != nullptr ? field.body->Find("value") : field.body->Find(name);
    if (const auto* fold = field.body->Find("case_insensitive")) query.case_insensitive = fold->BoolOr(false);
    if (const auto* edits = field.body->Find("fuzziness"); edits != nullptr && edits->is_number())
      query.edits =
          static_cast<unsigned>(std::min<std::int64_t>(2, std::max<std::int64_t>(0, edits->IntOr(2))));
    boost = BoostOf(*field.body);
  }
  if (value == nullptr || value->is_object() || value->is_array())
    return ParsingError("[" + std::string(name) + "] query for field [" + field.field + "] needs a value");
  query.pattern = Text(*value);
  return Make(std::move(query), boost);
}
Result<Query> ParsePrefix(const Json& json, std::size_t) {
  return ParsePattern(json, "prefix", PatternQuery::Kind::kPrefix);
}
Result<Query> ParseWildcard(const Json& json, std::size_t) {
  return ParsePattern(json, "wildcard", PatternQuery::Kind::kWildcard);
}
Result<Query> ParseRegexp(const Json& json, std::size_t) {
  return ParsePattern(json, "regexp", PatternQuery::Kind::kRegexp);
}
Result<Query> ParseFuzzy(const Json& json, std::size_t) {
  return ParsePattern(json, "fuzzy", PatternQuery::Kind::kFuzzy);
}

Result<Query> ParseRange(const Json& json, std::size_t) {
  HONRYU_TRY(const auto field, OneField(json, "range"));
  if (!field.body->is_object())
    return ParsingError("[range] query malformed, no start_object after query name for field [" +
                        field.field + "]");
  RangeQuery query;
  query.field = field.field;
  for (const auto& [name, value] : field.body->object()) {
    if (name == "gt" || name == "gte" || name == "from" || name == "lt" || name == "lte" || name == "to") {
      if (value.is_null()) continue;
      HONRYU_TRY(auto bound, ParseScalar(value));
      const bool low = name == "gt" || name == "gte" || name == "from";
      (low ? query.low : query.high) = std::move(bound);
      if (name == "gt") query.include_low = false;
      if (name == "lt") query.include_high = false;
    } else if (name == "include_lower") {
      query.include_low = value.BoolOr(true);
    } else if (name == "include_upper") {
      query.include_high = value.BoolOr(true);
    } else if (name == "format") {
      query.format = value.StringOr("");
    } else if (name == "time_zone") {
      query.time_zone = value.StringOr("");
    } else if (name != "boost" && name != "_name" && name != "relation") {
      return ParsingError("[range] query does not support [" + name + "]");
    }
  }
  return Make(std::move(query), BoostOf(*field.body));
}

/// How many edits a word may have: "AUTO", "AUTO:3,6" or a number.
struct Fuzziness {
  std::size_t low = 3, high = 6;    ///< From so many characters on one edit, and two.
  std::optional<unsigned> edits{};  ///< For every word.
  unsigned Of(std::string_view word) const {
    if (edits) return *edits;
    const auto length = CountChars(word);
    return length < low ? 0 : length < high ? 1 : 2;
  }
};

Result<std::optional<Fuzziness>> FuzzinessOf(const Json& json, std::string_view name) {
  if (const auto* prefix = json.Find("prefix_length"); prefix != nullptr && prefix->IntOr(0) != 0)
    return ParsingError("[" + std::string(name) + "] query does not support [prefix_length]");
  const auto* given = json.Find("fuzziness");
  if (given == nullptr || given->is_null()) return std::optional<Fuzziness>();
  Fuzziness fuzziness;
  const auto text = Text(*given);
  const auto bad = ParsingError("failed to parse [fuzziness] with value [" + text + "]");
  if (text == "AUTO" || text == "auto") return std::optional(fuzziness);
  const auto number = [](std::string_view part, std::size_t* out) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), *out);
    return error == std::errc() && end == part.data() + part.size();
  };
  if (text.starts_with("AUTO:")) {
    const auto comma = text.find(',');
    if (comma == std::string::npos || !number(std::string_view(text).substr(5, comma - 5), &fuzziness.low) ||
        !number(std::string_view(text).substr(comma + 1), &fuzziness.high) || fuzziness.low > fuzziness.high)
      return bad;
    return std::optional(fuzziness);
  }
  std::size_t edits = 0;
  if (!number(std::string_view(text).substr(0, text.ends_with(".0") ? text.size() - 2 : text.size()),
              &edits) ||
      edits > 2)
    return bad;
  fuzziness.edits = static_cast<unsigned>(edits);
  return std::optional(fuzziness);
}

/// The same search word by word, each in any of the fields, and with edits. Runs of Chinese, Japanese and
/// Korean stay what they are.
Result<BoolQuery> WordByWord(const MatchQuery& whole, const std::optional<Fuzziness>& fuzziness) {
  Analyzer analyzer(AnalyzerKind::kStandard);
  std::vector<Token> tokens;
  analyzer.Analyze(whole.text, tokens);
  if (const auto clauses = tokens.size() * std::max<std::size_t>(1, whole.fields.size());
      clauses > kMaxClauses)
    return TooManyClauses("a text in its fields", clauses);
  BoolQuery words;
  auto& clauses = whole.all ? words.must : words.should;
  for (std::size_t i = 0; i < tokens.size();) {
    const auto first = i++;
    const bool word = tokens[first].kind == TokenKind::kWord;
    while (!word && i < tokens.size() && tokens[i].run == tokens[first].run) ++i;
    const char* const begin = tokens[first].text.data();
    MatchQuery one;
    one.fields = whole.fields;
    one.text = std::string(begin, tokens[i - 1].text.data() + tokens[i - 1].text.size());
    one.slop = word && fuzziness ? fuzziness->Of(one.text) : 0;
    if (one.slop > 0) one.kind = MatchQuery::Kind::kFuzzy;
    clauses.push_back({std::move(one), 1});
  }
  if (!whole.all) words.minimum = whole.minimum;
  if (clauses.empty()) clauses.push_back({MatchNoneQuery{}, 1});
  if (!fuzziness || clauses.size() < 2) return words;
  // In fields that are not analysed the text is one value.
  MatchQuery value = whole;
  value.kind = MatchQuery::Kind::kFuzzy;
  value.slop = fuzziness->Of(whole.text);
  BoolQuery either;
  either.should.push_back({std::move(words), 1});
  either.should.push_back({std::move(value), 1});
  return either;
}

Result<Query> ParseMatchKind(const Json& json, std::string_view name, MatchQuery::Kind kind) {
  HONRYU_TRY(const auto field, OneField(json, name));
  MatchQuery query;
  query.kind = kind;
  query.fields.push_back({field.field, 1});
  double boost = BoostOf(json);
  if (!field.body->is_object()) {
    query.text = Text(*field.body);
    return Make(std::move(query), boost);
  }
  HONRYU_TRY_VOID(
      OnlyKnown(*field.body, name,
                {"query", "operator", "minimum_should_match", "slop", "analyzer", "lenient",
                 "zero_terms_query", "auto_generate_synonyms_phrase_query", "max_expansions",
                 "cutoff_frequency", "fuzzy_transpositions", "fuzziness", "prefix_length", "fuzzy_rewrite"}));
  const auto* text = field.body->Find("query");
  if (text == nullptr) return ParsingError("no text specified for [" + std::string(name) + "] query");
  query.text = Text(*text);
  if (const auto* op = field.body->Find("operator"))
    query.all = op->StringOr("") == "and" || op->StringOr("") == "AND";
  query.slop = SlopOf(field.body->Find("slop"));
  query.minimum = MinimumOf(*field.body);
  boost = BoostOf(*field.body);
  HONRYU_TRY(const auto fuzziness, FuzzinessOf(*field.body, name));
  if (fuzziness && kind == MatchQuery::Kind::kTerms) {
    HONRYU_TRY(auto words, WordByWord(query, fuzziness));
    return Make(std::move(words), boost);
  }
  if (fuzziness) return ParsingError("[" + std::string(name) + "] query does not support [fuzziness]");
  return Make(std::move(query), boost);
}
Result<Query> ParseMatch(const Json& json, std::size_t) {
  return ParseMatchKind(json, "match", MatchQuery::Kind::kTerms);
}
Result<Query> ParsePhrase(const Json& json, std::size_t) {
  return ParseMatchKind(json, "match_phrase", MatchQuery::Kind::kPhrase);
}
Result<Query> ParsePhrasePrefix(const Json& json, std::size_t) {
  return ParseMatchKind(json, "match_phrase_prefix", MatchQuery::Kind::kPhrasePrefix);
}
Result<Query> ParseBoolPrefix(const Json& json, std::size_t) {
  return ParseMatchKind(json, "match_bool_prefix", MatchQuery::Kind::kBoolPrefix);
}

Result<Query> ParseMultiMatch(const Json& json, std::size_t) {
  HONRYU_TRY_VOID(OnlyKnown(json, "multi_match",
                            {"query", "fields", "type", "operator", "minimum_should_match", "slop",
                             "analyzer", "lenient", "tie_breaker", "zero_terms_query", "max_expansions",
                             "fuzziness", "prefix_length", "fuzzy_rewrite", "fuzzy_transpositions"}));
  MatchQuery query;
  const auto* text = json.Find("query");
  if (text == nullptr) return ParsingError("no text specified for [multi_match] query");
  query.text = Text(*text);
  if (const auto* fields = json.Find("fields")) {
    if (fields->is_string()) query.fields.push_back(ParseWeightedField(fields->StringOr("")));
    for (const auto& field : fields->array()) query.fields.push_back(ParseWeightedField(field.StringOr("")));
  }
  const auto* type = json.Find("type");
  const auto name = type == nullptr ? "best_fields" : type->StringOr("");
  if (name == "phrase")
    query.kind = MatchQuery::Kind::kPhrase;
  else if (name == "phrase_prefix")
    query.kind = MatchQuery::Kind::kPhrasePrefix;
  else if (name == "bool_prefix")
    query.kind = MatchQuery::Kind::kBoolPrefix;
  else if (name != "best_fields" && name != "most_fields" && name != "cross_fields")
    return ParsingError("failed to parse [multi_match] query type [" + std::string(name) +
                        "]. unknown type.");
  if (const auto* op = json.Find("operator"))
    query.all = op->StringOr("") == "and" || op->StringOr("") == "AND";
  query.slop = SlopOf(json.Find("slop"));
  query.minimum = MinimumOf(json);
  HONRYU_TRY(const auto fuzziness, FuzzinessOf(json, "multi_match"));
  if (fuzziness && query.kind != MatchQuery::Kind::kTerms)
    return ParsingError("Fuzziness not allowed for type [" + std::string(name) + "]");
  // Fields taken together: each word may stand in another one.
  if (fuzziness || (name == "cross_fields" && query.all)) {
    HONRYU_TRY(auto words, WordByWord(query, fuzziness));
    return Make(std::move(words), BoostOf(json));
  }
  return Make(std::move(query), BoostOf(json));
}

void ReadQueryFields(const Json& json, MatchQuery::Fields& out) {
  if (const auto* field = json.Find("default_field"))
    if (field->StringOr("*") != "*") out.push_back({std::string(field->StringOr("")), 1});
  if (const auto* fields = json.Find("fields"))
    for (const auto& field : fields->array()) out.push_back(ParseWeightedField(field.StringOr("")));
}

Result<Query> ParseQueryStringBody(const Json& json, std::size_t) {
  HONRYU_TRY_VOID(OnlyKnown(json, "query_string",
                            {"query",
                             "default_field",
                             "fields",
                             "default_operator",
                             "analyze_wildcard",
                             "lenient",
                             "time_zone",
                             "analyzer",
                             "allow_leading_wildcard",
                             "minimum_should_match",
                             "phrase_slop",
                             "quote_analyzer",
                             "quote_field_suffix",
                             "type",
                             "tie_breaker",
                             "rewrite",
                             "enable_position_increments",
                             "escape",
                             "fuzziness",
                             "fuzzy_prefix_length",
                             "fuzzy_max_expansions",
                             "max_determinized_states",
                             "auto_generate_synonyms_phrase_query"}));
  const auto* text = json.Find("query");
  if (text == nullptr || !text->is_string())
    return ParsingError("[query_string] must be provided with a [query]");
  QueryStringOptions options;
  ReadQueryFields(json, options.fields);
  if (const auto* op = json.Find("default_operator"))
    options.all = op->StringOr("") == "and" || op->StringOr("") == "AND";
  if (const auto* zone = json.Find("time_zone")) options.time_zone = zone->StringOr("");
  options.phrase_slop = SlopOf(json.Find("phrase_slop"));
  HONRYU_TRY(auto query, ParseQueryString(text->StringOr(""), options));
  query.boost *= BoostOf(json);
  return query;
}

Result<Query> ParseSimpleQueryStringBody(const Json& json, std::size_t) {
  HONRYU_TRY_VOID(
      OnlyKnown(json, "simple_query_string",
                {"query", "fields", "default_operator", "analyze_wildcard", "lenient", "flags", "analyzer",
                 "minimum_should_match", "quote_field_suffix", "fuzzy_prefix_length", "fuzzy_max_expansions",
                 "fuzzy_transpositions", "auto_generate_synonyms_phrase_query"}));
  const auto* text = json.Find("query");
  if (text == nullptr || !text->is_string())
    return ParsingError("[simple_query_string] must be provided with a [query]");
  QueryStringOptions options;
  ReadQueryFields(json, options.fields);
  if (const auto* op = json.Find("default_operator"))
    options.all = op->StringOr("") == "and" || op->StringOr("") == "AND";
  auto query = ParseSimpleQueryString(text->StringOr(""), options);
  query.boost *= BoostOf(json);
  return query;
}

Result<Query> ParseConstantScore(const Json& json, std::size_t depth) {
  const auto* filter = json.Find("filter");
  if (filter == nullptr) return ParsingError("[constant_score] requires a 'filter' element");
  HONRYU_TRY(auto inner, Parse(*filter, depth));
  ConstantScoreQuery query;
  query.inner.push_back(std::move(inner));
  return Make(std::move(query), BoostOf(json));
}

Result<Query> ParseDisMax(const Json& json, std::size_t depth) {
  BoolQuery query;  // the sum of the scores instead of the greatest
  HONRYU_TRY_VOID(ParseClauses(json.Find("queries"), depth, query.should));
  query.minimum = "1";
  return Make(std::move(query), BoostOf(json));
}

Result<Query> ParseBoosting(const Json& json, std::size_t depth) {
  const auto* positive = json.Find("positive");
  if (positive == nullptr) return ParsingError("[boosting] query requires 'positive' query to be set");
  return Parse(*positive, depth);
}

Result<Query> ParseNested(const Json& json, std::size_t depth) {
  const auto* inner = json.Find("query");
  if (inner == nullptr) return ParsingError("[nested] requires 'query' field");
  return Parse(*inner, depth);
}

/// "BBOX (left, right, top, bottom)".
Result<void> ReadBbox(std::string_view text, GeoBoxQuery& query) {
  const auto open = text.find('('), close = text.rfind(')');
  double* const sides[] = {&query.left, &query.right, &query.top, &query.bottom};
  std::size_t read = 0;
  if (text.starts_with("BBOX") && open != std::string_view::npos && close != std::string_view::npos &&
      open < close) {
    auto rest = text.substr(open + 1, close - open - 1);
    for (double* side : sides) {
      while (rest.starts_with(' ') || rest.starts_with(',')) rest.remove_prefix(1);
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), *side);
      if (error != std::errc()) break;
      rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
      ++read;
    }
    if (read == 4 && rest.find_first_not_of(' ') == std::string_view::npos) return Ok();
  }
  return ParsingError("failed to parse WKT bounding box [" + std::string(text) + "]");
}

Result<Query> ParseGeoBox(const Json& json, std::size_t) {
  GeoBoxQuery query;
  const Json* box = nullptr;
  for (const auto& [name, body] : json.object()) {
    if (name == "validation_method" || name == "type" || name == "ignore_unmapped" || name == "boost" ||
        name == "_name")
      continue;
    query.field = name;
    box = &body;
  }
  if (box == nullptr) return ParsingError("[geo_bounding_box] query needs a field");
  if (!box->is_object() || box->object().empty())
    return ParsingError("failed to parse bounding box [" + box->Dump() + "]");
  for (const auto& [name, value] : box->object()) {
    if (name == "wkt") {
      HONRYU_TRY_VOID(ReadBbox(value.StringOr(""), query));
    } else if (name == "top" || name == "bottom" || name == "left" || name == "right") {
      if (!value.is_number()) return ParsingError("[geo_bounding_box] [" + name + "] must be a number");
      (name == "top"      ? query.top
       : name == "bottom" ? query.bottom
       : name == "left"   ? query.left
                          : query.right) = value.DoubleOr(0);
    } else if (name == "top_left" || name == "top_right" || name == "bottom_left" || name == "bottom_right") {
      HONRYU_TRY(const auto point, ParsePoint(value));
      (name.starts_with("top") ? query.top : query.bottom) = point.lat;
      (name.ends_with("left") ? query.left : query.right) = point.lon;
    } else {
      return ParsingError("failed to parse bounding box: unexpected field [" + name + "]");
    }
  }
  for (const double latitude : {query.top, query.bottom})
    if (!(std::fabs(latitude) <= 90))
      return IllegalArgument("illegal latitude value [" + std::to_string(latitude) +
                             "] for geo_bounding_box");
  for (const double longitude : {query.left, query.right})
    if (!(std::fabs(longitude) <= 180))
      return IllegalArgument("illegal longitude value [" + std::to_string(longitude) +
                             "] for geo_bounding_box");
  if (query.top < query.bottom)
    return IllegalArgument("top is below bottom corner: " + std::to_string(query.top) + " vs. " +
                           std::to_string(query.bottom));
  return Make(std::move(query), BoostOf(json));
}

Result<double> ParseDistance(const Json& json) {
  if (json.is_number()) return json.DoubleOr(0);
  const auto text = json.StringOr("");
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto metres = DistanceUnit(unit);
  if (error == std::errc() && metres) return number * *metres;
  return ParsingError("failed to parse distance [" + json.Dump() + "]");
}

Result<Query> ParseGeoDistance(const Json& json, std::size_t) {
  GeoDistanceQuery query;
  for (const auto& [name, body] : json.object()) {
    if (name == "distance") {
      HONRYU_TRY(query.metres, ParseDistance(body));
    } else if (name != "distance_type" && name != "validation_method" && name != "ignore_unmapped" &&
               name != "boost" && name != "_name") {
      HONRYU_TRY(const auto point, ParsePoint(body));
      query.field = name;
      query.lat = point.lat;
      query.lon = point.lon;
    }
  }
  if (query.field.empty()) return ParsingError("[geo_distance] query needs a field");
  if (!(query.metres > 0)) return IllegalArgument("distance must be greater than zero");
  return Make(std::move(query), BoostOf(json));
}

constexpr std::array<std::pair<std::string_view, Parser>, 25> kParsers = {
    {{"match_all", ParseMatchAll},
     {"match_none", ParseMatchNone},
     {"bool", ParseBool},
     {"term", ParseTerm},
     {"terms", ParseTerms},
     {"ids", ParseIds},
     {"exists", ParseExists},
     {"prefix", ParsePrefix},
     {"wildcard", ParseWildcard},
     {"regexp", ParseRegexp},
     {"fuzzy", ParseFuzzy},
     {"range", ParseRange},
     {"match", ParseMatch},
     {"match_phrase", ParsePhrase},
     {"match_phrase_prefix", ParsePhrasePrefix},
     {"match_bool_prefix", ParseBoolPrefix},
     {"multi_match", ParseMultiMatch},
     {"constant_score", ParseConstantScore},
     {"dis_max", ParseDisMax},
     {"boosting", ParseBoosting},
     {"nested", ParseNested},
     {"geo_bounding_box", ParseGeoBox},
     {"geo_distance", ParseGeoDistance},
     {"query_string", ParseQueryStringBody},
     {"simple_query_string", ParseSimpleQueryStringBody}}};

Result<Query> Parse(const Json& json, std::size_t depth) {
  if (depth == 0) return ParsingError("the query is nested too deeply");
  if (!json.is_object())
    return ParsingError("a query must be an object, found [" + json.Dump().substr(0, 40) + "]");
  if (json.object().empty()) return ParsingError("query malformed, empty clause found");
  if (json.object().size() > 1)
    return ParsingError("[" + json.object()[0].first +
                        "] malformed query, expected [END_OBJECT] but found [FIELD_NAME]");
  const auto& [name, body] = json.object()[0];
  for (const auto& [known, parser] : kParsers)
    if (name == known) {
      if (!body.is_object())
        return ParsingError("[" + name + "] query malformed, no start_object after query name");
      return parser(body, depth - 1);
    }
  return ParsingError("unknown query [" + name + "]");
}

}  // namespace

MatchQuery::Field ParseWeightedField(std::string_view text) {
  MatchQuery::Field field;
  const auto caret = text.find('^');
  field.name = text.substr(0, caret);
  if (caret == std::string_view::npos) return field;
  std::from_chars(text.data() + caret + 1, text.data() + text.size(), field.boost);
  return field;
}

Result<Scalar> ParseScalar(const Json& json) {
  if (json.is_string()) return Scalar(std::string(json.StringOr("")));
  if (json.is_bool()) return Scalar(json.BoolOr(false));
  if (const auto* whole = std::get_if<std::int64_t>(&json.value())) return Scalar(*whole);
  if (json.is_number()) return Scalar(json.DoubleOr(0));
  return ParsingError("expected a value, found [" + json.Dump().substr(0, 40) + "]");
}

Result<GeoPoint> ParsePoint(const Json& json) {
  const auto number = [](const Json* value) -> std::optional<double> {
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->DoubleOr(0);
    const auto text = value->StringOr("");
    double read = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return read;
  };
  std::optional<GeoPoint> point;
  const Json* coordinates = json.Find(kGeoCoordinates);
  const Json& array = coordinates != nullptr ? *coordinates : json;
  if (array.is_array() && (array.array().size() == 2 || array.array().size() == 3) &&
      array.array()[0].is_number() && array.array()[1].is_number())
    point = CheckedPoint(array.array()[1].DoubleOr(0), array.array()[0].DoubleOr(0));
  for (const auto& [lat_name, lon_name] : kGeoMembers)
    if (const auto lat = number(json.Find(lat_name)), lon = number(json.Find(lon_name)); lat && lon && !point)
      point = CheckedPoint(*lat, *lon);
  if (json.is_string()) point = ParseGeoPoint(json.StringOr(""));
  if (point) return *point;
  return ParsingError("failed to parse geo_point [" + json.Dump() + "]");
}

std::optional<double> DistanceUnit(std::string_view unit) {
  constexpr std::array<std::pair<std::string_view, double>, 20> kUnits = {{{"", 1},
                                                                           {"m", 1},
                                                                           {"meters", 1},
                                                                           {"km", 1000},
                                                                           {"kilometers", 1000},
                                                                           {"mi", 1609.344},
                                                                           {"miles", 1609.344},
                                                                           {"yd", 0.9144},
                                                                           {"yards", 0.9144},
                                                                           {"ft", 0.3048},
                                                                           {"feet", 0.3048},
                                                                           {"in", 0.0254},
                                                                           {"inch", 0.0254},
                                                                           {"nmi", 1852},
                                                                           {"NM", 1852},
                                                                           {"nauticalmiles", 1852},
                                                                           {"cm", 0.01},
                                                                           {"centimeters", 0.01},
                                                                           {"mm", 0.001},
                                                                           {"millimeters", 0.001}}};
  for (const auto& [name, metres] : kUnits)
    if (unit == name) return metres;
  return std::nullopt;
}

Result<Query> ParseQuery(const Json& json) { return Parse(json, kMaxDepth); }

}  // namespace honryu::search
