#include "sql/regex.h"
#include "sql/utf8.h"

#include <algorithm>

namespace honryu::sql {
namespace {

constexpr std::size_t kMaxSteps = 10'000;
constexpr int kMaxNesting = 100;
constexpr std::uint32_t kMaxRepeat = 1000;

Error Bad(std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, "bad regular expression: " + std::string(why));
}

}  // namespace

// Recursive descent; each part appends its steps, and a repetition copies the steps of its operand.
class RegexCompiler {
 public:
  explicit RegexCompiler(std::string_view pattern) : text_(pattern) {}

  Result<Regex> Run() {
    if (text_.substr(0, 4) == "(?i)") {
      text_.remove_prefix(4);
      regex_.ignore_case_ = true;
    }
    Emit(Regex::Op::kSave, 0);
    HONRYU_TRY_VOID(Alternatives());
    if (!text_.empty()) return Bad("')' without '('");
    Emit(Regex::Op::kSave, 1);
    Emit(Regex::Op::kMatch);
    return std::move(regex_);
  }

 private:
  using Op = Regex::Op;

  std::uint32_t Here() const { return static_cast<std::uint32_t>(regex_.steps_.size()); }
  std::uint32_t Emit(Op op, std::uint32_t x = 0, std::uint32_t y = 0) {
    regex_.steps_.push_back({op, x, y});
    return Here() - 1;
  }

  // a|b|c: split L1, L2; L1: a; jump end; L2: …
  Result<void> Alternatives() {
    if (++nesting_ > kMaxNesting) return Bad("nested too deep");
    std::vector<std::uint32_t> jumps;
    while (true) {
      const std::uint32_t start = Here();
      HONRYU_TRY_VOID(Sequence());
      if (regex_.steps_.size() > kMaxSteps) return Bad("too large");
      if (text_.empty() || text_[0] != '|') break;
      text_.remove_prefix(1);
      Insert(start, {Op::kSplit, start + 1, 0});
      for (std::uint32_t& jump : jumps) jump += jump >= start ? 1 : 0;
      jumps.push_back(Emit(Op::kJump));
      regex_.steps_[start].y = Here();
    }
    for (const std::uint32_t jump : jumps) regex_.steps_[jump].x = Here();
    --nesting_;
    return Ok();
  }

  Result<void> Sequence() {
    while (!text_.empty() && text_[0] != '|' && text_[0] != ')') {
      const std::uint32_t start = Here();
      HONRYU_TRY_VOID(Atom());
      HONRYU_TRY_VOID(Repetition(start));
    }
    return Ok();
  }

  Result<void> Repetition(std::uint32_t start) {
    while (!text_.empty()) {
      std::uint32_t least = 0, most = 0;
      bool endless = true;
      const char c = text_[0];
      if (c == '*' || c == '+' || c == '?') {
        least = c == '+' ? 1 : 0;
        endless = c != '?';
        most = 1;
        text_.remove_prefix(1);
      } else if (c == '{' && text_.size() > 1 && text_[1] >= '0' && text_[1] <= '9') {
        text_.remove_prefix(1);
        least = most = Number();
        endless = false;
        if (!text_.empty() && text_[0] == ',') {
          text_.remove_prefix(1);
          endless = !text_.empty() && text_[0] == '}';
          if (!endless) most = Number();
        }
        if (text_.empty() || text_[0] != '}' || least > kMaxRepeat || most > kMaxRepeat ||
            (!endless && most < least))
          return Bad("bad repetition");
        text_.remove_prefix(1);
      } else {
        return Ok();
      }
      const bool lazy = !text_.empty() && text_[0] == '?';
      if (lazy) text_.remove_prefix(1);
      HONRYU_TRY_VOID(Repeat(start, least, most, endless, lazy));
    }
    return Ok();
  }

  std::uint32_t Number() {
    std::uint32_t value = 0;
    while (!text_.empty() && text_[0] >= '0' && text_[0] <= '9') {
      value =
          std::min<std::uint32_t>(value * 10 + static_cast<std::uint32_t>(text_[0] - '0'), kMaxRepeat + 1);
      text_.remove_prefix(1);
    }
    return value;
  }

