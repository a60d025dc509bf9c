#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::search {

/// How text becomes tokens. On disk (segments name the analyser of each field): never renumber.
enum class AnalyzerKind : std::uint8_t {
  /// Unicode NFKC with full case folding; runs of letters and digits are words; Han, Hiragana, Katakana and
  /// Hangul are cut into overlapping pairs (the last character of a run alone); Thai, Lao, Khmer and Burmese
  /// are cut by ICU's dictionaries; each emoji is a token. The default.
  kStandard = 0,
  kWords = 1,       ///< As kStandard, but every run of letters and digits is one word, whatever its script.
  kWhitespace = 2,  ///< Split at white space; nothing is folded.
  kKeyword = 3,     ///< The whole text is one token, unchanged.
};

/// "standard", "cjk" and "kuromoji" are kStandard; "words", "simple" kWords; "whitespace"; "keyword".
std::optional<AnalyzerKind> ParseAnalyzer(std::string_view name);
std::string_view AnalyzerName(AnalyzerKind kind);

enum class TokenKind : std::uint8_t {
  kWord,    ///< A word.
  kPair,    ///< Two neighbouring characters of a run without blanks (Chinese, Japanese, Korean).
  kSingle,  ///< The last character of such a run; a query for one character looks for what begins with it.
  kEmoji,   ///< One picture, or a part of one (a skin tone, a flag's letter); a query's run is a phrase.
};

/// One token; its position is its index among the text's tokens.
struct Token {
  std::string_view text;  ///< UTF-8, at most 255 bytes. Valid until the analyser's next call.
  TokenKind kind = TokenKind::kWord;
  std::uint32_t run = 0;  ///< Tokens of one run of characters share it; pairs of different runs do not touch.
};

/// Turns text into tokens. Holds scratch memory: use one per thread.
class Analyzer {
 public:
  explicit Analyzer(AnalyzerKind kind);
  ~Analyzer();
  Analyzer(Analyzer&&) noexcept;
  Analyzer& operator=(Analyzer&&) noexcept;

  AnalyzerKind kind() const { return kind_; }
  /// Replaces `tokens` by those of `text` (valid UTF-8; invalid bytes separate words), at most `limit` of
  /// them. False when the limit cut some off.
  bool Analyze(std::string_view text, std::vector<Token>& tokens, std::size_t limit = kMaxTokens);
  /// Text folded as this analyser folds it, without cutting: for prefixes and patterns.
  std::string Fold(std::string_view text);

  static constexpr std::size_t kMaxTokens = 10'000;
  static constexpr std::size_t kMaxTokenBytes = 255;

 private:
  void AnalyzeAscii(std::string_view text, std::vector<Token>& tokens, std::size_t limit);
  void AnalyzeUnicode(std::vector<Token>& tokens, std::size_t limit);
  void AnalyzeWhitespace(std::string_view text, std::vector<Token>& tokens, std::size_t limit);
  void CutByDictionary(std::size_t begin, std::size_t end, std::uint32_t run, std::vector<Token>& tokens,
                       std::size_t limit);

  struct Breaker;  // ICU's word iterator, made when the first Thai (or the like) text comes
  AnalyzerKind kind_;
  std::string folded_;
  std::unique_ptr<Breaker> breaker_;
};

}  // namespace honryu::search
