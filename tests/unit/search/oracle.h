#pragma once

#include "honryu/base/random.h"
#include "honryu/base/time.h"
#include "honryu/codec/json.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

namespace honryu::search {

/// Answers queries by looking at every document's JSON: slow, and sharing nothing with the store but the JSON
/// parser. Fields of its documents: `w` text, `k` keyword (one or several), `n` whole number, `x` fraction,
/// `b` boolean, `t` date. Words are runs of ASCII letters and digits, or of anything beyond ASCII.
class Oracle {
 public:
  using Json = codec::Json;

  static bool Matches(const Json& doc, const Json& query) {
    const auto& [kind, body] = query.object()[0];
    if (kind == "match_all") return true;
    if (kind == "bool") return MatchesBool(doc, body);
    if (kind == "exists") return !Values(doc, body.Find("field")->StringOr("")).empty();
    const auto& [field, argument] = body.object()[0];
    if (kind == "terms") {
      for (const auto& value : argument.array())
        if (HasTerm(doc, field, value)) return true;
      return false;
    }
    if (kind == "term") return HasTerm(doc, field, argument);
    if (kind == "range") return InRange(doc, field, argument);
    if (kind == "match") return HasWords(doc, field, argument);
    if (kind == "match_phrase") return HasPhrase(doc, field, std::string(argument.StringOr("")));
    for (const auto& value : Values(doc, Exact(field))) {
      if (!value.is_string()) continue;
      const auto text = std::string(value.StringOr(""));
      const auto pattern = std::string(argument.StringOr(""));
      if (kind == "prefix" && text.starts_with(pattern)) return true;
      if (kind == "wildcard" && Fits(pattern, text)) return true;
    }
    return false;
  }

  static std::vector<Json> Values(const Json& doc, std::string_view field) {
    std::vector<Json> values;
    if (const auto* value = doc.Find(field)) {
      if (value->is_array())
        values = value->array();
      else
        values.push_back(*value);
    }
    return values;
  }

  static std::vector<std::string> Words(std::string_view text) {
    std::vector<std::string> words;
    int last = 0;  // 0 separator, 1 ASCII, 2 beyond
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const int kind = byte >= 0x80 ? 2 : std::isalnum(byte) ? 1 : 0;
      if (kind != 0) {
        if (kind != last) words.emplace_back();
        words.back() += kind == 1 ? static_cast<char>(std::tolower(byte)) : c;
      }
      last = kind;
    }
    return words;
  }

 private:
  static std::string Exact(const std::string& field) {
    return field.ends_with(".keyword") ? field.substr(0, 1) : field;
  }

  static bool MatchesBool(const Json& doc, const Json& body) {
    std::size_t should = 0, total = 0;
    for (const auto& [name, clauses] : body.object())
      for (const auto& clause : clauses.array()) {
        const bool matched = Matches(doc, clause);
        if ((name == "must" || name == "filter") && !matched) return false;
        if (name == "must_not" && matched) return false;
        if (name == "should") should += matched ? 1 : 0, ++total;
      }
    const auto* minimum = body.Find("minimum_should_match");
    const bool required = body.Find("must") == nullptr && body.Find("filter") == nullptr && total > 0;
    return should >= static_cast<std::size_t>(minimum != nullptr ? minimum->IntOr(0) : required ? 1 : 0);
  }

  static bool HasTerm(const Json& doc, const std::string& field, const Json& term) {
    for (const auto& value : Values(doc, Exact(field))) {
      if (field == "w") {
        for (const auto& word : Words(value.StringOr("")))
          if (word == term.StringOr("")) return true;
      } else if (value.is_number()) {
        if (term.is_number() && value.DoubleOr(0) == term.DoubleOr(0)) return true;
      } else if (value.Dump() == term.Dump()) {
        return true;
      }
    }
    return false;
  }

  static std::optional<double> Number(const std::string& field, const Json& value) {
    if (field == "t") return static_cast<double>(ToMs(ParseTimestamp(value.StringOr("")).value()));
    if (value.is_number()) return value.DoubleOr(0);
    return std::nullopt;
  }

