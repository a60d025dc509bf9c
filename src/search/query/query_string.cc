#include "search/query/query_string.h"

#include "honryu/search/api_error.h"

#include <charconv>
#include <optional>

namespace honryu::search {
namespace {

/// A number of a query as a count; what is no count is 0.
std::uint32_t Count(double number, std::uint32_t most) {
  return number > 0 ? static_cast<std::uint32_t>(std::min(number, static_cast<double>(most))) : 0;
}

constexpr int kMaxDepth = 50;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// A clause and whether it must, should or must not match (Lucene's "occur").
struct Clause {
  enum class Occur : std::uint8_t { kMust, kShould, kMustNot };
  Occur occur = Occur::kShould;
  Query query;
};

Query Combine(std::vector<Clause> clauses) {
  if (clauses.size() == 1 && clauses[0].occur != Clause::Occur::kMustNot) return std::move(clauses[0].query);
  BoolQuery all;
  for (auto& clause : clauses) {
    auto& list = clause.occur == Clause::Occur::kMust     ? all.must
                 : clause.occur == Clause::Occur::kShould ? all.should
                                                          : all.must_not;
    list.push_back(std::move(clause.query));
  }
  return {std::move(all), 1};
}

/// A word as it stood: which characters were escaped is remembered, so that `\*` is no wildcard.
struct Word {
  std::string text;     ///< Unescaped.
  std::string pattern;  ///< As a wildcard: escapes kept where they matter.
  bool wild = false;
};

class Parser {
 public:
  Parser(std::string_view text, const QueryStringOptions& options) : text_(text), options_(options) {}

  Result<Query> Parse() {
    SkipBlanks();
    if (at_ == text_.size()) return Query{MatchNoneQuery{}, 1};
    HONRYU_TRY(auto query, ParseClauses({}, 0));
    if (at_ < text_.size()) return Failed("unexpected [" + std::string(1, text_[at_]) + "]");
    return query;
  }

 private:
  Error Failed(const std::string& why) const {
    return ParsingError("Failed to parse query [" + std::string(text_) + "]: " + why + " at " +
                        std::to_string(at_));
  }
  void SkipBlanks() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  }
  bool Take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  /// An upper-case word that stands alone.
  bool TakeKeyword(std::string_view word) {
    const auto rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && !IsBlank(rest[word.size()]) && rest[word.size()] != '(') return false;
    at_ += word.size();
    return true;
  }

  Result<Query> ParseClauses(const MatchQuery::Fields& fields, int depth) {
    if (depth > kMaxDepth) return Failed("too deeply nested");
    std::vector<Clause> clauses;
    for (;;) {
      SkipBlanks();
      if (at_ == text_.size() || text_[at_] == ')') break;
      enum class Joined : std::uint8_t { kNot, kAnd, kOr } joined = Joined::kNot;
      if (!clauses.empty()) {
        if (TakeKeyword("AND") || Take("&&"))
          joined = Joined::kAnd;
        else if (TakeKeyword("OR") || Take("||"))
          joined = Joined::kOr;
        SkipBlanks();
      }
      bool required = false, prohibited = false;
      for (;; SkipBlanks()) {
        if (TakeKeyword("NOT") || Take("!") || Take("-"))
          prohibited = true;
        else if (Take("+"))
          required = true;
        else
          break;
      }
      if (at_ == text_.size() || text_[at_] == ')') return Failed("an operator has nothing behind it");
      HONRYU_TRY(auto query, ParseClause(fields, depth));
      // What stands before decides with: "a AND b" makes both required, "a OR b" (all words required)
      // neither.
      if (joined == Joined::kAnd && clauses.back().occur == Clause::Occur::kShould)
        clauses.back().occur = Clause::Occur::kMust;
      if (joined == Joined::kOr && options_.all && clauses.back().occur == Clause::Occur::kMust)
        clauses.back().occur = Clause::Occur::kShould;
      const bool must = required || joined == Joined::kAnd || (options_.all && joined != Joined::kOr);
      clauses.push_back({prohibited ? Clause::Occur::kMustNot
                         : must     ? Clause::Occur::kMust
                                    : Clause::Occur::kShould,
                         std::move(query)});
    }
    if (clauses.empty()) return Failed("empty parentheses");
    return Combine(std::move(clauses));
  }

