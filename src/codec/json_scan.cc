#include "honryu/codec/json_scan.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace honryu::codec {

namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
/// Nesting at which reading gives up, whatever the limit: it bounds the recursion's stack.
constexpr int kHardDepth = 512;

std::uint64_t Load8(const char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, 8);
  return word;
}

std::uint64_t Load4(const char* p) {
  std::uint32_t word = 0;
  std::memcpy(&word, p, 4);
  return word;
}

/// Non-zero if a byte of `word` ends the plain run of a string: '"', '\' or a control character. Bytes above
/// a hit may be marked wrongly (borrows), so the caller looks for the first one byte by byte.
std::uint64_t Special(std::uint64_t word) {
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t slash = word ^ (kOnes * '\\');
  return (((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) | ((word - kOnes * 0x20) & ~word)) & kHighs;
}

/// Differs for most unequal short keys and costs a few instructions: length, first and last eight bytes.
std::uint64_t Mark(BytesView key) {
  const std::size_t n = key.size();
  const char* const p = key.data();
  std::uint64_t head = 0, tail = 0;
  if (n >= 8) {
    head = Load8(p);
    tail = Load8(p + n - 8);
  } else if (n >= 4) {
    head = Load4(p);
    tail = Load4(p + n - 4);
  } else if (n > 0) {
    const auto byte = [p](std::size_t i) -> std::uint64_t { return static_cast<unsigned char>(p[i]); };
    head = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  return head * 0xa0761d6478bd642fULL ^ tail * 0xe7037ed1a0b428dbULL ^ n;
}

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(std::uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

std::uint32_t Hex4(const char* p) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    const int digit = IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    value = value << 4 | (static_cast<std::uint32_t>(digit) & 0xf);
  }
  return value;
}

bool IsHighSurrogate(std::uint32_t c) { return c >= 0xd800 && c < 0xdc00; }
bool IsLowSurrogate(std::uint32_t c) { return c >= 0xdc00 && c < 0xe000; }

}  // namespace

bool JsonScanner::Scan(BytesView text, std::size_t from) {
  start_ = text.data();
  p_ = start_ + std::min(from, text.size());
  stop_ = start_ + text.size();
  rule_ = JsonRule::kNone;
  rule_field_.clear();
  error_reason_ = {};
  members_.clear();
  keys_.clear();
  path_.clear();
  unescaped_.clear();
  // One strange input must not hold memory for ever.
  constexpr std::size_t kKeptKeys = 65536;
  if (keys_.capacity() > kKeptKeys) keys_.shrink_to_fit();
  SkipBlanks();
  begin_ = static_cast<std::size_t>(p_ - start_);
  if (!Value(1, &kind_)) return false;
  end_ = static_cast<std::size_t>(p_ - start_);
  if (!simdjson::validate_utf8(start_ + begin_, end_ - begin_)) Break(JsonRule::kInvalidUtf8);
  return true;
}

bool JsonScanner::Fail(std::string_view reason) {
  error_at_ = static_cast<std::size_t>(p_ - start_);
  error_reason_ = reason;
  return false;
}

void JsonScanner::Break(JsonRule rule, BytesView last_key) {
  if (rule_ != JsonRule::kNone) return;
  rule_ = rule;
  constexpr std::size_t kMaxField = 256;
  const auto append = [this](BytesView key) {
    if (rule_field_.size() >= kMaxField) return;
    if (!rule_field_.empty()) rule_field_ += '.';
    rule_field_ += key.substr(0, kMaxField);
  };
  if (rule == JsonRule::kInvalidUtf8) return;
  for (const BytesView key : path_) append(key);
  if (!last_key.empty()) append(last_key);
}

void JsonScanner::SkipBlanks() {
  while (p_ != stop_ && IsBlank(*p_)) ++p_;
}

bool JsonScanner::Value(int depth, JsonKind* kind) {
  if (p_ == stop_) return Fail("the text ends where a value is expected");
  bool escaped = false;
  switch (*p_) {
    case '{':
      *kind = JsonKind::kObject;
      return Object(depth);
    case '[':
      *kind = JsonKind::kArray;
      return Array(depth);
    case '"':
      *kind = JsonKind::kString;
      return String(&escaped);
    case 't':
      *kind = JsonKind::kBool;
      return Literal("true");
    case 'f':
      *kind = JsonKind::kBool;
      return Literal("false");
    case 'n':
      *kind = JsonKind::kNull;
      return Literal("null");
    default:
      *kind = JsonKind::kNumber;
      return Number();
  }
}