  Result<void> Repeat(std::uint32_t start, std::uint32_t least, std::uint32_t most, bool endless, bool lazy) {
    const std::vector<Regex::Step> body(regex_.steps_.begin() + start, regex_.steps_.end());
    const std::size_t copies = std::max<std::size_t>(endless ? std::max(least, 1u) : most, 1);
    if (body.size() * copies + regex_.steps_.size() > kMaxSteps) return Bad("too large");
    regex_.steps_.resize(start);
    const auto split = [&](std::uint32_t at, std::uint32_t in, std::uint32_t out) {
      regex_.steps_[at] = lazy ? Regex::Step{Op::kSplit, out, in} : Regex::Step{Op::kSplit, in, out};
    };
    for (std::uint32_t i = 0; i < least; ++i) {
      if (endless && i + 1 == least) {  // x+: L: x; split L, next
        const std::uint32_t loop = Here();
        Append(body, start);
        split(Emit(Op::kSplit), loop, Here());
        return Ok();
      }
      Append(body, start);
    }
    if (endless) {  // x*: L: split L+1, next; x; jump L
      const std::uint32_t loop = Emit(Op::kSplit);
      Append(body, start);
      Emit(Op::kJump, loop);
      split(loop, loop + 1, Here());
      return Ok();
    }
    std::vector<std::uint32_t> splits;  // x?x?…: each may leave to the end
    for (std::uint32_t i = least; i < most; ++i) {
      splits.push_back(Emit(Op::kSplit));
      Append(body, start);
    }
    for (const std::uint32_t at : splits) split(at, at + 1, Here());
    return Ok();
  }

  // Steps whose targets were counted from `origin`.
  void Append(const std::vector<Regex::Step>& body, std::uint32_t origin) {
    const std::uint32_t base = Here();
    for (Regex::Step step : body) {
      if (step.op == Op::kSplit || step.op == Op::kJump) step.x = step.x - origin + base;
      if (step.op == Op::kSplit) step.y = step.y - origin + base;
      regex_.steps_.push_back(step);
    }
  }

  void Insert(std::uint32_t at, Regex::Step step) {
    const std::vector<Regex::Step> tail(regex_.steps_.begin() + at, regex_.steps_.end());
    regex_.steps_.resize(at);
    regex_.steps_.push_back(step);
    Append(tail, at);
  }

  Result<void> Atom() {
    const char c = text_[0];
    if (c == '(') {
      text_.remove_prefix(1);
      const bool plain = text_.substr(0, 2) == "?:";
      if (plain) text_.remove_prefix(2);
      if (!plain && !text_.empty() && text_[0] == '?') return Bad("this kind of group is not supported");
      const auto group = static_cast<std::uint32_t>(regex_.groups_);
      if (!plain) {
        ++regex_.groups_;
        Emit(Op::kSave, 2 * group);
      }
      HONRYU_TRY_VOID(Alternatives());
      if (text_.empty()) return Bad("'(' without ')'");
      text_.remove_prefix(1);
      if (!plain) Emit(Op::kSave, 2 * group + 1);
      return Ok();
    }
    if (c == '*' || c == '+' || c == '?') return Bad("nothing to repeat");
    if (c == '[') return Set();
    if (c == '\\') return Escape();
    const std::uint32_t code = TakeCharacter(&text_);
    if (c == '.') {
      Emit(Op::kAny);
    } else if (c == '^') {
      Emit(Op::kStart);
    } else if (c == '$') {
      Emit(Op::kEnd);
    } else {
      Emit(Op::kChar, regex_.ignore_case_ ? LowerAscii(code) : code);
    }
    return Ok();
  }