  Result<Query> ParseClause(const MatchQuery::Fields& outer, int depth) {
    auto fields = outer;
    if (const auto field = TakeField()) {
      if (*field == "_exists_") {
        HONRYU_TRY(const auto word, TakeWord());
        return Query{ExistsQuery{word.text}, 1};
      }
      if (*field == "*" && text_.substr(at_).starts_with('*')) {
        ++at_;
        return Query{MatchAllQuery{}, 1};
      }
      fields = {{*field, 1}};
      SkipBlanks();
    }
    HONRYU_TRY(auto query, ParseValue(fields, depth));
    if (Take("^")) {
      const auto boost = TakeNumber();
      if (!boost) return Failed("expected a number behind ^");
      query.boost *= *boost;
    }
    return query;
  }

  /// "name:" in front, unescaped. Nothing is taken when there is none.
  std::optional<std::string> TakeField() {
    std::string name;
    for (auto i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\\' && i + 1 < text_.size()) {
        name += text_[++i];
      } else if (c == ':') {
        if (name.empty()) return std::nullopt;
        at_ = i + 1;
        return name;
      } else if (IsBlank(c) || std::string_view("()[]{}\"^~/<>=!+").find(c) != std::string_view::npos) {
        return std::nullopt;
      } else {
        name += c;
      }
    }
    return std::nullopt;
  }

  Result<Query> ParseValue(const MatchQuery::Fields& fields, int depth) {
    if (at_ == text_.size()) return Failed("expected a value");
    const char c = text_[at_];
    if (c == '(') {
      ++at_;
      HONRYU_TRY(auto query, ParseClauses(fields, depth + 1));
      if (!Take(")")) return Failed("expected )");
      return query;
    }
    if (c == '"') return ParsePhrase(fields);
    if (c == '[' || c == '{') return ParseRange(fields);
    if (c == '/') return ParseRegexp(fields);
    if (c == '<' || c == '>') return ParseComparison(fields);
    HONRYU_TRY(const auto word, TakeWord());
    MatchQuery match;
    match.fields = fields.empty() ? options_.fields : fields;
    if (Take("~")) {
      const auto edits = TakeNumber();
      match.kind = MatchQuery::Kind::kFuzzy;
      match.slop = Count(edits.value_or(2), 2);
      match.text = word.text;
      return Query{std::move(match), 1};
    }
    if (word.wild) return Wild(word, std::move(match), fields);
    match.text = word.text;
    match.all = true;  // "foo-bar" is one word to the person who wrote it
    return Query{std::move(match), 1};
  }

  static Query Wild(const Word& word, MatchQuery match, const MatchQuery::Fields& fields) {
    if (word.pattern.find_first_not_of('*') == std::string::npos) {
      if (fields.empty()) return {MatchAllQuery{}, 1};
      if (fields.size() == 1) return {ExistsQuery{fields[0].name}, 1};
    }
    // Chinese, Japanese and Korean have tokens of two characters only; a text search is a search for the
    // substring there, so stars around it change nothing.
    const auto begin = word.pattern.find_first_not_of('*'), end = word.pattern.find_last_not_of('*');
    const auto inner = word.pattern.substr(begin, end - begin + 1);
    const bool foreign = static_cast<unsigned char>(inner[0]) >= 0xe3;
    if (foreign && inner.find_first_of("*?\\") == std::string::npos &&
        !(fields.size() == 1 && fields[0].name.ends_with(".keyword"))) {
      match.kind = MatchQuery::Kind::kPhrase;
      match.text = inner;
      return {std::move(match), 1};
    }
    match.kind = MatchQuery::Kind::kWildcard;
    match.text = word.pattern;
    return {std::move(match), 1};
  }

  Result<Query> ParsePhrase(const MatchQuery::Fields& fields) {
    ++at_;
    MatchQuery match;
    match.fields = fields.empty() ? options_.fields : fields;
    match.kind = MatchQuery::Kind::kPhrase;
    match.slop = options_.phrase_slop;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      match.text += text_[at_];
    }
    if (!Take("\"")) return Failed("a phrase is not closed");
    if (Take("~")) match.slop = Count(TakeNumber().value_or(0), 1000);
    return Query{std::move(match), 1};
  }

  Result<Query> ParseRegexp(const MatchQuery::Fields& fields) {
    ++at_;
    MatchQuery match;
    match.fields = fields.empty() ? options_.fields : fields;
    match.kind = MatchQuery::Kind::kRegexp;
    for (; at_ < text_.size() && text_[at_] != '/'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '/') ++at_;
      match.text += text_[at_];
    }
    if (!Take("/")) return Failed("a regular expression is not closed");
    return Query{std::move(match), 1};
  }

  Result<std::string> OneField(const MatchQuery::Fields& fields) const {
    const auto& all = fields.empty() ? options_.fields : fields;
    if (all.size() != 1) return Failed("a range needs a field");
    return all[0].name;
  }

  Result<Query> ParseRange(const MatchQuery::Fields& fields) {
    RangeQuery range;
    HONRYU_TRY(range.field, OneField(fields));
    range.time_zone = options_.time_zone;
    range.include_low = text_[at_++] == '[';
    HONRYU_TRY(range.low, TakeBound());
    SkipBlanks();
    if (!TakeKeyword("TO")) return Failed("expected TO");
    HONRYU_TRY(range.high, TakeBound());
    SkipBlanks();
    if (at_ == text_.size() || (text_[at_] != ']' && text_[at_] != '}'))
      return Failed("a range is not closed");
    range.include_high = text_[at_++] == ']';
    return Query{std::move(range), 1};
  }

  Result<Query> ParseComparison(const MatchQuery::Fields& fields) {
    RangeQuery range;
    HONRYU_TRY(range.field, OneField(fields));
    range.time_zone = options_.time_zone;
    const bool low = text_[at_++] == '>';
    const bool include = Take("=");
    (low ? range.include_low : range.include_high) = include;
    SkipBlanks();
    std::string bound;
    if (Take("\"")) {
      while (at_ < text_.size() && text_[at_] != '"') bound += text_[at_++];
      if (!Take("\"")) return Failed("a value is not closed");
    } else {
      while (at_ < text_.size() && !IsBlank(text_[at_]) && text_[at_] != ')') bound += text_[at_++];
    }
    if (bound.empty()) return Failed("expected a value");
    (low ? range.low : range.high) = std::move(bound);
    return Query{std::move(range), 1};
  }

  Result<std::optional<Scalar>> TakeBound() {
    SkipBlanks();
    std::string bound;
    if (Take("\"")) {
      while (at_ < text_.size() && text_[at_] != '"') bound += text_[at_++];
      if (!Take("\"")) return Failed("a value is not closed");
      return std::optional<Scalar>(std::move(bound));
    }
    while (at_ < text_.size() && !IsBlank(text_[at_]) && text_[at_] != ']' && text_[at_] != '}')
      bound += text_[at_++];
    if (bound.empty()) return Failed("expected a value");
    if (bound == "*") return std::optional<Scalar>();
    return std::optional<Scalar>(std::move(bound));
  }

  Result<Word> TakeWord() {
    Word word;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        const char next = text_[++at_];
        word.text += next;
        if (next == '*' || next == '?' || next == '\\') word.pattern += '\\';
        word.pattern += next;
        continue;
      }
      if (IsBlank(c) || std::string_view("()[]{}\"^~").find(c) != std::string_view::npos) break;
      word.wild |= c == '*' || c == '?';
      word.text += c;
      word.pattern += c;
    }
    if (word.text.empty()) return Failed("expected a word");
    return word;
  }

  std::optional<double> TakeNumber() {
    double number = 0;
    const auto rest = text_.substr(at_);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || !(number >= 0)) return std::nullopt;
    at_ += static_cast<std::size_t>(end - rest.data());
    return number;
  }

  std::string_view text_;
  const QueryStringOptions& options_;
  std::size_t at_ = 0;
};