bool JsonScanner::Object(int depth) {
  if (depth > kHardDepth) return Fail("nested far too deep");
  if (depth > limits_.max_depth) Break(JsonRule::kTooDeep);
  const std::size_t base = keys_.size();
  std::size_t count = 0;
  ++p_;
  SkipBlanks();
  if (p_ != stop_ && *p_ == '}') {
    ++p_;
    return true;
  }
  for (;;) {
    if (p_ == stop_) return Fail("the text ends inside an object");
    if (*p_ != '"') return Fail("expected a member name in quotes");
    const char* const key_begin = p_;
    bool escaped = false;
    if (!String(&escaped)) return false;
    BytesView key(key_begin + 1, static_cast<std::size_t>(p_ - key_begin) - 2);
    if (escaped) {
      key =
          unescaped_.emplace_back(UnescapeJsonString({key_begin, static_cast<std::size_t>(p_ - key_begin)}));
    }
    SkipBlanks();
    if (p_ == stop_ || *p_ != ':') return Fail("expected ':' after a member name");
    ++p_;
    SkipBlanks();
    const char* const value_begin = p_;
    JsonKind kind = JsonKind::kNull;
    // In parts: a view copied by way of the stack costs a failed store forwarding each time.
    path_.emplace_back(key.data(), key.size());
    if (!Value(depth + 1, &kind)) return false;
    path_.pop_back();
    if (++count > limits_.max_members) {
      Break(JsonRule::kTooManyMembers);
    } else {
      if (limits_.max_value_bytes > 0) keys_.push_back({Mark(key), key});
      if (depth == 1) {
        JsonMember& member = members_.emplace_back();
        member.key = BytesView(key.data(), key.size());
        member.value = BytesView(value_begin, static_cast<std::size_t>(p_ - value_begin));
        member.kind = kind;
      }
    }
    SkipBlanks();
    if (p_ == stop_) return Fail("the text ends inside an object");
    if (*p_ == '}') break;
    if (*p_ != ',') return Fail("expected ',' or '}' after a member");
    ++p_;
    SkipBlanks();
  }
  ++p_;
  if (static_cast<std::size_t>(p_ - start_) - begin_ <= limits_.max_value_bytes) CheckKeys(base);
  keys_.resize(base);
  return true;
}

void JsonScanner::CheckKeys(std::size_t base) {
  const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(base);
  const std::size_t count = keys_.size() - base;
  if (count <= 16) {
    for (std::size_t i = 1; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (first[static_cast<std::ptrdiff_t>(i)].mark == first[static_cast<std::ptrdiff_t>(j)].mark &&
            first[static_cast<std::ptrdiff_t>(i)].text == first[static_cast<std::ptrdiff_t>(j)].text) {
          return Break(JsonRule::kDuplicateKey, first[static_cast<std::ptrdiff_t>(i)].text);
        }
      }
    }
    return;
  }
  // Sorted by mark, then by text: whoever crafts equal marks gains nothing.
  std::sort(first, keys_.end(), [](const KeyEntry& a, const KeyEntry& b) {
    return a.mark != b.mark ? a.mark < b.mark : a.text < b.text;
  });
  const auto twin = std::adjacent_find(first, keys_.end(), [](const KeyEntry& a, const KeyEntry& b) {
    return a.mark == b.mark && a.text == b.text;
  });
  if (twin != keys_.end()) Break(JsonRule::kDuplicateKey, twin->text);
}

bool JsonScanner::Array(int depth) {
  if (depth > kHardDepth) return Fail("nested far too deep");
  if (depth > limits_.max_depth) Break(JsonRule::kTooDeep);
  ++p_;
  SkipBlanks();
  if (p_ != stop_ && *p_ == ']') {
    ++p_;
    return true;
  }
  for (;;) {
    JsonKind kind = JsonKind::kNull;
    if (!Value(depth + 1, &kind)) return false;
    SkipBlanks();
    if (p_ == stop_) return Fail("the text ends inside an array");
    if (*p_ == ']') break;
    if (*p_ != ',') return Fail("expected ',' or ']' after an element");
    ++p_;
    SkipBlanks();
  }
  ++p_;
  return true;
}

bool JsonScanner::String(bool* escaped) {
  ++p_;
  for (;;) {
    while (stop_ - p_ >= 8 && Special(Load8(p_)) == 0) p_ += 8;
    // A marked word holds a special byte; a shorter rest may.
    for (;;) {
      if (p_ == stop_) return Fail("the text ends inside a string");
      const auto c = static_cast<unsigned char>(*p_);
      if (c == '"') {
        ++p_;
        return true;
      }
      if (c == '\\') {
        *escaped = true;
        if (!Escape()) return false;
        break;
      }
      if (c < 0x20) return Fail("control character in a string");
      ++p_;
    }
  }
}