  static bool InRange(const Json& doc, const std::string& field, const Json& bounds) {
    for (const auto& value : Values(doc, Exact(field))) {
      bool all = true;
      for (const auto& [op, bound] : bounds.object()) {
        int order = 0;
        const auto a = Number(field, value), b = Number(field, bound);
        if (a && b)
          order = *a < *b ? -1 : *a > *b ? 1 : 0;
        else if (!a && !b)
          order = std::string(value.StringOr("")).compare(bound.StringOr(""));
        else
          return false;
        all = all && (op == "gt"    ? order > 0
                      : op == "gte" ? order >= 0
                      : op == "lt"  ? order < 0
                                    : order <= 0);
      }
      if (all) return true;
    }
    return false;
  }

  static bool HasWord(const std::vector<std::string>& words, const std::string& wanted) {
    for (const auto& word : words)
      if (static_cast<unsigned char>(wanted[0]) >= 0x80 ? word.find(wanted) != std::string::npos
                                                        : word == wanted)
        return true;
    return false;
  }

  static bool HasWords(const Json& doc, const std::string& field, const Json& argument) {
    const auto* text = doc.Find(field);
    if (text == nullptr) return false;
    const auto words = Words(text->StringOr(""));
    const bool all = argument.is_object();
    const auto wanted = Words(all ? argument.Find("query")->StringOr("") : argument.StringOr(""));
    std::size_t found = 0;
    for (const auto& word : wanted) found += HasWord(words, word) ? 1 : 0;
    return all ? found == wanted.size() && found > 0 : found > 0;
  }

  static bool HasPhrase(const Json& doc, const std::string& field, const std::string& phrase) {
    const auto* text = doc.Find(field);
    if (text == nullptr) return false;
    const auto words = Words(text->StringOr("")), wanted = Words(phrase);
    if (wanted.empty()) return false;
    for (std::size_t begin = 0; begin + wanted.size() <= words.size(); ++begin) {
      bool all = true;
      for (std::size_t i = 0; i < wanted.size() && all; ++i) {
        const auto& word = words[begin + i];
        // A run of Japanese may begin before a phrase that begins with it, and end behind one that ends so.
        const bool japanese = static_cast<unsigned char>(wanted[i][0]) >= 0x80;
        if (!japanese)
          all = word == wanted[i];
        else if (wanted.size() == 1)
          all = word.find(wanted[i]) != std::string::npos;
        else if (i == 0)
          all = word.ends_with(wanted[i]);
        else if (i + 1 == wanted.size())
          all = word.starts_with(wanted[i]);
        else
          all = word == wanted[i];
      }
      if (all) return true;
    }
    return false;
  }

  static bool Fits(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
      for (std::size_t i = 0; i <= text.size(); ++i)
        if (Fits(pattern.substr(1), text.substr(i))) return true;
      return false;
    }
    return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
           Fits(pattern.substr(1), text.substr(1));
  }
};

/// Random documents and queries that fit them.
class RandomEvents {
 public:
  explicit RandomEvents(std::uint64_t seed) : random_(seed) {}

  static constexpr std::string_view kMapping =
      R"({"properties":{"k":{"type":"keyword"},"w":{"type":"text"},"x":{"type":"double"},"t":{"type":"date"}}})";

