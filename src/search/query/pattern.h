#pragma once

#include "honryu/base/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace honryu::search {

/// A pattern that whole strings either fit or not. Not thread-safe (the regular expression keeps scratch).
class Pattern {
 public:
  /// `*` for any characters, `?` for one, `\` before one that is meant as it is.
  static Pattern Wildcard(std::string_view pattern, bool case_insensitive);
  /// ICU's regular expressions, whole string. kInvalidArgument when it is none. Steps and stack are bounded:
  /// see gave_up().
  static Result<Pattern> Regexp(std::string_view pattern, bool case_insensitive);
  /// Strings within `edits` insertions, deletions, substitutions and swaps of neighbours.
  static Pattern Fuzzy(std::string_view text, unsigned edits);

  bool Matches(std::string_view text) const;
  /// A value took too many steps or too deep a stack, so that Matches answered false without knowing.
  bool gave_up() const { return gave_up_; }
  /// What every matching string begins with.
  const std::string& literal_prefix() const { return prefix_; }

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

 private:
  Pattern();
  struct Regex;
  enum class Kind : std::uint8_t { kWildcard, kRegexp, kFuzzy };
  Kind kind_ = Kind::kWildcard;
  bool fold_ = false;
  mutable bool gave_up_ = false;
  unsigned edits_ = 0;
  std::string prefix_;
  std::u32string
      characters_;  ///< The wildcard, `*` and `?` as the private characters below; or the fuzzy text.
  std::unique_ptr<Regex> regex_;
};

}  // namespace honryu::search
