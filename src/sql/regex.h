#pragma once

#include "honryu/base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace honryu::sql {

/// A regular expression that matches in time linear in the text, whatever the pattern: a Pike machine
/// (Thompson 1968; Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009). Patterns come
/// from users and texts from the network: no backtracking, no recursion over the text. Syntax: Perl's without
/// back references and look-around: . [a-z] [^…] \d \w \s \b ( ) (?: ) (?i) | * + ? {m,n} lazy forms ^ $.
/// Characters are Unicode.
class Regex {
 public:
  /// kInvalidArgument: not a pattern, or larger than 10000 steps.
  static Result<Regex> Compile(std::string_view pattern);
  /// A pattern of SIMILAR TO: % _ | * + ? {m,n} ( ) [ ], the whole text must match.
  static Result<Regex> CompileSimilar(std::string_view pattern, char escape);

  using Span = std::pair<std::size_t, std::size_t>;  ///< Byte offsets; first == npos: did not take part.
  /// Leftmost match at or behind `from`: groups 0 (everything), 1, …; nullopt: none.
  std::optional<std::vector<Span>> Search(std::string_view text, std::size_t from = 0) const;
  /// True if all of the text matches.
  bool MatchesAll(std::string_view text) const;
  std::size_t groups() const { return groups_; }

  enum class Op : std::uint8_t {
    kChar,
    kAny,
    kClass,
    kSplit,
    kJump,
    kSave,
    kStart,
    kEnd,
    kWord,
    kNotWord,
    kMatch
  };
  struct Step {
    Op op = Op::kMatch;
    std::uint32_t x = 0, y = 0;  ///< A character, a class, targets, or a slot.
  };
  struct Class {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    bool negated = false;
    bool Has(std::uint32_t c) const;
  };

 private:
  friend class RegexCompiler;
  std::optional<std::vector<Span>> Run(std::string_view text, std::size_t from, bool whole) const;

  std::vector<Step> steps_;
  std::vector<Class> classes_;
  std::size_t groups_ = 1;
  bool ignore_case_ = false;
};

/// Keeps the last few compiled patterns. Not thread-safe.
class RegexCache {
 public:
  /// nullptr: not a pattern. The pointer holds until the next call.
  const Regex* Get(std::string_view pattern, bool similar = false, char escape = '\\');

 private:
  std::unordered_map<std::string, std::unique_ptr<Regex>> known_;
};

/// LIKE: % any characters, _ one; `escape` 0: none.
bool MatchesLike(std::string_view text, std::string_view pattern, char escape);

}  // namespace honryu::sql
