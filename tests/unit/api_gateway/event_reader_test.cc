#include "api/gateway/event_reader.h"

#include <gtest/gtest.h>

namespace honryu::api::gateway {
namespace {

/// Each value as it is, each broken one as "!" and its text; what comes back is joined with " | ".
std::string Split(std::string_view body, std::string_view type = "") {
  EventReader reader(body, DetectForm(type, body));
  JsonScanner scanner;
  std::string all;
  for (int guard = 0; guard < 1000; ++guard) {
    const EventReader::Step step = reader.Next(&scanner);
    if (step == EventReader::Step::kEnd) return all;
    if (!all.empty()) all += " | ";
    if (step == EventReader::Step::kBroken) all += '!';
    all += reader.raw();
  }
  return "endless";
}

constexpr std::string_view kNdjson = "application/x-ndjson";

TEST(EventReader, DetectsTheForm) {
  EXPECT_EQ(DetectForm("", " \n[{}]"), BodyForm::kArray);
  EXPECT_EQ(DetectForm("text/plain;charset=UTF-8", "{}"), BodyForm::kConcatenated);
  EXPECT_EQ(DetectForm("Application/X-NDJSON; charset=utf-8", "[{}]"), BodyForm::kLines);
  EXPECT_EQ(DetectForm("application/json", "\xef\xbb\xbf[{}]"), BodyForm::kArray);
  EXPECT_EQ(DetectForm("", ""), BodyForm::kConcatenated);
}

TEST(EventReader, ReadsOneObjectPrettyPrintedOrNot) {
  EXPECT_EQ(Split("{\"a\":1}"), "{\"a\":1}");
  EXPECT_EQ(Split("\xef\xbb\xbf{\n  \"a\": 1\n}\n"), "{\n  \"a\": 1\n}");
}

TEST(EventReader, ReadsConcatenatedObjects) {
  EXPECT_EQ(Split("{} {\"a\":{}}\n\n{}{}"), "{} | {\"a\":{}} | {} | {}");
}

TEST(EventReader, GoesOnAtTheNextObjectAfterABrokenOne) {
  EXPECT_EQ(Split("{\"a\":1}\n{\"b\":\n{\"c\":3}\n"), "{\"a\":1} | !{\"b\":\n | {\"c\":3}");
  EXPECT_EQ(Split("{\n \"a\": {]\n}\n{\"c\":3}"), "!{\n \"a\": {]\n}\n | {\"c\":3}");
  EXPECT_EQ(Split("garbage"), "!garbage");
}

TEST(EventReader, ReadsLinesWithCarriageReturnsAndBlankLines) {
  EXPECT_EQ(Split("{\"a\":1}\r\n\r\n \t\n{\"b\":2}\r\n", kNdjson), "{\"a\":1} | {\"b\":2}");
  EXPECT_EQ(Split("\n\n", kNdjson), "");
}

TEST(EventReader, ABrokenLineCostsOnlyItself) {
  EXPECT_EQ(Split("{\"a\":1\n{\"b\":2}\nrubbish\n{} {}\n[{}]\n{\"z\":\"\n", kNdjson),
            "!{\"a\":1 | {\"b\":2} | !rubbish | !{} {} | [{}] | !{\"z\":\"");
}

TEST(EventReader, ReadsArrays) {
  EXPECT_EQ(Split("[]"), "");
  EXPECT_EQ(Split(" [ {\"a\":[1]} , 5 ,\n\"x\",{}]\n"), "{\"a\":[1]} | 5 | \"x\" | {}");
}

TEST(EventReader, ABrokenArrayKeepsWhatCameBefore) {
  EXPECT_EQ(Split("[{\"a\":1},{\"b\":,{\"c\":3}]"), "{\"a\":1} | !{\"b\":,{\"c\":3}]");
  EXPECT_EQ(Split("[{\"a\":1} {\"b\":2}]"), "{\"a\":1} | !{\"b\":2}]");
  EXPECT_EQ(Split("[{\"a\":1},"), "{\"a\":1} | !");
  EXPECT_EQ(Split("[{\"a\":1}"), "{\"a\":1} | !");
  EXPECT_EQ(Split("["), "!");
  EXPECT_EQ(Split("[{}]{}"), "{} | !{}");
}

/// `lines` lines that each open an object and an array and close neither: a scan that begins at any of them
/// runs until the depth it stops at.
std::string Nested(int lines) {
  std::string body;
  for (int i = 0; i < lines; ++i) body += "{\"a\":[" + std::string(1000, '1') + ",\n";
  return body;
}

TEST(EventReader, NestedBrokenValuesCostABoundedMultipleOfTheBody) {
  const std::string body = Nested(2000);
  EventReader reader(body, BodyForm::kConcatenated);
  JsonScanner scanner;
  int broken = 0;
  std::size_t covered = 0;
  std::string last;
  while (reader.Next(&scanner) == EventReader::Step::kBroken) {
    ++broken;
    covered += reader.raw().size();
    last = reader.message();
  }
  EXPECT_GT(broken, 1);
  EXPECT_EQ(covered, body.size());  // what is refused is refused whole: nothing gets lost between
  EXPECT_NE(last.find("too many broken values lie inside each other"), std::string::npos) << last;
  EXPECT_LT(reader.work(), 6 * body.size());
}

TEST(EventReader, WorkCountsWhatWasScannedInVain) {
  const std::string body = Nested(3);
  EventReader reader(body, BodyForm::kConcatenated);
  JsonScanner scanner;
  ASSERT_EQ(reader.Next(&scanner), EventReader::Step::kBroken);
  EXPECT_EQ(reader.position(), body.size() / 3);
  EXPECT_EQ(reader.work(), body.size());
}

TEST(EventReader, ABrokenObjectOfAnArrayCostsItselfAlone) {
  const auto steps = [](const std::string& body) {
    EventReader reader(body, BodyForm::kArray);
    JsonScanner scanner;
    std::string text;
    for (;;) {
      const EventReader::Step step = reader.Next(&scanner);
      if (step == EventReader::Step::kEnd) return text + "end";
      text += step == EventReader::Step::kValue ? "+" : "-";
      text += std::string(reader.raw()) + " ";
      if (text.size() > 1000) return text;
    }
  };
  EXPECT_EQ(steps(R"([{"a":1},{"a":oops},{"a":3}])"), R"(+{"a":1} -{"a":oops} +{"a":3} end)");
  EXPECT_EQ(steps(R"([{"a":1,} , {"b":{"c":[1,]}},{"a":"}]\""}])"),
            R"(-{"a":1,} -{"b":{"c":[1,]}} +{"a":"}]\""} end)");
  EXPECT_EQ(steps(R"([{"x":nan}])"), R"(-{"x":nan} end)");
  // A string that does not end hides everything behind it; so does a brace too few.
  EXPECT_EQ(steps("[{\"a\":\"no end},\n{\"a\":2}]"), "-{\"a\":\"no end},\n{\"a\":2}] end");
  EXPECT_EQ(steps(R"([{"a":{oops,{"a":2}])"), R"(-{"a":{oops,{"a":2}] end)");
  EXPECT_EQ(steps(R"([{"a":oops} {"a":2}])"), R"(-{"a":oops} {"a":2}] end)");
}

TEST(EventReader, SaysWhereItBroke) {
  EventReader reader("[{},{\"b\":]", BodyForm::kArray);
  JsonScanner scanner;
  ASSERT_EQ(reader.Next(&scanner), EventReader::Step::kValue);
  ASSERT_EQ(reader.Next(&scanner), EventReader::Step::kBroken);
  EXPECT_EQ(reader.message(), "expected a value, at byte 9 of the body; nothing behind it was read");
  EXPECT_EQ(reader.Next(&scanner), EventReader::Step::kEnd);
}

}  // namespace
}  // namespace honryu::api::gateway
