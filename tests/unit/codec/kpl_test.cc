#include "honryu/codec/kpl.h"

#include "honryu/codec/varint.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace honryu::codec {
namespace {

std::string Golden() {
  std::ifstream file(std::string(HONRYU_GOLDEN) + "/kpl/v1/kpl-1.0.4.bin", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What tests/golden/kpl/v1/README.md says went in.
std::vector<KplRecord> GoldenRecords() {
  static const std::string kLong(300, 'x');
  return {{"k1", {}, "one"},
          {"流れ", {}, "温かいお茶"},
          {"k1", {}, std::string_view("\0\1\xff", 3)},
          {"k2", UInt128(1ULL << 63, 0), "hash"},
          {"k1", UInt128(), "zero"},
          {"k3", {}, ""},
          {"k2", {}, kLong}};
}

void ExpectSame(const std::vector<KplRecord>& got, const std::vector<KplRecord>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].partition_key, want[i].partition_key) << i;
    EXPECT_EQ(got[i].explicit_hash_key, want[i].explicit_hash_key) << i;
    EXPECT_EQ(got[i].data, want[i].data) << i;
  }
}

// A message in the frame of an aggregate, with its right checksum.
std::string Framed(std::string_view message) {
  const UInt128 digest = Md5HashKey(message);
  std::string out = "\xf3\x89\x9a\xc2";
  out.append(message);
  for (int i = 15; i >= 0; --i) {
    const std::uint64_t half = i >= 8 ? digest.high : digest.low;
    out.push_back(static_cast<char>(half >> (i % 8 * 8)));
  }
  return out;
}

std::string Bytes(unsigned field, std::string_view content) {
  std::string out;
  AppendVarint(out, field << 3 | 2);
  AppendVarint(out, content.size());
  return out.append(content);
}

std::string Number(unsigned field, std::uint64_t value) {
  std::string out;
  AppendVarint(out, field << 3);
  AppendVarint(out, value);
  return out;
}

bool Opens(std::string_view message) { return OpenKplAggregate(Framed(message)).has_value(); }

TEST(KplAggregate, OpensWhatTheRealLibraryWrote) {
  const std::string golden = Golden();
  ASSERT_EQ(golden.size(), 461U);
  EXPECT_TRUE(MayBeKplAggregate(golden));
  const auto records = OpenKplAggregate(golden);
  ASSERT_TRUE(records.has_value());
  ExpectSame(*records, GoldenRecords());
}

TEST(KplAggregate, WritesTheBytesOfTheRealLibrary) {
  KplAggregateWriter writer;
  EXPECT_EQ(writer.size(), 0U);
  for (const KplRecord& record : GoldenRecords()) EXPECT_TRUE(writer.Add(record));
  EXPECT_EQ(writer.records(), 7U);
  EXPECT_EQ(writer.size(), 461U);
  EXPECT_EQ(writer.hash_key().ToDecimal(), "242208671286853988395785178707875403226");
  EXPECT_EQ(writer.Finish(), Golden());
  EXPECT_EQ(writer.records(), 0U);
  // The next one remembers nothing of it.
  EXPECT_TRUE(writer.Add({"k2", UInt128(0, 7), "x"}));
  EXPECT_EQ(writer.hash_key(), UInt128(0, 7));
  const std::string next = writer.Finish();
  const auto records = OpenKplAggregate(next);
  ASSERT_TRUE(records.has_value());
  ExpectSame(*records, {{"k2", UInt128(0, 7), "x"}});
}

TEST(KplAggregate, EveryDamageMakesItAPlainRecord) {
  const std::string golden = Golden();
  for (std::size_t i = 0; i < golden.size(); ++i) {
    std::string damaged = golden;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(OpenKplAggregate(damaged).has_value()) << i;
    EXPECT_FALSE(OpenKplAggregate(std::string_view(golden).substr(0, i)).has_value()) << i;
  }
  EXPECT_FALSE(OpenKplAggregate(golden + "x").has_value());
  EXPECT_FALSE(OpenKplAggregate("").has_value());
  EXPECT_FALSE(OpenKplAggregate(Framed("")).has_value());
}

