#include "honryu/codec/base64.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

namespace honryu::codec {
namespace {

// RFC 4648 section 10.
TEST(Base64, MatchesTheRfcVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(Base64Encode(plain), text);
    EXPECT_EQ(Base64Decode(std::string_view(text)).value(), plain);
  }
}

// One character at a time, by the definition: the vector code must agree with it at every length.
std::string SlowEncode(const std::string& in) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bits, out;
  for (const unsigned char c : in) {
    for (int b = 7; b >= 0; --b) bits += ((c >> b) & 1) != 0 ? '1' : '0';
  }
  while (bits.size() % 6 != 0) bits += '0';
  for (std::size_t i = 0; i < bits.size(); i += 6) out += kAlphabet[std::stoi(bits.substr(i, 6), nullptr, 2)];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

TEST(Base64, VectorCodeAgreesWithTheDefinitionAtEveryLength) {
  Random random(7);
  for (std::size_t length = 0; length < 400; ++length) {
    std::string plain;
    for (std::size_t i = 0; i < length; ++i) plain += static_cast<char>(random.Next());
    const std::string text = Base64Encode(plain);
    ASSERT_EQ(text, SlowEncode(plain)) << length;
    ASSERT_EQ(Base64Decode(std::string_view(text)).value(), plain) << length;
  }
}

TEST(Base64, RefusesEveryForeignCharacterAtEveryPlace) {
  const std::string good = Base64Encode(std::string(150, 'q'));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char bad : {'=', '-', '_', ' ', '\n', '\0', '\x80', '\xff', '.'}) {
      std::string text = good;
      text[at] = bad;
      if (bad == '=' && at + 1 == text.size()) continue;  // padding may stand there
      EXPECT_FALSE(Base64Decode(std::string_view(text)).ok()) << at << " " << static_cast<int>(bad);
    }
  }
  for (const char* text : {"Zg=", "Zg", "Z===", "Zh==", "Zm9=", "====", "Zg==Zg=="})
    EXPECT_FALSE(Base64Decode(std::string_view(text)).ok()) << text;
}

}  // namespace
}  // namespace honryu::codec