/// + and, | or, - not, "phrase", prefix*, ( ), ~N; whatever is left over is taken as words.
class SimpleParser {
 public:
  SimpleParser(std::string_view text, const QueryStringOptions& options) : text_(text), options_(options) {}

  Query Parse(int depth) {
    std::optional<Query> left;
    bool negate = false;
    enum class Join : std::uint8_t { kDefault, kAnd, kOr } join = Join::kDefault;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ')' && depth > 0) {
        ++at_;
        break;
      }
      if (IsBlank(c) || c == ')') {
        ++at_;
      } else if (c == '+' || c == '|') {
        join = c == '+' ? Join::kAnd : Join::kOr;
        ++at_;
      } else if (c == '-') {
        negate = true;
        ++at_;
      } else {
        auto one = ParseOne(depth);
        if (negate) {
          BoolQuery without;
          without.must_not.push_back(std::move(one));
          one = {std::move(without), 1};
        }
        if (!left)
          left = std::move(one);
        else
          left = Join2(std::move(*left), std::move(one),
                       join == Join::kAnd || (join == Join::kDefault && options_.all));
        negate = false;
        join = Join::kDefault;
      }
    }
    return left ? std::move(*left) : Query{MatchNoneQuery{}, 1};
  }

 private:
  static Query Join2(Query a, Query b, bool all) {
    BoolQuery both;
    auto& list = all ? both.must : both.should;
    list.push_back(std::move(a));
    list.push_back(std::move(b));
    return {std::move(both), 1};
  }

  Query ParseOne(int depth) {
    if (text_[at_] == '(' && depth < kMaxDepth) {
      ++at_;
      return Parse(depth + 1);
    }
    MatchQuery match;
    match.fields = options_.fields;
    match.all = true;
    if (text_[at_] == '"') {
      const auto end = text_.find('"', at_ + 1);
      if (end != std::string_view::npos) {
        match.kind = MatchQuery::Kind::kPhrase;
        match.text = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        if (at_ < text_.size() && text_[at_] == '~') match.slop = TakeCount();
        return {std::move(match), 1};
      }
      ++at_;
    }
    while (at_ < text_.size() && !IsBlank(text_[at_]) &&
           std::string_view("+|()\"").find(text_[at_]) == std::string_view::npos) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (text_[at_] == '~') {
        match.slop = std::min(2u, TakeCount());
        match.kind = MatchQuery::Kind::kFuzzy;
        break;
      } else if (text_[at_] == '*' &&
                 (at_ + 1 == text_.size() || IsBlank(text_[at_ + 1]) || text_[at_ + 1] == ')')) {
        match.kind = MatchQuery::Kind::kPhrasePrefix;
        ++at_;
        break;
      }
      match.text += text_[at_++];
    }
    if (match.text.empty() && at_ < text_.size() && match.kind == MatchQuery::Kind::kTerms) ++at_;
    return {std::move(match), 1};
  }

  std::uint32_t TakeCount() {
    ++at_;
    std::uint32_t number = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      number = std::min(1000u, number * 10 + static_cast<std::uint32_t>(text_[at_] - '0'));
    return number == 0 ? 2 : number;
  }

  std::string_view text_;
  const QueryStringOptions& options_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Query> ParseQueryString(std::string_view text, const QueryStringOptions& options) {
  return Parser(text, options).Parse();
}

Query ParseSimpleQueryString(std::string_view text, const QueryStringOptions& options) {
  return SimpleParser(text, options).Parse(0);
}

}  // namespace honryu::search