TEST(KplAggregate, MessagesThatAreNone) {
  const std::string key = Bytes(1, "k");
  const std::string good = Bytes(3, Number(1, 0) + Bytes(3, "d"));
  EXPECT_TRUE(Opens(key + good));
  EXPECT_TRUE(Opens(good + key)) << "tables may follow";
  EXPECT_TRUE(Opens(key)) << "no records at all";
  EXPECT_FALSE(Opens(good)) << "index outside the table";
  EXPECT_FALSE(Opens(key + Bytes(3, Number(1, 1) + Bytes(3, "d"))));
  EXPECT_FALSE(Opens(key + Bytes(3, Number(1, ~0ULL) + Bytes(3, "d"))));
  EXPECT_FALSE(Opens(key + Bytes(3, Bytes(3, "d")))) << "no partition key";
  EXPECT_FALSE(Opens(key + Bytes(3, Number(1, 0)))) << "no data";
  EXPECT_FALSE(Opens(key + Bytes(3, Number(1, 0) + Number(2, 0) + Bytes(3, "d")))) << "no such hash key";
  EXPECT_FALSE(Opens(key + Bytes(2, "12x") + good)) << "a hash key that is no number";
  EXPECT_FALSE(Opens(key + Bytes(2, "340282366920938463463374607431768211456") + good)) << "2^128";
  EXPECT_FALSE(Opens(key + Number(3, 5)));
  EXPECT_FALSE(Opens(key + good + "\x1a"));
  EXPECT_FALSE(Opens(key + good + "\x1a\x7f"));
  EXPECT_FALSE(Opens(key + good + std::string("\x00\x00", 2))) << "field 0";
  EXPECT_FALSE(Opens(key + good + "\x23\x24")) << "a group";
  EXPECT_FALSE(Opens(key + Bytes(3, Number(1, 0) + Bytes(3, "d") + "\x1a\x05x"))) << "data behind the end";
}

TEST(KplAggregate, UnknownFieldsAndTagsAreSkipped) {
  const std::string tags = Bytes(4, Bytes(1, "tag") + Bytes(2, "value"));
  const std::string fixed = std::string("\x29") + "12345678" + "\x2d" + "1234";
  const std::string framed = Framed(Bytes(1, "k") + Number(9, 1) + fixed +
                                    Bytes(3, Number(1, 0) + Bytes(3, "d") + tags + Number(77, 1)));
  const auto records = OpenKplAggregate(framed);
  ASSERT_TRUE(records.has_value());
  ExpectSame(*records, {{"k", {}, "d"}});
}

TEST(KplAggregate, TheWriterKeepsTheLimit) {
  KplAggregateWriter writer(1000);
  const std::string data(90, 'd');
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("key-" + std::to_string(i));
  std::size_t added = 0;
  std::size_t written = 0;
  while (added < keys.size()) {
    if (writer.Add({keys[added], {}, data})) {
      ++added;
      EXPECT_LE(writer.size(), 1000U);
      continue;
    }
    // 20 of frame, and 106 or 107 for each: the ninth would have fit only without it.
    EXPECT_EQ(writer.records(), 9U);
    const std::size_t size = writer.size();
    const std::string aggregate = writer.Finish();
    EXPECT_EQ(aggregate.size(), size);
    written += OpenKplAggregate(aggregate)->size();
  }
  EXPECT_EQ(written + writer.records(), 100U);
  // One that is larger than the limit stands alone.
  writer.Finish();
  const std::string large(5000, 'l');
  EXPECT_TRUE(writer.Add({"k", {}, large}));
  EXPECT_FALSE(writer.Add({"k", {}, ""}));
  EXPECT_EQ(OpenKplAggregate(writer.Finish())->at(0).data, large);
}

TEST(KplAggregate, HashKeys) {
  EXPECT_EQ(HashKeyOf({"k1", {}, ""}).ToDecimal(), "242208671286853988395785178707875403226");
  EXPECT_EQ(HashKeyOf({"k1", UInt128(0, 5), ""}), UInt128(0, 5));
}

}  // namespace
}  // namespace honryu::codec
