#include "honryu/search/analyzer.h"

#include "honryu/base/check.h"
#include "search/text/unicode.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <array>

namespace honryu::search {
namespace {

/// Letters in lower case, digits as they are, 0 for what separates words.
constexpr std::array<char, 128> kAsciiFold = [] {
  std::array<char, 128> fold{};
  for (char c = '0'; c <= '9'; ++c) fold[static_cast<unsigned>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) fold[static_cast<unsigned>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) fold[static_cast<unsigned>(c)] = static_cast<char>(c + 32);
  return fold;
}();

bool IsOfWord(CharClass c) {
  return c == CharClass::kWord || c == CharClass::kPaired || c == CharClass::kDictionary;
}

/// The part of a token with many marks that is kept: whole characters.
std::string_view Cut(std::string_view text) {
  if (text.size() <= Analyzer::kMaxTokenBytes) return text;
  auto cut = Analyzer::kMaxTokenBytes;
  while (cut > 1 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return text.substr(0, cut);
}

/// Adds a word, cut where it is longer than a token may be (between characters).
void AddWord(std::string_view word, std::uint32_t run, std::vector<Token>& tokens, std::size_t limit) {
  while (word.size() > Analyzer::kMaxTokenBytes && tokens.size() < limit) {
    auto cut = Analyzer::kMaxTokenBytes;
    while (cut > 1 && (static_cast<unsigned char>(word[cut]) & 0xc0) == 0x80) --cut;
    tokens.push_back({word.substr(0, cut), TokenKind::kWord, run});
    word.remove_prefix(cut);
  }
  if (!word.empty() && tokens.size() < limit) tokens.push_back({word, TokenKind::kWord, run});
}

}  // namespace

struct Analyzer::Breaker {
  std::unique_ptr<icu::BreakIterator> words;
};

Analyzer::Analyzer(AnalyzerKind kind) : kind_(kind) {}
Analyzer::~Analyzer() = default;
Analyzer::Analyzer(Analyzer&&) noexcept = default;
Analyzer& Analyzer::operator=(Analyzer&&) noexcept = default;

std::optional<AnalyzerKind> ParseAnalyzer(std::string_view name) {
  if (name == "standard" || name == "cjk" || name == "kuromoji" || name == "default")
    return AnalyzerKind::kStandard;
  if (name == "words" || name == "simple") return AnalyzerKind::kWords;
  if (name == "whitespace") return AnalyzerKind::kWhitespace;
  if (name == "keyword") return AnalyzerKind::kKeyword;
  return std::nullopt;
}

std::string_view AnalyzerName(AnalyzerKind kind) {
  switch (kind) {
    case AnalyzerKind::kStandard:
      return "standard";
    case AnalyzerKind::kWords:
      return "words";
    case AnalyzerKind::kWhitespace:
      return "whitespace";
    case AnalyzerKind::kKeyword:
      return "keyword";
  }
  return "standard";
}

bool Analyzer::Analyze(std::string_view text, std::vector<Token>& tokens, std::size_t limit) {
  tokens.clear();
  switch (kind_) {
    case AnalyzerKind::kKeyword:
      AddWord(text, 0, tokens, limit);
      break;
    case AnalyzerKind::kWhitespace:
      AnalyzeWhitespace(text, tokens, limit);
      break;
    case AnalyzerKind::kStandard:
    case AnalyzerKind::kWords:
      if (IsAscii(text)) {
        AnalyzeAscii(text, tokens, limit);
      } else {
        folded_.clear();
        FoldInto(text, folded_);
        AnalyzeUnicode(tokens, limit);
      }
  }
  return tokens.size() < limit;
}

std::string Analyzer::Fold(std::string_view text) {
  if (kind_ == AnalyzerKind::kWhitespace || kind_ == AnalyzerKind::kKeyword) return std::string(text);
  std::string folded;
  FoldInto(text, folded);
  return folded;
}

void Analyzer::AnalyzeAscii(std::string_view text, std::vector<Token>& tokens, std::size_t limit) {
  folded_.resize(text.size());
  char* const out = folded_.data();
  std::uint32_t run = 0;
  for (std::size_t i = 0; i < text.size() && tokens.size() < limit;) {
    while (i < text.size() && kAsciiFold[static_cast<unsigned char>(text[i])] == 0) ++i;
    const auto begin = i;
    for (; i < text.size(); ++i) {
      const char c = kAsciiFold[static_cast<unsigned char>(text[i])];
      if (c == 0) break;
      out[i] = c;
    }
    if (i > begin) AddWord({out + begin, i - begin}, run++, tokens, limit);
  }
}

void Analyzer::AnalyzeWhitespace(std::string_view text, std::vector<Token>& tokens, std::size_t limit) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::uint32_t run = 0;
  for (std::size_t at = 0; at < text.size() && tokens.size() < limit;) {
    const auto begin = text.find_first_not_of(kBlanks, at);
    if (begin == std::string_view::npos) return;
    at = std::min(text.find_first_of(kBlanks, begin), text.size());
    AddWord(text.substr(begin, at - begin), run++, tokens, limit);
  }
}

void Analyzer::AnalyzeUnicode(std::vector<Token>& tokens, std::size_t limit) {
  const std::string_view text = folded_;
  const bool whole_words = kind_ == AnalyzerKind::kWords;
  std::uint32_t run = 0;
  std::size_t at = 0;
  while (at < text.size() && tokens.size() < limit) {
    const auto begin = at;
    auto kind = ClassOf(NextChar(text, &at));
    if (kind == CharClass::kSeparator || kind == CharClass::kMark) continue;
    if (whole_words && IsOfWord(kind)) kind = CharClass::kWord;
    // One run: characters of one class, with the marks between them.
    std::size_t previous = begin, end = at;
    while (at < text.size()) {
      auto next = at;
      auto other = ClassOf(NextChar(text, &next));
      if (whole_words && IsOfWord(other)) other = CharClass::kWord;
      if (other != kind && other != CharClass::kMark) break;
      if (kind == CharClass::kEmoji && other == CharClass::kEmoji) {
        if (tokens.size() >= limit) return;
        tokens.push_back({Cut(text.substr(previous, end - previous)), TokenKind::kEmoji, run});
        previous = at;
      }
      if (kind == CharClass::kPaired && other != CharClass::kMark) {
        if (tokens.size() >= limit) return;
        tokens.push_back({Cut(text.substr(previous, next - previous)), TokenKind::kPair, run});
        previous = at;
      }
      at = end = next;
    }
    if (kind == CharClass::kPaired || kind == CharClass::kEmoji) {
      if (tokens.size() >= limit) return;
      tokens.push_back({Cut(text.substr(previous, end - previous)),
                        kind == CharClass::kPaired ? TokenKind::kSingle : TokenKind::kEmoji, run});
    } else if (kind == CharClass::kDictionary) {
      CutByDictionary(begin, end, run, tokens, limit);
    } else {
      AddWord(text.substr(begin, end - begin), run, tokens, limit);
    }
    ++run;
  }
}

void Analyzer::CutByDictionary(std::size_t begin, std::size_t end, std::uint32_t run,
                               std::vector<Token>& tokens, std::size_t limit) {
  const std::string_view text(folded_.data() + begin, end - begin);
  if (!breaker_) {
    UErrorCode status = U_ZERO_ERROR;
    breaker_ = std::make_unique<Breaker>();
    breaker_->words.reset(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
    HONRYU_CHECK(U_SUCCESS(status), "ICU has no word break data");
  }
  const auto wide =
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
  breaker_->words->setText(wide);
  // Boundaries come in UTF-16 units; the walk beside them turns these into bytes.
  std::size_t byte = 0;
  std::int32_t unit = 0;
  for (auto next = breaker_->words->next(); next != icu::BreakIterator::DONE;
       next = breaker_->words->next()) {
    const auto from = byte;
    while (unit < next && byte < text.size()) unit += NextChar(text, &byte) >= 0x10000 ? 2 : 1;
    AddWord(text.substr(from, byte - from), run, tokens, limit);
  }
}

}  // namespace honryu::search
