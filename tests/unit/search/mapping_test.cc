// What a mapping says, and that it says it again after it was kept.

#include "honryu/search/mapping.h"

#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "segment_fixture.h"

namespace honryu::search {
namespace {

using codec::Json;

TEST(Mapping, ValuesAndObjectsOfOneNameAreBothKeptAndFlagged) {
  Mapping mapping;
  const auto segment = BuildSegment(
      mapping, {R"({"a":"x","n":1})", R"({"a":{"b":2,"c":{"d":"deep"}},"n":"many"})", R"({"a":3.5})"});
  const Json shown = Json::Parse(mapping.ToJson()).value();
  const Json& a = *shown.Find("properties")->Find("a");
  EXPECT_EQ(a.Find("type")->StringOr(""), "text");
  EXPECT_EQ(a.Find("meta")->Dump(), R"({"conflicting":"true"})");
  EXPECT_EQ(a.Find("properties")->Find("b")->Dump(), R"({"type":"long"})");
  EXPECT_EQ(a.Find("properties")->Find("c")->Find("properties")->Find("d")->Find("type")->StringOr(""),
            "text");
  EXPECT_EQ(shown.Find("properties")->Find("n")->Dump(), R"({"type":"long","meta":{"conflicting":"true"}})");
  // Each is found by its own type.
  const auto find = [&](const std::string& query) {
    QueryContext context;
    return SegmentMatcher(*segment, context)
        .Match(ParseQuery(Json::Parse(query).value()).value())
        .value()
        .ToVector();
  };
  using Docs = std::vector<std::uint32_t>;
  EXPECT_EQ(find(R"({"term":{"a":"x"}})"), Docs{0});
  EXPECT_EQ(find(R"({"term":{"a.b":2}})"), Docs{1});
  EXPECT_EQ(find(R"({"match":{"a":"3.5"}})"), Docs{2});
  EXPECT_EQ(find(R"({"term":{"n":1}})"), Docs{0});
  EXPECT_EQ(find(R"({"term":{"n.keyword":"many"}})"), Docs{1});
  EXPECT_EQ(find(R"({"exists":{"field":"a"}})"), (Docs{0, 1, 2}));
  // The catalogue keeps this very text: nothing of it may be lost on the way.
  Mapping again;
  ASSERT_TRUE(again.Merge(mapping.ToJson()).ok());
  EXPECT_EQ(again.ToJson(), mapping.ToJson());
  EXPECT_TRUE(again.Fields().at("n").conflicting);
}

TEST(Mapping, DatesInTheFormatsThatItNames) {
  Mapping mapping;
  ASSERT_TRUE(mapping
                  .Merge(R"({"properties":{"d":{"type":"date","format":"dd/MM/yyyy HH:mm||yyyy/MM/dd"},
                           "s":{"type":"date","format":"epoch_second"},
                           "o":{"type":"date","format":"strict_date_optional_time||epoch_millis"}}})")
                  .ok());
  const auto segment =
      BuildSegment(mapping, {R"({"d":"21/11/2026 10:30","s":1795257000,"o":"2026-11-21T10:30:00Z"})",
                             R"({"d":"2026/11/22","o":1795257000000})", R"({"d":"2026-11-23"})"});
  const auto find = [&](const std::string& range) {
    QueryContext context;
    return SegmentMatcher(*segment, context)
        .Match(ParseQuery(Json::Parse(R"({"range":{)" + range + "}}").value()).value())
        .value()
        .ToVector();
  };
  using Docs = std::vector<std::uint32_t>;
  EXPECT_EQ(find(R"("d":{"gte":"2026-11-21T10:30","lt":"2026-11-21T10:31"})"), Docs{0});
  EXPECT_EQ(find(R"("d":{"gte":"2026-11-22","lte":"2026-11-23"})"), (Docs{1, 2}));
  EXPECT_EQ(find(R"("s":{"gte":"2026-11-21T10:30:00Z","lte":"2026-11-21T10:30:00Z"})"), Docs{0});
  EXPECT_EQ(find(R"("o":{"gte":"2026-11-21T10:30:00Z","lte":"2026-11-21T10:30:00Z"})"), (Docs{0, 1}));
  EXPECT_FALSE(mapping.Fields().at("d").conflicting);
  const Json shown = Json::Parse(mapping.ToJson()).value();
  EXPECT_EQ(shown.Find("properties")->Find("d")->Dump(),
            R"({"type":"date","format":"dd/MM/yyyy HH:mm||yyyy/MM/dd"})");
  EXPECT_EQ(shown.Find("properties")->Find("o")->Dump(), R"({"type":"date"})");
}

