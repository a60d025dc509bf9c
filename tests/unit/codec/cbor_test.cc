#include "honryu/codec/cbor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace honryu::codec {
namespace {

std::string FromHex(std::string_view hex) {
  std::string out;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

std::string ToHex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    out.push_back("0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4]);
    out.push_back("0123456789abcdef"[static_cast<std::uint8_t>(c) & 15]);
  }
  return out;
}

// The item as JSON, byte strings as base64.
std::string Read(std::string_view hex) {
  const Result<Json> value = ParseCbor(FromHex(hex));
  return value.ok() ? value->Dump() : value.error().ToString();
}

template <class F>
std::string Written(F write) {
  std::string out;
  CborWriter writer(out);
  write(writer);
  return ToHex(out);
}

// RFC 8949 appendix A, the examples that the tree can hold, in its order.
TEST(Cbor, ReadsTheExamplesOfTheRfc) {
  const std::pair<const char*, const char*> examples[] = {
      {"00", "0"},
      {"01", "1"},
      {"0a", "10"},
      {"17", "23"},
      {"1818", "24"},
      {"1819", "25"},
      {"1864", "100"},
      {"1903e8", "1000"},
      {"1a000f4240", "1000000"},
      {"1b000000e8d4a51000", "1000000000000"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"3bffffffffffffffff", "-18446744073709552000.0"},
      {"20", "-1"},
      {"29", "-10"},
      {"3863", "-100"},
      {"3903e7", "-1000"},
      {"f90000", "0.0"},
      {"f98000", "-0.0"},
      {"f93c00", "1.0"},
      {"fb3ff199999999999a", "1.1"},
      {"f93e00", "1.5"},
      {"f97bff", "65504.0"},
      {"fa47c35000", "100000.0"},
      {"f90001", "5.960464477539063e-8"},
      {"f90400", "0.00006103515625"},
      {"f9c400", "-4.0"},
      {"fbc010666666666666", "-4.1"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"f7", "null"},
      {"c074323031332d30332d32315432303a30343a30305a", R"("2013-03-21T20:04:00Z")"},
      {"d74401020304", R"("AQIDBA==")"},
      {"d818456449455446", R"("ZElFVEY=")"},
      {"d82076687474703a2f2f7777772e6578616d706c652e636f6d", R"("http://www.example.com")"},
      {"40", R"("")"},
      {"4401020304", R"("AQIDBA==")"},
      {"60", R"("")"},
      {"6161", R"("a")"},
      {"6449455446", R"("IETF")"},
      {"62225c", R"("\"\\")"},
      {"62c3bc", "\"\xc3\xbc\""},
      {"63e6b0b4", "\"\xe6\xb0\xb4\""},
      {"64f0908591", "\"\xf0\x90\x85\x91\""},
      {"80", "[]"},
      {"83010203", "[1,2,3]"},
      {"8301820203820405", "[1,[2,3],[4,5]]"},
      {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
       "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
      {"a0", "{}"},
      {"a26161016162820203", R"({"a":1,"b":[2,3]})"},
      {"826161a161626163", R"(["a",{"b":"c"}])"},
      {"a56161614161626142616361436164614461656145", R"({"a":"A","b":"B","c":"C","d":"D","e":"E"})"},
      {"5f42010243030405ff", R"("AQIDBAU=")"},
      {"7f657374726561646d696e67ff", R"("streaming")"},
      {"9fff", "[]"},
      {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
      {"9f01820203820405ff", "[1,[2,3],[4,5]]"},
      {"83018202039f0405ff", "[1,[2,3],[4,5]]"},
      {"83019f0203ff820405", "[1,[2,3],[4,5]]"},
      {"bf61610161629f0203ffff", R"({"a":1,"b":[2,3]})"},
      {"826161bf61626163ff", R"(["a",{"b":"c"}])"},
      {"bf6346756ef563416d7421ff", R"({"Fun":true,"Amt":-2})"},
  };
  for (const auto& [hex, json] : examples) {
    const Result<Json> value = ParseCbor(FromHex(hex));
    ASSERT_TRUE(value.ok()) << hex << ": " << value.error().ToString();
    const Result<Json> wanted = Json::Parse(json);
    ASSERT_TRUE(wanted.ok()) << json;
    EXPECT_EQ(value->Dump(), wanted->Dump()) << hex;
  }
}

TEST(Cbor, WritesTheNumbersOfTheRfcInShortestForm) {
  const std::pair<std::uint64_t, const char*> unsigned_examples[] = {{0, "00"},
                                                                     {23, "17"},
                                                                     {24, "1818"},
                                                                     {100, "1864"},
                                                                     {1000, "1903e8"},
                                                                     {1000000, "1a000f4240"},
                                                                     {1000000000000, "1b000000e8d4a51000"},
                                                                     {~0ULL, "1bffffffffffffffff"}};
  for (const auto& [value, hex] : unsigned_examples)
    EXPECT_EQ(Written([v = value](CborWriter& w) { w.Uint(v); }), hex);
  const std::pair<std::int64_t, const char*> signed_examples[] = {
      {-1, "20"},        {-10, "29"}, {-100, "3863"},
      {-1000, "3903e7"}, {10, "0a"},  {std::numeric_limits<std::int64_t>::min(), "3b7fffffffffffffff"}};
  for (const auto& [value, hex] : signed_examples)
    EXPECT_EQ(Written([v = value](CborWriter& w) { w.Int(v); }), hex);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::pair<double, const char*> floats[] = {{0.0, "f90000"},
                                                   {-0.0, "f98000"},
                                                   {1.0, "f93c00"},
                                                   {1.1, "fb3ff199999999999a"},
                                                   {1.5, "f93e00"},
                                                   {65504.0, "f97bff"},
                                                   {100000.0, "fa47c35000"},
                                                   {3.4028234663852886e+38, "fa7f7fffff"},
                                                   {1.0e+300, "fb7e37e43c8800759c"},
                                                   {5.960464477539063e-8, "f90001"},
                                                   {0.00006103515625, "f90400"},
                                                   {-4.0, "f9c400"},
                                                   {-4.1, "fbc010666666666666"},
                                                   {kInfinity, "f97c00"},
                                                   {-kInfinity, "f9fc00"},
                                                   {std::nan(""), "f97e00"}};
  for (const auto& [value, hex] : floats)
    EXPECT_EQ(Written([v = value](CborWriter& w) { w.Double(v); }), hex) << value;
}

TEST(Cbor, WritesStringsMapsAndTimes) {
  EXPECT_EQ(Written([](CborWriter& w) {
              w.BeginMap();
              w.Text("Fun");
              w.Bool(true);
              w.Text("Amt");
              w.Int(-2);
              w.End();
            }),
            "bf6346756ef563416d7421ff");
  EXPECT_EQ(Written([](CborWriter& w) {
              w.BeginArray(3);
              w.Blob(std::string("\x01\x02\x03\x04", 4));
              w.Null();
              w.BeginMap(0);
            }),
            "834401020304f6a0");
  EXPECT_EQ(Written([](CborWriter& w) { w.Time(TimestampFromMs(1795255200123)); }), "c11b000001a1fd8c697b");
}

TEST(Cbor, NonFiniteAndHalfFloats) {
  const auto real = [](const char* hex) { return ParseCbor(FromHex(hex)).value().DoubleOr(0); };
  EXPECT_TRUE(std::isnan(real("f97e00")));
  EXPECT_TRUE(std::isnan(real("fa7fc00000")));
  EXPECT_TRUE(std::isinf(real("f97c00")));
  EXPECT_TRUE(std::isinf(real("fbfff0000000000000")) && real("fbfff0000000000000") < 0);
  EXPECT_EQ(real("fa7f7fffff"), 3.4028234663852886e+38);
  EXPECT_EQ(real("fb7e37e43c8800759c"), 1.0e+300);
}

TEST(Cbor, TimesAreSeconds) {
  EXPECT_EQ(ParseCbor(FromHex("c11a514b67b0")).value().DoubleOr(0), 1363896.240);           // integer: ms
  EXPECT_EQ(ParseCbor(FromHex("c1fb41d452d9ec200000")).value().DoubleOr(0), 1363896240.5);  // float: s
  EXPECT_EQ(ParseCbor(FromHex("c13903e7")).value().DoubleOr(0), -1.0);
  EXPECT_EQ(Read("c16161"), R"("a")");  // judged as a string where a time is wanted
}

TEST(Cbor, BytesAreKeptApartFromText) {
  EXPECT_TRUE(ParseCbor(FromHex("4161")).value().is_blob());
  EXPECT_EQ(ParseCbor(FromHex("4161")).value().BlobOr(""), "a");
  EXPECT_EQ(ParseCbor(FromHex("4161")).value().StringOr("no"), "no");
  EXPECT_FALSE(ParseCbor(FromHex("6161")).value().is_blob());
}

TEST(Cbor, BrokenInputIsRefused) {
  const std::pair<const char*, const char*> inputs[] = {
      {"", "cut short"},
      {"18", "cut short"},
      {"1b00000000000000", "cut short"},
      {"1c", "reserved additional information"},
      {"1f", "reserved additional information"},
      {"3f", "reserved additional information"},
      {"df00", "reserved additional information"},
      {"4201", "cut short"},
      {"5bffffffffffffffff00", "cut short"},
      {"61ff", "text that is no utf-8"},
      {"7f61c361bcff", "text that is no utf-8"},  // a character may not be split between chunks
      {"63eda080", "text that is no utf-8"},
      {"5f4100", "cut short"},
      {"5f6161ff", "a wrong chunk of a string"},
      {"5f5f4100ffff", "a wrong chunk of a string"},
      {"8301", "cut short"},
      {"9bffffffffffffffff", "cut short"},
      {"bbffffffffffffffff", "cut short"},
      {"9f", "cut short"},
      {"a10101", "a map key that is no text"},
      {"bf6161ff", "a break where an item should be"},
      {"81ff", "a break where an item should be"},
      {"ff", "a break where an item should be"},
      {"c1", "cut short"},
      {"f0", "an unassigned simple value"},
      {"f818", "an unassigned simple value"},
      {"fc", "an unassigned simple value"},
      {"f93c", "cut short"},
      {"0000", "bytes behind the item"},
  };
  for (const auto& [hex, reason] : inputs)
    EXPECT_EQ(Read(hex), std::string("invalid_argument: not valid cbor: ") + reason) << hex;
}

TEST(Cbor, DepthAndCountAreBounded) {
  const std::string deep = std::string(64, '\x81') + '\x01';
  EXPECT_TRUE(ParseCbor(deep).ok());
  EXPECT_EQ(ParseCbor('\x81' + deep).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(ParseCbor(std::string(100000, '\xc1')).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(ParseCbor(std::string(100000, '\x9f')).error().code(), ErrorCode::kTooLarge);
  CborLimits few;
  few.max_items = 4;
  EXPECT_TRUE(ParseCbor(FromHex("83010203"), few).ok());
  EXPECT_EQ(ParseCbor(FromHex("8401020304"), few).error().code(), ErrorCode::kTooLarge);
}

TEST(CborReader, JoinedTextLivesUntilTheNextCall) {
  const std::string input = FromHex("9f7f61616162ff61630102ff");
  CborReader reader(input);
  EXPECT_TRUE(reader.Next().value().indefinite);
  EXPECT_EQ(reader.Next().value().text, "ab");
  EXPECT_EQ(reader.Next().value().text, "c");
  EXPECT_EQ(reader.Next().value().number, 1U);
  EXPECT_FALSE(reader.AtEnd());
  EXPECT_EQ(reader.remaining(), 2U);
}

}  // namespace
}  // namespace honryu::codec
