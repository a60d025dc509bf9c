#include "honryu/base/random.h"
#include "search/index/intern_table.h"
#include "segment_fixture.h"

#include <map>
#include <set>

namespace honryu::search {
namespace {

std::string RandomString(Random& random, std::size_t limit) {
  std::string text(random.Below(limit), ' ');
  for (char& c : text) c = static_cast<char>(random.Below(3) == 0 ? 0 : 'a' + random.Below(3));
  return text;
}

TEST(InternTable, KeepsEveryStringOfEverySpaceApart) {
  Random random(7);
  InternTable table;
  for (int round = 0; round < 3; ++round) {
    std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> numbers;
    for (int i = 0; i < 30'000; ++i) {
      const auto space = static_cast<std::uint32_t>(random.Below(4));
      const auto text = RandomString(random, i % 2 == 0 ? 8 : 40);
      bool fresh;
      std::uint32_t offset = 0;
      auto& number = table.Find(InternTable::MakeKey(space, text), &fresh, &offset);
      const auto [known, added] =
          numbers.try_emplace({space, text}, static_cast<std::uint32_t>(numbers.size()));
      ASSERT_EQ(fresh, added) << i;
      if (!fresh) {
        ASSERT_EQ(number, known->second);
        continue;
      }
      number = known->second;
      ASSERT_EQ(table.arena().substr(offset, text.size()), text);
    }
    table.Clear();
    EXPECT_TRUE(table.arena().empty());
  }
}

TEST(Hash64, IsWhatFilesOnDiskWereMadeWith) {
  const std::string text = "0123456789abcdefghijklmnopqrstuvwxyz";
  // Of the function as version 1 of the segment format had it.
  const std::map<std::size_t, std::uint64_t> known = {
      {0, 0x8719a11b60a8cd23ULL},  {1, 0x30d4dcc968a87857ULL},  {3, 0x9a2f41c300b3c024ULL},
      {4, 0x2460aee933b66a6dULL},  {7, 0xbc24d973bcddafedULL},  {8, 0x97b8b4376bddb9acULL},
      {9, 0x9320357c027f0719ULL},  {15, 0x7f3f6e629eb691d0ULL}, {16, 0x5d731c2e3c999d77ULL},
      {17, 0x6dff3ebcea3a7e79ULL}, {23, 0x7372130eaa223e46ULL}, {24, 0x4fb5d95143774719ULL},
      {31, 0xec5d844e64312627ULL}, {36, 0xd8f2f77ed2a21678ULL}};
  for (const auto& [size, hash] : known) EXPECT_EQ(Hash64(text.substr(0, size), size), hash) << size;
}

std::vector<std::string> Terms(const Segment& segment, std::string_view field) {
  std::vector<std::string> terms;
  segment.Find(field)->keywords->terms.Scan(0, [&](BytesView term, const TermEntry&) {
    terms.emplace_back(term);
    return true;
  });
  return terms;
}

TEST(SegmentBuilder, SortsStringsThatShareBeginningsAndHoldZeros) {
  Random random(11);
  std::set<std::string> strings = {"",
                                   "a",
                                   std::string("a\0", 2),
                                   std::string("a\0\0\0\0\0\0\0", 8),
                                   std::string("a\0\0\0\0\0\0\0\0", 9),
                                   "aaaaaaaa",
                                   "aaaaaaaaaaaaaaaa"};
  for (int i = 0; i < 3'000; ++i) strings.insert(RandomString(random, 30));
  std::vector<std::string> documents;
  for (const auto& text : strings) {
    std::string json = R"({"f":")";
    for (const char c : text) json += c == 0 ? std::string("\\u0000") : std::string(1, c);
    documents.push_back(json + "\"}");
  }
  for (std::size_t i = documents.size(); i > 1; --i) std::swap(documents[i - 1], documents[random.Below(i)]);
  Mapping mapping;
  const auto segment = BuildSegment(mapping, documents);
  EXPECT_EQ(Terms(*segment, "f"), std::vector<std::string>(strings.begin(), strings.end()));
}

TEST(SegmentBuilder, MembersMayComeInAnyOrderTwiceAndUnderTwoNotations) {
  Mapping mapping;
  const auto segment = BuildSegment(mapping, {
                                                 R"({"a":{"b":1},"c":"x","d":[{"e":1},{"f":2,"e":3}]})",
                                                 R"({"c":"y","a.b":2,"d":{"e":4}})",
                                                 R"({"a":{"b":3,"b":4},"c":"z","c":"w","":5})",
                                             });
  const auto values = [&](std::string_view name) {
    std::vector<std::int64_t> found;
    const auto& column = *segment->Find(name)->longs;
    column.index().ForEach([&](std::uint32_t, std::size_t i) { found.push_back(column.values().Get(i)); });
    return found;
  };
  EXPECT_EQ(values("a.b"), (std::vector<std::int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(values("d.e"), (std::vector<std::int64_t>{1, 3, 4}));
  EXPECT_EQ(values("d.f"), (std::vector<std::int64_t>{2}));
  EXPECT_EQ(Terms(*segment, "c"), (std::vector<std::string>{"w", "x", "y", "z"}));
}

TEST(SegmentBuilder, ObjectsOfManyMembersAreNotSearchedOneByOne) {
  MappingLimits limits;
  limits.fields = 5'000;
  Mapping mapping(limits);
  std::vector<std::string> documents;
  for (int order = 0; order < 2; ++order) {
    std::string json = "{";
    for (int i = 0; i < 4'000; ++i)
      json +=
          (i == 0 ? "\"f" : ",\"f") + std::to_string(order == 0 ? i : 3'999 - i) + "\":" + std::to_string(i);
    documents.push_back(json + "}");
  }
  const auto segment = BuildSegment(mapping, documents);
  const auto& column = *segment->Find("f17")->longs;
  EXPECT_EQ(column.values().Get(0), 17);
  EXPECT_EQ(column.values().Get(1), 3'999 - 17);
}

}  // namespace
}  // namespace honryu::search
