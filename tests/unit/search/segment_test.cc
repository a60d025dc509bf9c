#include "honryu/base/random.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

std::vector<std::string> Sample() {
  std::vector<std::string> documents;
  for (int i = 0; i < 500; ++i)
    documents.push_back(R"({"time":"2026-11-21T00:00:)" + std::string(i % 60 < 10 ? "0" : "") +
                        std::to_string(i % 60) + R"(Z","n":)" + std::to_string(i) + R"(,"x":)" +
                        std::to_string(i) + R"(.5,"level":")" + (i % 3 == 0 ? "error" : "info") +
                        R"(","message":"request )" + std::to_string(i) + R"( 東京都 failed","tags":["a","b)" +
                        std::to_string(i % 5) + R"("],"ok":)" + (i % 2 == 0 ? "true" : "false") + "}");
  return documents;
}

std::vector<std::uint32_t> TextDocs(const SegmentField& field, std::string_view term) {
  std::vector<std::uint32_t> targets;
  const auto entry = field.text->terms.Find(term);
  if (!entry) return targets;
  auto cursor = field.text->Open(*entry);
  while (cursor.Next()) targets.push_back(cursor.target());
  return targets;
}

TEST(Segment, HoldsColumnsTermsAndSources) {
  Mapping mapping;
  const auto documents = Sample();
  const auto segment = BuildSegment(mapping, documents);
  ASSERT_NE(segment, nullptr);
  ASSERT_EQ(segment->doc_count(), documents.size());
  Segment::SourceCache cache;
  for (std::uint32_t doc = 0; doc < documents.size(); doc += 7) {
    const auto source = segment->Source(doc, cache);
    ASSERT_TRUE(source.ok());
    EXPECT_EQ(*source, documents[doc]);
  }
  EXPECT_EQ(segment->Id(12), "s:12");

  const auto* n = segment->Find("n");
  ASSERT_TRUE(n != nullptr && n->longs);
  n->longs->Of(77, [](std::int64_t value) { EXPECT_EQ(value, 77); });
  const auto* x = segment->Find("x");
  ASSERT_TRUE(x != nullptr && x->doubles);
  x->doubles->Of(8, [&](std::int64_t value) { EXPECT_EQ(x->doubles->ToDouble(value), 8.5); });
  const auto* level = segment->Find("level");
  ASSERT_TRUE(level != nullptr && level->keywords);
  const auto error = level->keywords->terms.Find("error");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->doc_count, 167u);
  EXPECT_TRUE(level->text->by_ordinal);
  const auto* message = segment->Find("message");
  ASSERT_TRUE(message != nullptr && message->text);
  EXPECT_EQ(TextDocs(*message, "77"), std::vector<std::uint32_t>{77});
  EXPECT_EQ(TextDocs(*message, "東京").size(), 500u);
  const auto* tags = segment->Find("tags");
  ASSERT_TRUE(tags != nullptr && tags->keywords);
  EXPECT_EQ(tags->keywords->terms.Find("b3")->doc_count, 100u);
  EXPECT_EQ(segment->Find("absent"), nullptr);

  FieldSpec spec;
  ASSERT_TRUE(mapping.Find("time", &spec));
  EXPECT_EQ(spec.type, FieldType::kDate);
  ASSERT_TRUE(mapping.Find("ok", &spec));
  EXPECT_EQ(spec.type, FieldType::kBoolean);
}

TEST(Segment, KeepsAndFlagsConflictingTypes) {
  Mapping mapping;
  const auto segment = BuildSegment(mapping, {R"({"v":1})", R"({"v":"many"})", R"({"v":2.5})"});
  ASSERT_NE(segment, nullptr);
  const auto* v = segment->Find("v");
  ASSERT_NE(v, nullptr);
  EXPECT_TRUE(v->longs && v->keywords && v->doubles);
  EXPECT_TRUE(v->keywords->terms.Find("many"));
  FieldSpec spec;
  ASSERT_TRUE(mapping.Find("v", &spec));
  EXPECT_TRUE(spec.conflicting);
}

