// Base64 against a decoder written straight from RFC 4648: the same texts are taken, and to the same bytes.
#include "honryu/base/check.h"
#include "honryu/codec/base64.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

std::optional<std::string> PlainDecode(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t letters = text.size();
  while (letters > 0 && text.size() - letters < 2 && text[letters - 1] == '=') --letters;
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t i = 0; i < letters; ++i) {
    const std::size_t six = kAlphabet.find(text[i]);
    if (six == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(six)) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count);
    }
  }
  if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using honryu::codec::Base64Decode;
  using honryu::codec::Base64Encode;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto fast = Base64Decode(input);
  const auto plain = PlainDecode(input);
  HONRYU_CHECK(fast.ok() == plain.has_value(), "the two decoders disagree about what is base64");
  if (fast.ok()) {
    HONRYU_CHECK(*fast == *plain, "the two decoders disagree about the bytes");
    HONRYU_CHECK(Base64Encode(*fast) == input, "strict base64 has one spelling only");
  }
  const auto back = Base64Decode(std::string_view(Base64Encode(input)));
  HONRYU_CHECK(back.ok() && *back == input, "encoding does not read back");
  return 0;
}
