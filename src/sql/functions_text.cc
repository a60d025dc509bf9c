#include "sql/bound.h"
#include "sql/lexer.h"
#include "sql/utf8.h"

#include <algorithm>

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

void Upper(EvalContext&, Args args, Value& out) { out.SetText(UpperCase(args[0]->text())); }

void Lower(EvalContext&, Args args, Value& out) {
  std::string& text = out.MutableText();
  for (const char c : args[0]->text()) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

void InitCap(EvalContext&, Args args, Value& out) {
  std::string& text = out.MutableText();
  bool start = true;
  for (const char c : args[0]->text()) {
    const bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    text += start && lower ? static_cast<char>(c & ~0x20) : !start && upper ? static_cast<char>(c | 0x20) : c;
    start = !(lower || upper || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80);
  }
}

void CharLength(EvalContext&, Args args, Value& out) {
  out.SetInt(static_cast<std::int64_t>(CountCharacters(args[0]->text())));
}

void OctetLength(EvalContext&, Args args, Value& out) {
  out.SetInt(static_cast<std::int64_t>(args[0]->text().size()));
}

// `side`: 1 left, 2 right, 3 both.
void TrimSides(Args args, int side, Value& out) {
  std::string_view text = args[0]->text();
  const std::string_view what = args.size() > 1 ? std::string_view(args[1]->text()) : std::string_view(" ");
  if (what.empty()) return out.SetText(text);
  while ((side & 1) != 0 && text.substr(0, what.size()) == what) text.remove_prefix(what.size());
  while ((side & 2) != 0 && text.size() >= what.size() && text.substr(text.size() - what.size()) == what)
    text.remove_suffix(what.size());
  out.SetText(text);
}

void LeftTrim(EvalContext&, Args args, Value& out) { TrimSides(args, 1, out); }
void RightTrim(EvalContext&, Args args, Value& out) { TrimSides(args, 2, out); }
void BothTrim(EvalContext&, Args args, Value& out) { TrimSides(args, 3, out); }

// Characters [first, first + count) counted from 1; what lies outside is left out.
std::string_view Part(std::string_view text, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kFar = 1'000'000'000'000;
  first = std::clamp(first, -kFar, kFar);
  const std::int64_t end = first + std::clamp<std::int64_t>(count, 0, kFar);
  first = std::max<std::int64_t>(first, 1);
  if (end <= first) return {};
  const std::size_t from = OffsetOfCharacter(text, static_cast<std::size_t>(first - 1));
  return text.substr(from, OffsetOfCharacter(text.substr(from), static_cast<std::size_t>(end - first)));
}

void Substring(EvalContext& context, Args args, Value& out) {
  const std::int64_t count = args.size() > 2 ? args[2]->as_int() : 1'000'000'000;
  if (count < 0) return context.Fail("InvalidArgument", "SUBSTRING with a negative length");
  out.SetText(Part(args[0]->text(), args[1]->as_int(), count));
}

void Left(EvalContext&, Args args, Value& out) { out.SetText(Part(args[0]->text(), 1, args[1]->as_int())); }

void Right(EvalContext&, Args args, Value& out) {
  const auto length = static_cast<std::int64_t>(CountCharacters(args[0]->text()));
  const std::int64_t count = std::clamp<std::int64_t>(args[1]->as_int(), 0, length);
  out.SetText(Part(args[0]->text(), length - count + 1, count));
}

const Regex* Pattern(EvalContext& context, const Value& pattern) {
  const Regex* regex = context.regexes.Get(pattern.text());
  if (regex == nullptr)
    context.Fail("InvalidRegex", "this is no regular expression: '" + pattern.text() + "'");
  return regex;
}

void RegexSubstring(EvalContext& context, Args args, Value& out) {
  const Regex* regex = Pattern(context, *args[1]);
  if (regex == nullptr) return;
  const auto match = regex->Search(args[0]->text());
  if (!match.has_value()) return out.SetNull();
  out.SetText(
      std::string_view(args[0]->text()).substr((*match)[0].first, (*match)[0].second - (*match)[0].first));
}

void RegexExtract(EvalContext& context, Args args, Value& out) {
  const Regex* regex = Pattern(context, *args[1]);
  if (regex == nullptr) return;
  const std::int64_t group = args.size() > 2 ? args[2]->as_int() : regex->groups() > 1 ? 1 : 0;
  const auto match = regex->Search(args[0]->text());
  if (!match.has_value() || group < 0 || static_cast<std::size_t>(group) >= match->size())
    return out.SetNull();
  const auto [from, to] = (*match)[static_cast<std::size_t>(group)];
  if (from == std::string_view::npos) return out.SetNull();
  out.SetText(std::string_view(args[0]->text()).substr(from, to - from));
}

void RegexMatches(EvalContext& context, Args args, Value& out) {
  const Regex* regex = Pattern(context, *args[1]);
  if (regex != nullptr) out.SetBool(regex->Search(args[0]->text()).has_value());
}

// REGEX_REPLACE(text, pattern, replacement, start from 1, occurrence; 0: all); $1 in the replacement is a
// group.
void RegexReplace(EvalContext& context, Args args, Value& out) {
  const Regex* regex = Pattern(context, *args[1]);
  if (regex == nullptr) return;
  const std::string text = args[0]->text();
  const std::int64_t start = args.size() > 3 ? args[3]->as_int() : 1;
  const std::int64_t wanted = args.size() > 4 ? args[4]->as_int() : 0;
  if (start < 1 || wanted < 0) return context.Fail("InvalidArgument", "REGEX_REPLACE counts from 1");
  std::size_t at = OffsetOfCharacter(text, static_cast<std::size_t>(start - 1));
  std::string result = text.substr(0, at);
  std::int64_t found = 0;
  while (at <= text.size()) {
    const auto match = regex->Search(text, at);
    if (!match.has_value()) break;
    const auto [from, to] = (*match)[0];
    result.append(text, at, from - at);
    if (wanted == 0 || ++found == wanted) {
      const std::string& replacement = args[2]->text();
      for (std::size_t i = 0; i < replacement.size(); ++i) {
        const bool group = replacement[i] == '$' && i + 1 < replacement.size() && replacement[i + 1] >= '0' &&
                           replacement[i + 1] <= '9';
        const auto number = group ? static_cast<std::size_t>(replacement[i + 1] - '0') : match->size();
        if (!group || number >= match->size()) {
          result += replacement[i];
          continue;
        }
        ++i;
        const auto [first, last] = (*match)[number];
        if (first != std::string_view::npos) result.append(text, first, last - first);
      }
    } else {
      result.append(text, from, to - from);
    }
    at = to;
    if (from == to) {  // an empty match moves on by one byte
      if (at < text.size()) result += text[at];
      ++at;
    }
    if (wanted != 0 && found == wanted) break;
  }
  if (at < text.size()) result.append(text, at);
  out.SetText(result);
}

void PositionOf(EvalContext&, Args args, Value& out) {
  const std::size_t at = args[1]->text().find(args[0]->text());
  const std::string_view before =
      std::string_view(args[1]->text()).substr(0, at == std::string::npos ? 0 : at);
  out.SetInt(at == std::string::npos ? 0 : static_cast<std::int64_t>(CountCharacters(before)) + 1);
}

void Overlay(EvalContext& context, Args args, Value& out) {
  const std::string& text = args[0]->text();
  const std::int64_t from = args[2]->as_int();
  const std::int64_t count =
      args.size() > 3 ? args[3]->as_int() : static_cast<std::int64_t>(CountCharacters(args[1]->text()));
  if (from < 1 || count < 0 || from > 1'000'000'000 || count > 1'000'000'000)
    return context.Fail("InvalidArgument", "OVERLAY counts from 1");
  std::string result(Part(text, 1, from - 1));
  result += args[1]->text();
  result += Part(text, from + count, 1'000'000'000);
  out.SetText(result);
}

void Replace(EvalContext&, Args args, Value& out) {
  const std::string text = args[0]->text(), what = args[1]->text(), with = args[2]->text();
  std::string& result = out.MutableText();
  std::size_t at = 0;
  while (!what.empty()) {
    const std::size_t found = text.find(what, at);
    if (found == std::string::npos) break;
    result.append(text, at, found - at);
    result += with;
    at = found + what.size();
  }
  result.append(text, at);
}

void SplitPart(EvalContext&, Args args, Value& out) {
  std::string_view text = args[0]->text();
  const std::string_view mark = args[1]->text();
  for (std::int64_t number = 1;; ++number) {
    const std::size_t end = mark.empty() ? std::string_view::npos : text.find(mark);
    if (number == args[2]->as_int()) return out.SetText(std::string(text.substr(0, end)));
    if (end == std::string_view::npos) return out.SetNull();
    text.remove_prefix(end + mark.size());
  }
}

void Pad(EvalContext& context, Args args, bool left, Value& out) {
  constexpr std::int64_t kLongest = 65'535;
  const std::int64_t length = args[1]->as_int();
  if (length < 0 || length > kLongest) return context.Fail("InvalidArgument", "a padded text is too long");
  const std::string fill = args.size() > 2 ? args[2]->text() : " ";
  const std::string_view text = Part(args[0]->text(), 1, length);
  std::string padding;
  for (auto have = static_cast<std::int64_t>(CountCharacters(text)), at = std::int64_t{0};
       have < length && !fill.empty(); ++have, ++at)
    padding += Part(fill, at % static_cast<std::int64_t>(CountCharacters(fill)) + 1, 1);
  out.SetText(left ? padding + std::string(text) : std::string(text) + padding);
}

void LeftPad(EvalContext& context, Args args, Value& out) { Pad(context, args, true, out); }
void RightPad(EvalContext& context, Args args, Value& out) { Pad(context, args, false, out); }

void Reverse(EvalContext&, Args args, Value& out) {
  std::string_view rest = args[0]->text();
  std::string result;
  while (!rest.empty()) {
    const std::string_view before = rest;
    TakeCharacter(&rest);
    result.insert(0, before.substr(0, before.size() - rest.size()));
  }
  out.SetText(result);
}

void Concat(EvalContext&, Args args, Value& out) {
  std::string result;
  for (const Value* arg : args)
    if (!arg->is_null()) result += arg->text();
  out.SetText(result);
}

// IP_MASK(address, bits): the network of an IPv4 address; others come back as they are.
void IpMask(EvalContext& context, Args args, Value& out) {
  const std::int64_t bits = args[1]->as_int();
  if (bits < 0 || bits > 32) return context.Fail("InvalidArgument", "IP_MASK takes 0 to 32 bits");
  const std::string text = args[0]->text();
  std::uint32_t address = 0, part = 0;
  int parts = 0, digits = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '.';
    if (c == '.') {
      if (digits == 0 || part > 255 || ++parts > 4) return out.SetText(text);
      address = address << 8 | part;
      part = 0;
      digits = 0;
    } else if (c >= '0' && c <= '9' && ++digits <= 3) {
      part = part * 10 + static_cast<std::uint32_t>(c - '0');
    } else {
      return out.SetText(text);
    }
  }
  if (parts != 4) return out.SetText(text);
  address &= bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  std::string masked;
  for (int shift = 24; shift >= 0; shift -= 8)
    masked += std::to_string(address >> shift & 255) + (shift > 0 ? "." : "");
  out.SetText(masked);
}

constexpr FunctionDefinition kFunctions[] = {
    {"UPPER", "T:T", Upper},
    {"LOWER", "T:T", Lower},
    {"UCASE", "T:T", Upper},
    {"LCASE", "T:T", Lower},
    {"INITCAP", "T:T", InitCap},
    {"CHAR_LENGTH", "T:I", CharLength},
    {"CHARACTER_LENGTH", "T:I", CharLength},
    {"LENGTH", "T:I", CharLength},
    {"LEN", "T:I", CharLength},
    {"OCTET_LENGTH", "T:I", OctetLength},
    {"LTRIM", "TT?:T", LeftTrim},
    {"RTRIM", "TT?:T", RightTrim},
    {"BTRIM", "TT?:T", BothTrim},
    {"SUBSTRING", "TII?:T", Substring},
    {"SUBSTR", "TII?:T", Substring},
    {"SUBSTRING_REGEX", "TT:T", RegexSubstring},
    {"LEFT", "TI:T", Left},
    {"RIGHT", "TI:T", Right},
    {"POSITION", "TT:I", PositionOf},
    {"OVERLAY", "TTII?:T", Overlay},
    {"REPLACE", "TTT:T", Replace},
    {"REGEX_REPLACE", "TTTI?I?:T", RegexReplace},
    {"REGEXP_REPLACE", "TTTI?I?:T", RegexReplace},
    {"REGEXP_EXTRACT", "TTI?:T", RegexExtract},
    {"REGEXP_LIKE", "TT:B", RegexMatches},
    {"REGEXP", "TT:B", RegexMatches},
    {"SPLIT_INDEX", "TTI:T", SplitPart},
    {"SPLIT_PART", "TTI:T", SplitPart},
    {"LPAD", "TIT?:T", LeftPad},
    {"RPAD", "TIT?:T", RightPad},
    {"REVERSE", "T:T", Reverse},
    {"CONCAT", "T*:T", Concat, true},
    {"IP_MASK", "TI:T", IpMask},
};

}  // namespace

std::span<const FunctionDefinition> TextFunctions() { return kFunctions; }

}  // namespace honryu::sql