TEST(Segment, FieldsBeyondTheLimitStayInTheSource) {
  Mapping mapping(MappingLimits{2, 20, 256, 10'000});
  const auto segment = BuildSegment(mapping, {R"({"a":1,"b":2,"c":3})"});
  ASSERT_NE(segment, nullptr);
  EXPECT_NE(segment->Find("b"), nullptr);
  EXPECT_EQ(segment->Find("c"), nullptr);
}

TEST(Segment, LongStringsAreFoundByTheirText) {
  Mapping mapping;
  const auto segment = BuildSegment(mapping, {R"({"m":")" + std::string(300, 'a') + R"( needle"})"});
  ASSERT_NE(segment, nullptr);
  const auto* m = segment->Find("m");
  EXPECT_EQ(m->keywords->terms.size(), 0u);
  EXPECT_EQ(m->keywords->overlong, std::vector<std::uint32_t>{0});
  EXPECT_EQ(TextDocs(*m, "needle"), std::vector<std::uint32_t>{0});
}

TEST(DocumentParser, ReadsWhatJsonAllowsThoughNoNumberHoldsIt) {
  EXPECT_EQ(
      Readable(
          R"({"a":123456789012345678901234567890,"b":-1e400,"c":1e-400,"d":-9223372036854775808,"e":"\ud800x\ud83d\ude00\\ud800"})"),
      R"({"a":1.2345678901234568e+29,"b":null,"c":0.0,"d":-9223372036854775808,"e":"\ufffdx\ud83d\ude00\\ud800"})");
  DocumentParser parser;
  for (const auto* source : {R"({"n":123456789012345678901234567890})", R"({"n":1e400})",
                             R"({"n":-9223372036854775809})", R"({"s":"\udc00"})"})
    EXPECT_TRUE(parser.Parse(source).ok()) << source;
  for (const auto* broken : {R"({"n":12x})", R"({"s":"\u12"})", "[1]", "{", R"({"n":--1})"})
    EXPECT_FALSE(parser.Parse(broken).ok()) << broken;
  Mapping mapping;
  const auto segment =
      BuildSegment(mapping, {R"({"n":123456789012345678901234567890,"s":"a\ud800"})", R"({"n":1})"});
  EXPECT_EQ(segment->doc_count(), 2u);
  SourceBlocks::Cache cache;
  EXPECT_EQ(segment->source().Get(0, cache).value(), R"({"n":123456789012345678901234567890,"s":"a\ud800"})");
}

TEST(Segment, RefusesEveryDamagedSectionWithItsPlace) {
  Mapping mapping;
  const auto bytes = SegmentBytes(mapping, Sample());
  const auto file = SegmentFile::Open(bytes, true);
  ASSERT_TRUE(file.ok());
  ASSERT_GT(file->sections.size(), 10u);
  for (const auto& [key, section] : file->sections) {
    if (section.empty()) continue;
    auto damaged = bytes;
    const auto offset = static_cast<std::size_t>(section.data() - bytes.data());
    damaged[offset + section.size() / 2] ^= 0x10;
    const auto opened = Segment::Open(Bytes(std::move(damaged)), Checking::kNow);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), ErrorCode::kCorrupt);
    EXPECT_NE(opened.error().message().find("at byte " + std::to_string(offset)), std::string::npos)
        << opened.error().message();
  }
}

TEST(Segment, RefusesWhatIsCutShortOrNewer) {
  Mapping mapping;
  const auto bytes = SegmentBytes(mapping, Sample());
  for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 500) {
    const auto opened = Segment::Open(Bytes(bytes.substr(0, size)), Checking::kNow);
    ASSERT_FALSE(opened.ok()) << size;
    EXPECT_EQ(opened.error().code(), ErrorCode::kCorrupt);
  }
  auto newer = bytes;
  newer[newer.size() - 12] = 99;  // the least version that can read it
  auto contradicting = newer;
  newer[newer.size() - 16] = 100;  // its own version
  const auto opened = Segment::Open(Bytes(std::move(newer)), Checking::kNow);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(opened.error().message().find("99"), std::string::npos);
  // A flipped bit there must not look like a newer format: the store would refuse to open instead of healing.
  const auto damaged = Segment::Open(Bytes(std::move(contradicting)), Checking::kNow);
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().code(), ErrorCode::kCorrupt);
}

TEST(Segment, AnyDamageLeavesReadingSafe) {
  Mapping mapping;
  mapping.MarkUnique("message");
  const auto bytes = SegmentBytes(mapping, Sample());
  Random random(7);
  for (int round = 0; round < 400; ++round) {
    auto damaged = bytes;
    for (int n = 0; n < 4; ++n) damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
    const auto opened = Segment::Open(Bytes(std::move(damaged)), Checking::kNever);
    if (!opened.ok()) continue;
    const auto& segment = **opened;
    Segment::SourceCache cache;
    for (std::uint32_t doc = 0; doc < segment.doc_count(); doc += 50) (void)segment.Source(doc, cache).ok();
    for (const auto& field : segment.fields()) {
      if (!field.keywords) continue;
      field.keywords->terms.Scan(0, [&](BytesView, const TermEntry& entry) {
        auto cursor = field.keywords->Open(entry);
        std::uint32_t steps = 0;
        while (cursor.Next() && steps < 1000) ++steps;
        return true;
      });
    }
  }
}

}  // namespace
}  // namespace honryu::search