  std::string Document() {
    std::string json = R"({"t":")" + Date() + "\"";
    if (random_.Chance(0.9)) json += R"(,"w":")" + Phrase(1 + random_.Below(6)) + "\"";
    if (random_.Chance(0.8))
      json += R"(,"k":)" +
              (random_.Chance(0.2) ? "[" + Quoted(Key()) + "," + Quoted(Key()) + "]" : Quoted(Key()));
    if (random_.Chance(0.7)) json += R"(,"n":)" + Whole();
    if (random_.Chance(0.7)) json += R"(,"x":)" + Fraction();
    if (random_.Chance(0.5)) json += std::string(R"(,"b":)") + (random_.Chance(0.5) ? "true" : "false");
    return json + "}";
  }

  std::string Query(int depth = 3) {
    switch (random_.Below(depth > 0 ? 14 : 10)) {
      case 0:
        return R"({"term":{"k":)" + Quoted(Key()) + "}}";
      case 1:
        return R"({"terms":{"n":[)" + Whole() + "," + Whole() + "]}}";
      case 2:
        return R"({"match":{"w":)" + Quoted(Phrase(1 + random_.Below(3))) + "}}";
      case 3:
        return R"({"match":{"w":{"query":)" + Quoted(Phrase(1 + random_.Below(3))) +
               R"(,"operator":"and"}}})";
      case 4:
        return R"({"match_phrase":{"w":)" + Quoted(Phrase(1 + random_.Below(3))) + "}}";
      case 5:
        return R"({"prefix":{")" + std::string(random_.Chance(0.5) ? "k" : "w.keyword") + R"(":)" +
               Quoted(random_.Chance(0.5) ? Key().substr(0, 1) : "error") + "}}";
      case 6:
        return R"({"wildcard":{"k":)" + Quoted((random_.Chance(0.5) ? "*" : "?") + Key().substr(1, 1) + "*") +
               "}}";
      case 7:
        return R"({"exists":{"field":")" + std::string(1, "wknxbt"[random_.Below(6)]) + "\"}}";
      case 8:
        return Range();
      case 9:
        return random_.Chance(0.5) ? R"({"term":{"b":true}})" : R"({"term":{"x":)" + Fraction() + "}}";
      default:
        return Bool(depth - 1);
    }
  }

  Random& random() { return random_; }

 private:
  static std::string Quoted(const std::string& text) { return "\"" + text + "\""; }
  std::string Key() {
    return std::string(1, static_cast<char>('a' + random_.Below(4))) +
           std::string(1, static_cast<char>('a' + random_.Below(6)));
  }
  std::string Whole() { return std::to_string(static_cast<std::int64_t>(random_.Below(20)) - 5); }
  std::string Fraction() { return std::to_string(random_.Below(10)) + (random_.Chance(0.5) ? ".25" : ".5"); }
  std::string Date() {
    const auto two = [](std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    return "2026-11-" + two(1 + random_.Below(28)) + "T" + two(random_.Below(24)) + ":" +
           two(random_.Below(60)) + ":00.000Z";
  }
  std::string Phrase(std::uint64_t words) {
    static constexpr std::string_view kWords[] = {"error", "Timeout",    "user", "login", "東京都",
                                                  "京都",  "検索の修正", "修正", "a1",    "京"};
    std::string text;
    for (; words > 0; --words)
      text += (text.empty() ? "" : " ") + std::string(kWords[random_.Below(std::size(kWords))]);
    return text;
  }
  std::string Range() {
    const auto bounds = [&](const std::string& low, const std::string& high) {
      std::string body;
      if (random_.Chance(0.8)) body += (random_.Chance(0.5) ? R"("gte":)" : R"("gt":)") + low;
      if (body.empty() || random_.Chance(0.6))
        body +=
            (body.empty() ? "" : ",") + std::string(random_.Chance(0.5) ? R"("lte":)" : R"("lt":)") + high;
      return "{" + body + "}";
    };
    switch (random_.Below(4)) {
      case 0:
        return R"({"range":{"n":)" + bounds(Whole(), random_.Chance(0.5) ? Whole() : Fraction()) + "}}";
      case 1:
        return R"({"range":{"x":)" + bounds(Fraction(), Whole()) + "}}";
      case 2:
        return R"({"range":{"t":)" + bounds(Quoted(Date()), Quoted(Date())) + "}}";
      default:
        return R"({"range":{"k":)" + bounds(Quoted(Key()), Quoted(Key())) + "}}";
    }
  }
  std::string Bool(int depth) {
    std::string body;
    for (const std::string name : {"must", "filter", "should", "must_not"}) {
      if (!random_.Chance(0.5)) continue;
      body += (body.empty() ? "\"" : ",\"") + name + "\":[" + Query(depth);
      for (auto n = random_.Below(3); n > 0; --n) body += "," + Query(depth);
      body += "]";
      if (name == "should" && random_.Chance(0.3))
        body += R"(,"minimum_should_match":)" + std::to_string(random_.Below(3));
    }
    return body.empty() ? R"({"match_all":{}})" : R"({"bool":{)" + body + "}}";
  }

  Random random_;
};

}  // namespace honryu::search