bool JsonScanner::HexDigits(std::uint32_t* value) {
  if (stop_ - p_ < 4) return Fail("the text ends inside a \\u escape");
  for (int i = 0; i < 4; ++i) {
    const auto lower = static_cast<char>(p_[i] | 0x20);
    if (!IsDigit(p_[i]) && !(lower >= 'a' && lower <= 'f'))
      return Fail("expected four hexadecimal digits after \\u");
  }
  *value = Hex4(p_);
  p_ += 4;
  return true;
}

bool JsonScanner::Escape() {
  ++p_;
  if (p_ == stop_) return Fail("the text ends inside a string");
  switch (*p_) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      ++p_;
      return true;
    case 'u':
      break;
    default:
      return Fail("unknown escape in a string");
  }
  ++p_;
  std::uint32_t unit = 0;
  if (!HexDigits(&unit)) return false;
  if (IsLowSurrogate(unit)) {
    Break(JsonRule::kLoneSurrogate);
  } else if (IsHighSurrogate(unit)) {
    if (stop_ - p_ < 2 || p_[0] != '\\' || p_[1] != 'u') {
      Break(JsonRule::kLoneSurrogate);
      return true;
    }
    const char* const second = p_;
    p_ += 2;
    std::uint32_t low = 0;
    if (!HexDigits(&low)) return false;
    if (!IsLowSurrogate(low)) {
      Break(JsonRule::kLoneSurrogate);
      p_ = second;  // It may itself begin a pair.
    }
  }
  return true;
}

bool JsonScanner::Number() {
  const char* const begin = p_;
  if (*p_ == '-') ++p_;
  if (p_ == stop_ || !IsDigit(*p_)) {
    p_ = begin;
    return Fail("expected a value");
  }
  if (*p_ == '0') {
    ++p_;
  } else {
    while (p_ != stop_ && IsDigit(*p_)) ++p_;
  }
  if (p_ != stop_ && *p_ == '.') {
    ++p_;
    if (p_ == stop_ || !IsDigit(*p_)) return Fail("expected a digit after the decimal point");
    while (p_ != stop_ && IsDigit(*p_)) ++p_;
  }
  if (p_ != stop_ && (*p_ == 'e' || *p_ == 'E')) {
    ++p_;
    if (p_ != stop_ && (*p_ == '+' || *p_ == '-')) ++p_;
    if (p_ == stop_ || !IsDigit(*p_)) return Fail("expected a digit in the exponent");
    while (p_ != stop_ && IsDigit(*p_)) ++p_;
  }
  return true;
}

bool JsonScanner::Literal(std::string_view word) {
  if (static_cast<std::size_t>(stop_ - p_) < word.size() || BytesView(p_, word.size()) != word) {
    return Fail("expected a value");
  }
  p_ += word.size();
  return true;
}

std::string UnescapeJsonString(BytesView text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        std::uint32_t c = Hex4(text.data() + i + 1);
        i += 4;
        if (IsHighSurrogate(c) && i + 6 < text.size() && text[i + 1] == '\\' && text[i + 2] == 'u') {
          const std::uint32_t low = Hex4(text.data() + i + 3);
          if (IsLowSurrogate(low)) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          }
        }
        if (IsHighSurrogate(c) || IsLowSurrogate(c)) c = 0xfffd;  // The scanner reports it as a broken rule.
        AppendUtf8(c, out);
        break;
      }
      default:
        out += text[i];
    }
  }
  return out;
}

BytesView JsonStringView(BytesView text, std::string* buffer) {
  const BytesView inner = text.substr(1, text.size() - 2);
  if (inner.find('\\') == BytesView::npos) return inner;
  *buffer = UnescapeJsonString(text);
  return *buffer;
}

std::size_t CountCharacters(BytesView utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool FindMember(BytesView object, std::string_view dotted_path, BytesView* found) {
  // The object was checked as a part of its event: only its outline is needed again.
  JsonLimits limits;
  limits.max_value_bytes = 0;
  JsonScanner scanner(limits);
  if (object.empty() || object.front() != '{' || !scanner.Scan(object, 0)) return false;
  const std::size_t dot = dotted_path.find('.');
  const std::string_view head = dotted_path.substr(0, dot);
  for (const JsonMember& member : scanner.members()) {
    if (member.key == dotted_path) {
      *found = member.value;
      return true;
    }
    if (dot != std::string_view::npos && member.key == head) {
      return FindMember(member.value, dotted_path.substr(dot + 1), found);
    }
  }
  return false;
}

}  // namespace honryu::codec
