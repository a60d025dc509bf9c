#include "search/query/pattern.h"

#include "search/text/unicode.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <vector>

namespace honryu::search {
namespace {

// Beyond Unicode, so no text holds them.
constexpr char32_t kAny = 0x110000, kOne = 0x110001;
/// ICU counts steps of its engine in thousands or so: far above what a sane expression needs for one value.
constexpr std::int32_t kTimeLimit = 100;
constexpr std::int32_t kStackLimit = 1 << 20;

std::u32string Characters(std::string_view text, bool fold) {
  std::string folded;
  if (fold) {
    FoldInto(text, folded);
    text = folded;
  }
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) out += NextChar(text, &at);
  return out;
}

bool WildcardMatches(const std::u32string& pattern, const std::u32string& text) {
  // Greedy with one point to come back to: the last `*`.
  std::size_t p = 0, t = 0, star = std::u32string::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == kOne || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == kAny) {
      star = p++;
      star_text = t;
    } else if (star != std::u32string::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == kAny) ++p;
  return p == pattern.size();
}

bool WithinEdits(const std::u32string& a, const std::u32string& b, unsigned edits) {
  const auto difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > edits) return false;
  // Optimal string alignment: three rows of the usual table.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()] <= edits;
}

}  // namespace

struct Pattern::Regex {
  std::unique_ptr<icu::RegexMatcher> matcher;
};

Pattern::Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Pattern Pattern::Wildcard(std::string_view pattern, bool case_insensitive) {
  Pattern made;
  made.fold_ = case_insensitive;
  bool literal = !case_insensitive;
  const auto add = [&](std::size_t begin, std::size_t end) {
    made.characters_ += Characters(pattern.substr(begin, end - begin), case_insensitive);
    if (literal) made.prefix_ += pattern.substr(begin, end - begin);
  };
  for (std::size_t at = 0; at < pattern.size();) {
    auto begin = at;
    const auto c = NextChar(pattern, &at);
    if (c == U'*' || c == U'?') {
      literal = false;
      made.characters_ += c == U'*' ? kAny : kOne;
      continue;
    }
    if (c == U'\\' && at < pattern.size()) {
      begin = at;
      NextChar(pattern, &at);
    }
    add(begin, at);
  }
  return made;
}

Result<Pattern> Pattern::Regexp(std::string_view pattern, bool case_insensitive) {
  Pattern made;
  made.kind_ = Kind::kRegexp;
  UErrorCode status = U_ZERO_ERROR;
  made.regex_ = std::make_unique<Regex>();
  made.regex_->matcher = std::make_unique<icu::RegexMatcher>(
      icu::UnicodeString::fromUTF8(
          icu::StringPiece(pattern.data(), static_cast<std::int32_t>(pattern.size()))),
      case_insensitive ? UREGEX_CASE_INSENSITIVE | UREGEX_DOTALL : UREGEX_DOTALL, status);
  if (U_FAILURE(status))
    return Error(ErrorCode::kInvalidArgument,
                 "cannot parse the regular expression [" + std::string(pattern) + "]");
  made.regex_->matcher->setTimeLimit(kTimeLimit, status);
  made.regex_->matcher->setStackLimit(kStackLimit, status);
  if (case_insensitive || pattern.find('|') != std::string_view::npos) return made;
  // Plain characters up to the first that means something; a quantifier takes its character back.
  constexpr std::string_view kSpecial = R"(\^$.|?*+()[]{}#)";
  const auto end = std::min(pattern.find_first_of(kSpecial), pattern.size());
  made.prefix_ = pattern.substr(0, end);
  if (end < pattern.size() && std::string_view("?*{").find(pattern[end]) != std::string_view::npos) {
    while (!made.prefix_.empty() && (static_cast<unsigned char>(made.prefix_.back()) & 0xc0) == 0x80)
      made.prefix_.pop_back();
    if (!made.prefix_.empty()) made.prefix_.pop_back();
  }
  return made;
}

Pattern Pattern::Fuzzy(std::string_view text, unsigned edits) {
  Pattern made;
  made.kind_ = Kind::kFuzzy;
  made.edits_ = edits;
  made.characters_ = Characters(text, false);
  return made;
}

bool Pattern::Matches(std::string_view text) const {
  switch (kind_) {
    case Kind::kWildcard:
      return WildcardMatches(characters_, Characters(text, fold_));
    case Kind::kFuzzy:
      return WithinEdits(characters_, Characters(text, false), edits_);
    case Kind::kRegexp: {
      if (gave_up_) return false;  // what is found is thrown away
      const auto wide =
          icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
      regex_->matcher->reset(wide);
      UErrorCode status = U_ZERO_ERROR;
      const bool matched = regex_->matcher->matches(status);
      if (U_FAILURE(status)) gave_up_ = true;
      return matched && U_SUCCESS(status);
    }
  }
  return false;
}

}  // namespace honryu::search