TEST(Mapping, EachAlternativeOfADateFormatCounts) {
  Mapping mapping;
  ASSERT_TRUE(mapping
                  .Merge(R"({"properties":{
      "usual":{"type":"date","format":"strict_date_optional_time||epoch_millis"},
      "or":{"type":"date","format":"strict_date_optional_time||dd/MM/yyyy"},
      "s":{"type":"date","format":"epoch_second||dd/MM/yyyy"},
      "day":{"type":"date","format":"yyyyMMdd"},"basic":{"type":"date","format":"basic_date"},
      "log":{"type":"date","format":"EEE, dd/MMM/yyyy:HH:mm:ss Z"}}})")
                  .ok());
  EXPECT_EQ(mapping.Fields().at("usual").format, "");
  EXPECT_EQ(mapping.Fields().at("or").format, "strict_date_optional_time||dd/MM/yyyy");
  const auto segment = BuildSegment(
      mapping,
      {R"({"or":"21/11/2026","s":1795257000,"day":20261121,"basic":"20261121","log":"Sat, 21/Nov/2026:19:30:00 +0900"})",
       R"({"or":"2026-11-21","s":1795257000.5,"day":"20261121","basic":20261121})",
       R"({"or":"now","s":"21/11/2026||/d","day":1795257000000,"log":"Sat, 21/Foo/2026:10:30:00 +0000"})",
       R"({"s":9223372036854775})"});
  const auto find = [&](const std::string& field, const std::string& from, const std::string& to) {
    QueryContext context;
    return SegmentMatcher(*segment, context)
        .Match(ParseQuery(Json::Parse(R"({"range":{")" + field + R"(":{"gte":")" + from + R"(","lte":")" +
                                      to + R"("}}})")
                              .value())
                   .value())
        .value()
        .ToVector();
  };
  using Docs = std::vector<std::uint32_t>;
  for (const char* field : {"or", "day", "basic"}) {
    EXPECT_EQ(find(field, "2026-11-21", "2026-11-21"), (Docs{0, 1})) << field;
    EXPECT_EQ(find(field, "0000", "9999"), (Docs{0, 1})) << field;
  }
  EXPECT_EQ(find("s", "2026-11-21T10:30:00Z", "2026-11-21T10:30:00.000Z"), Docs{0});
  EXPECT_EQ(find("s", "2026-11-21T10:30:00.500Z", "2026-11-21T10:30:00.500Z"), Docs{1});
  EXPECT_EQ(find("s", "2026-11-20", "2026-11-22"), (Docs{0, 1}));
  EXPECT_EQ(find("log", "2026-11-21T10:30:00Z", "2026-11-21T10:30:00Z"), Docs{0});
  EXPECT_EQ(find("log", "0000", "9999"), Docs{0});
  EXPECT_TRUE(mapping.Fields().at("day").conflicting);
  // Beyond 64 bits as milliseconds: a number, no date.
  Mapping far;
  ASSERT_TRUE(far.Merge(R"({"properties":{"s":{"type":"date","format":"epoch_second"}}})").ok());
  BuildSegment(far, {R"({"s":9223372036854775807})", R"({"s":"9223372036854775807"})"});
  EXPECT_TRUE(far.Fields().at("s").conflicting);
  for (const char* bad :
       {"dd/MM/yyyy hh:mm a", "basic_week_date", "dd.MM.yyyy||", "yyyy[-MM]", "qqq", "'open"}) {
    Mapping none;
    EXPECT_FALSE(
        none.Merge(R"({"properties":{"d":{"type":"date","format":")" + std::string(bad) + R"("}}})").ok())
        << bad;
  }
}

TEST(Mapping, WhatADeclarationLeavesOpenStays) {
  Mapping mapping;
  ASSERT_TRUE(mapping
                  .Merge(R"({"properties":{"d":{"type":"date","format":"dd/MM/yyyy"},
      "m":{"type":"text","analyzer":"whitespace","fields":{"w":{"type":"text","analyzer":"words"}}}}})")
                  .ok());
  BuildSegment(mapping, {R"({"d":"no date at all"})"});
  const auto before = mapping.ToJson();
  ASSERT_TRUE(mapping.Merge(R"({"properties":{"d":{"type":"date"},"m":{"type":"text"}}})").ok());
  EXPECT_EQ(mapping.ToJson(), before);
  EXPECT_TRUE(mapping.Fields().at("d").conflicting);
  ASSERT_TRUE(mapping.Merge(R"({"properties":{"d":{"type":"date","format":"epoch_millis"}}})").ok());
  EXPECT_EQ(mapping.Fields().at("d").format, "");
  EXPECT_TRUE(mapping.Fields().at("d").conflicting);
}

TEST(Mapping, StringsThatLookLikeDatesStayStringsWhereItSaysSo) {
  Mapping mapping;
  ASSERT_TRUE(mapping.Merge(R"({"date_detection":false,"properties":{"at":{"type":"date"}}})").ok());
  BuildSegment(mapping, {R"({"d":"2026-11-21","at":"2026-11-21"})"});
  EXPECT_EQ(mapping.Fields().at("d").type, FieldType::kText);
  EXPECT_EQ(mapping.Fields().at("at").type, FieldType::kDate);
  Mapping again;
  ASSERT_TRUE(again.Merge(mapping.ToJson()).ok());
  EXPECT_EQ(again.ToJson(), mapping.ToJson());
}

TEST(Mapping, BeyondItsLimitFieldsStayInTheSource) {
  MappingLimits limits;
  limits.fields = 2;
  Mapping mapping(limits);
  const auto segment = BuildSegment(mapping, {R"({"a":1,"b":2,"c":3})"});
  EXPECT_EQ(mapping.Fields().size(), 2U);
  EXPECT_EQ(segment->Find("c"), nullptr);
  Segment::SourceCache cache;
  EXPECT_EQ(*segment->Source(0, cache), R"({"a":1,"b":2,"c":3})");
}

}  // namespace
}  // namespace honryu::search