  static bool AddShorthand(char c, Regex::Class& set) {
    using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
    const char kind = static_cast<char>(c | 0x20);
    Ranges ranges;
    if (kind == 'd') ranges = {{'0', '9'}};
    if (kind == 'w') ranges = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    if (kind == 's') ranges = {{'\t', '\r'}, {' ', ' '}};
    if (ranges.empty()) return false;
    if (c != kind) {  // the complement
      Ranges other;
      std::uint32_t next = 0;
      for (const auto& [low, high] : ranges) {
        if (low > next) other.emplace_back(next, low - 1);
        next = high + 1;
      }
      other.emplace_back(next, 0x10ffff);
      ranges = std::move(other);
    }
    set.ranges.insert(set.ranges.end(), ranges.begin(), ranges.end());
    return true;
  }

  static std::uint32_t Control(std::uint32_t c) {
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
  }

  void EmitClass(Regex::Class set) {
    regex_.classes_.push_back(std::move(set));
    Emit(Op::kClass, static_cast<std::uint32_t>(regex_.classes_.size() - 1));
  }

  Result<void> Escape() {
    text_.remove_prefix(1);
    if (text_.empty()) return Bad("'\\' at the end");
    const char c = text_[0];
    Regex::Class set;
    if (AddShorthand(c, set)) {
      text_.remove_prefix(1);
      EmitClass(std::move(set));
      return Ok();
    }
    if (c == 'b' || c == 'B') {
      text_.remove_prefix(1);
      Emit(c == 'b' ? Op::kWord : Op::kNotWord);
      return Ok();
    }
    if (c >= '0' && c <= '9') return Bad("back references are not supported");
    Emit(Op::kChar, Control(TakeCharacter(&text_)));
    return Ok();
  }

  Result<void> Set() {
    text_.remove_prefix(1);
    Regex::Class set;
    set.negated = !text_.empty() && text_[0] == '^';
    if (set.negated) text_.remove_prefix(1);
    for (bool first = true;; first = false) {
      if (text_.empty()) return Bad("'[' without ']'");
      if (text_[0] == ']' && !first) break;
      if (text_[0] == '\\' && text_.size() > 1 && AddShorthand(text_[1], set)) {
        text_.remove_prefix(2);
        continue;
      }
      const bool escaped = text_[0] == '\\' && text_.size() > 1;
      if (escaped) text_.remove_prefix(1);
      std::uint32_t low = TakeCharacter(&text_);
      if (escaped) low = Control(low);
      std::uint32_t high = low;
      if (text_.size() > 1 && text_[0] == '-' && text_[1] != ']') {
        text_.remove_prefix(1);
        if (text_[0] == '\\' && text_.size() > 1) text_.remove_prefix(1);
        high = TakeCharacter(&text_);
        if (high < low) return Bad("a range runs backwards");
      }
      set.ranges.emplace_back(low, high);
      if (regex_.ignore_case_ && low <= 'z' && high >= 'A') {
        for (std::uint32_t c = std::max<std::uint32_t>(low, 'A'); c <= std::min<std::uint32_t>(high, 'Z');
             ++c)
          set.ranges.emplace_back(c | 0x20, c | 0x20);
      }
    }
    text_.remove_prefix(1);
    EmitClass(std::move(set));
    return Ok();
  }

  std::string_view text_;
  Regex regex_;
  int nesting_ = 0;
};

Result<Regex> Regex::Compile(std::string_view pattern) { return RegexCompiler(pattern).Run(); }

Result<Regex> Regex::CompileSimilar(std::string_view pattern, char escape) {
  std::string translated;
  bool in_set = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == escape && i + 1 < pattern.size()) {
      translated += '\\';
      translated += pattern[++i];
    } else if (in_set) {
      in_set = c != ']';
      translated += c;
    } else if (c == '%') {
      translated += "(?:.|\\n)*";
    } else if (c == '_') {
      translated += "(?:.|\\n)";
    } else if (c == '.' || c == '^' || c == '$' || c == '\\') {
      translated += '\\';
      translated += c;
    } else {
      in_set = c == '[';
      translated += c;
    }
  }
  return Compile(translated);
}

}  // namespace honryu::sql
