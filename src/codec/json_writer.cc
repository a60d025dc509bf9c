#include "honryu/codec/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace honryu::codec {
namespace {

// 0: copy; 1: escape; 2: start of a multi-byte sequence, to be checked.
constexpr std::array<std::uint8_t, 256> MakeClasses() {
  std::array<std::uint8_t, 256> classes{};
  for (std::size_t i = 0; i < 0x20; ++i) classes[i] = 1;
  classes['"'] = classes['\\'] = 1;
  for (std::size_t i = 0x80; i < 256; ++i) classes[i] = 2;
  return classes;
}
constexpr auto kClasses = MakeClasses();

// Length of the well-formed UTF-8 sequence at `at` (RFC 3629, table in section 4), or 0.
std::size_t SequenceLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const std::uint8_t first = byte(at), second = byte(at + 1);
  if (first >= 0xc2 && first <= 0xdf) return tail(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool ok = tail(at + 1) && tail(at + 2) && !(first == 0xe0 && second < 0xa0) &&
                    !(first == 0xed && second > 0x9f);
    return ok ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool ok = tail(at + 1) && tail(at + 2) && tail(at + 3) && !(first == 0xf0 && second < 0x90) &&
                    !(first == 0xf4 && second > 0x8f);
    return ok ? 4 : 0;
  }
  return 0;
}

void AppendEscape(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default: {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<std::uint8_t>(c) >> 4];
      out += kHex[static_cast<std::uint8_t>(c) & 15];
    }
  }
}

// The first place at or after `at` that must not be copied as it is, or the end.
std::size_t SkipPlain(std::string_view text, std::size_t at) {
#if defined(__x86_64__)
  // SSE2 is part of x86-64. A signed comparison finds both control characters and bytes above 0x7f: < 0x20.
  for (; text.size() - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    const __m128i low_or_high = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const int mask = _mm_movemask_epi8(_mm_or_si128(low_or_high, _mm_or_si128(quote, backslash)));
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  while (at < text.size() && kClasses[static_cast<std::uint8_t>(text[at])] == 0) ++at;
  return at;
}

}  // namespace

void AppendJsonString(std::string_view value, std::string& out) {
  out += '"';
  std::size_t copied = 0, at = 0;
  while ((at = SkipPlain(value, at)) < value.size()) {
    const std::uint8_t kind = kClasses[static_cast<std::uint8_t>(value[at])];
    // Text in other scripts comes in runs; the vector loop would stop at each character.
    std::size_t length = kind == 2 ? SequenceLength(value, at) : 0;
    if (length != 0) {
      do {
        at += length;
        length = at < value.size() ? SequenceLength(value, at) : 0;
      } while (length != 0);
      continue;
    }
    out.append(value, copied, at - copied);
    if (kind == 1) {
      AppendEscape(value[at], out);
    } else {
      out += "\xef\xbf\xbd";
    }
    copied = ++at;
  }
  out.append(value, copied, at - copied);
  out += '"';
}

void JsonWriter::BeforeValue() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}
void JsonWriter::BeginObject() {
  BeforeValue();
  out_ += '{';
  need_comma_ = false;
}
void JsonWriter::EndObject() {
  out_ += '}';
  need_comma_ = true;
}
void JsonWriter::BeginArray() {
  BeforeValue();
  out_ += '[';
  need_comma_ = false;
}
void JsonWriter::EndArray() {
  out_ += ']';
  need_comma_ = true;
}
void JsonWriter::Key(std::string_view key) {
  BeforeValue();
  AppendJsonString(key, out_);
  out_ += ':';
  need_comma_ = false;
}
void JsonWriter::String(std::string_view value) {
  BeforeValue();
  AppendJsonString(value, out_);
}
void JsonWriter::Int(std::int64_t value) {
  BeforeValue();
  char buffer[24];
  out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}
void JsonWriter::Uint(std::uint64_t value) {
  BeforeValue();
  char buffer[24];
  out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}
void JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  BeforeValue();
  char buffer[32];
  const std::string_view text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr - buffer);
  out_ += text;
  // Written as whole numbers, these would read back as integers: "-0" without its sign, and what is beyond 64
  // bits not at all.
  const bool unlike_integer = std::abs(value) >= 0x1p63 || (value == 0 && std::signbit(value));
  if (unlike_integer && text.find_first_of(".e") == std::string_view::npos) out_ += ".0";
}
void JsonWriter::Bool(bool value) {
  BeforeValue();
  out_ += value ? "true" : "false";
}
void JsonWriter::Null() {
  BeforeValue();
  out_ += "null";
}
void JsonWriter::Raw(std::string_view json) {
  BeforeValue();
  out_ += json;
}
void JsonWriter::PlainString(std::string_view value) {
  BeforeValue();
  out_ += '"';
  out_ += value;
  out_ += '"';
}

}  // namespace honryu::codec
