#include "honryu/codec/json.h"
#include "store_fixture.h"

#include <algorithm>

namespace honryu::search {
namespace {

using codec::Json;

/// What events may do to a mapping, and what becomes of them: nothing is lost, nothing explodes, and what
/// cannot be searched is told.
class MappingLimitsTest : public StoreTest {
 protected:
  AddResult AddSources(const std::vector<std::string>& sources, const std::string& index = "events") {
    StoreBatch batch{"s", {}, sequence_ + sources.size()};
    for (const auto& source : sources) batch.documents.push_back({index, ++sequence_, 0, {}, source, kNow});
    auto added = store_->Add(batch);
    EXPECT_TRUE(added.ok()) << added.error().ToString();
    return added.ok() ? *added : AddResult{};
  }
  void Fresh() { ASSERT_TRUE(store_->Flush().ok()); }
  std::string Source(const std::string& query) {
    const auto answer = store_->Search("events", R"({"size":1,"query":)" + query + "}");
    EXPECT_TRUE(answer.ok()) << answer.error().ToString();
    if (!answer.ok()) return {};
    const auto begin = answer->find("\"_source\":");
    return begin == std::string::npos ? std::string() : answer->substr(begin + 10);
  }
  IndexStatistics Index() const {
    for (auto& index : store_->Indices())
      if (index.name == "events") return index;
    return {};
  }
  static std::string Term(const std::string& field, const std::string& value) {
    std::string query = R"({"term":{)";
    codec::AppendJsonString(field, query);
    query += ":";
    codec::AppendJsonString(value, query);
    return query + "}}";
  }
  std::uint64_t sequence_ = 0;
};

TEST_F(MappingLimitsTest, AHundredThousandNamesOfFieldsMakeAThousandFields) {
  std::vector<std::string> sources;
  for (int doc = 0; doc < 1000; ++doc) {
    std::string source = R"({"kept":"doc)" + std::to_string(doc) + "\"";
    for (int i = 0; i < 100; ++i)
      source += ",\"name" + std::to_string(doc * 100 + i) + "\":\"v" + std::to_string(doc) + "\"";
    sources.push_back(source + "}");
  }
  EXPECT_EQ(AddSources(sources).added, 1000u);
  // 2.3 MB of sources, and no more than a few thousand fields being built, whatever comes.
  EXPECT_LT(store_->Statistics().memory_bytes, 64u << 20);
  Fresh();
  EXPECT_EQ(Index().fields, 1000u);
  EXPECT_EQ(store_->Statistics().ignored_values, 1000u * 101 - 1000 - 999);
  ASSERT_FALSE(Index().left_out.empty());
  EXPECT_LE(Index().left_out.size(), 8u);
  EXPECT_TRUE(Index().left_out[0].starts_with("name"));
  // The operator sees it where fields are looked for.
  const auto mapping = Json::Parse(store_->GetMapping("events").value()).value();
  const auto* told = mapping.Find("_meta")->Find("honryu");
  EXPECT_EQ(told->Find("fields_limit")->IntOr(0), 1000);
  EXPECT_EQ(told->Find("kept_in_source_only")->array().size(), Index().left_out.size());
  // What came first is found by its fields, what came later by those that it shares, and all of it is whole.
  EXPECT_EQ(Count("events", Term("name7.keyword", "v0")), 1u);
  EXPECT_EQ(Count("events", Term("name99999.keyword", "v999")), 0u);
  EXPECT_EQ(Count("events", Term("kept.keyword", "doc999")), 1u);
  EXPECT_TRUE(Source(Term("kept.keyword", "doc999")).starts_with(sources[999]));
  Reopen();
  EXPECT_EQ(Index().fields, 1000u);
  AddSources({R"({"kept":"later","name100001":1})"});
  Fresh();
  EXPECT_EQ(Index().fields, 1000u);
  EXPECT_EQ(Index().left_out, std::vector<std::string>{"name100001"});
  EXPECT_EQ(Count("events", Term("kept.keyword", "later")), 1u);
}

TEST_F(MappingLimitsTest, AFieldOfAMillionDifferentValues) {
  constexpr std::uint64_t kValues = 1'000'000, kBatch = 50'000;
  for (std::uint64_t first = 0; first < kValues; first += kBatch) {
    std::vector<std::string> sources;
    for (auto n = first; n < first + kBatch; ++n)
      sources.push_back("{\"v\":\"u" + std::to_string(n * 7919 % 1'000'003) + "x\"}");
    ASSERT_EQ(AddSources(sources).added, kBatch);
    ASSERT_TRUE(store_->Refresh().ok());
    EXPECT_LT(store_->Statistics().memory_bytes, 256u << 20);
  }
  Fresh();
  EXPECT_EQ(Count(), kValues);
  EXPECT_LT(Index().bytes, 64u << 20);
  for (const std::uint64_t n : {0, 1, 499'999, 999'999})
    EXPECT_EQ(Count("events", Term("v.keyword", "u" + std::to_string(n * 7919 % 1'000'003) + "x")), 1u);
  EXPECT_EQ(Count("events", R"({"prefix":{"v.keyword":"u99999"}})"), 11u);
  const auto answer =
      Json::Parse(store_
                      ->Search("events", R"({"size":0,"aggs":{"c":{"cardinality":{"field":"v.keyword"}},
                                                    "t":{"terms":{"field":"v.keyword","size":10}}}})")
                      .value())
          .value();
  const auto* aggregations = answer.Find("aggregations");
  EXPECT_NEAR(aggregations->Find("c")->Find("value")->DoubleOr(0), 1e6, 2e4);
  EXPECT_EQ(aggregations->Find("t")->Find("buckets")->array().size(), 10u);
  EXPECT_EQ(aggregations->Find("t")->Find("sum_other_doc_count")->IntOr(0), 999'990);
}

TEST_F(MappingLimitsTest, WhatIsNestedTooDeeplyStaysInTheSource) {
  const auto nested = [](int depth, const std::string& value) {
    std::string source = R"({"id":")" + value + "\",";
    for (int i = 0; i < depth; ++i) source += "\"a\":{";
    source += R"("x":")" + value + "\"" + std::string(static_cast<std::size_t>(depth), '}') + "}";
    return source;
  };
  const auto deepest = nested(500, "deepest");
  // simdjson reads 1,024 levels.
  const auto result =
      AddSources({nested(18, "shallow"), nested(30, "deep"), deepest, nested(5000, "refused")});
  EXPECT_EQ(result.added, 3u);
  ASSERT_EQ(result.refused.size(), 1u);
  EXPECT_EQ(result.refused[0].document, 3u);
  Fresh();
  std::string path;
  for (int i = 0; i < 18; ++i) path += "a.";
  EXPECT_EQ(Count("events", Term(path + "x.keyword", "shallow")), 1u);
  EXPECT_EQ(Count("events", R"({"query_string":{"query":"deep"}})"), 1u);  // by its id alone
  EXPECT_TRUE(Source(Term("id.keyword", "deepest")).starts_with(deepest));
  EXPECT_EQ(store_->Statistics().ignored_values, 2u);
  EXPECT_EQ(store_->Statistics().refused, 1u);
}

TEST_F(MappingLimitsTest, AStringOfAMegabyteIsFoundByItsFirstTokensAndByAllOfIt) {
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += "w" + std::to_string(i) + " ";
  AddSources({R"({"m":")" + text + "\"}", R"({"m":"short"})"});
  Fresh();
  EXPECT_EQ(Count("events", R"({"match_phrase":{"m":"w0 w1 w2"}})"), 1u);
  EXPECT_EQ(Count("events", R"({"match":{"m":"w9999"}})"), 1u);
  EXPECT_EQ(Count("events", R"({"match":{"m":"w10001"}})"), 0u);  // beyond 10,000 tokens
  EXPECT_EQ(Count("events", Term("m.keyword", text)), 1u);        // read from the source
  EXPECT_EQ(Count("events", Term("m.keyword", text.substr(1))), 0u);
  EXPECT_TRUE(Source(R"({"match":{"m":"w0"}})").starts_with(R"({"m":")" + text + "\"}"));
  EXPECT_EQ(store_->Statistics().cut_texts, 1u);
  EXPECT_EQ(store_->Statistics().overlong_values, 1u);
}

TEST_F(MappingLimitsTest, ArraysOfAHundredThousandValues) {
  std::string numbers, strings, objects;
  for (int i = 0; i < 100'000; ++i) {
    const auto n = std::to_string(i);
    const char* const comma = i == 0 ? "" : ",";
    numbers.append(comma).append(n);
    strings.append(comma).append("\"s").append(n).append("\"");
    objects.append(comma).append("{\"k\":").append(n).append("}");
  }
  const auto source = R"({"n":[)" + numbers + R"(],"s":[)" + strings + R"(],"o":[)" + objects + "]}";
  AddSources({R"({"n":5,"s":"s5","o":{"k":5}})", source});
  Fresh();
  for (const auto* value : {"0", "5", "99999"}) {
    const std::uint64_t found = std::string_view(value) == "5" ? 2 : 1;
    EXPECT_EQ(Count("events", std::string(R"({"term":{"n":)") + value + "}}"), found);
    EXPECT_EQ(Count("events", std::string(R"({"term":{"o.k":)") + value + "}}"), found);
    EXPECT_EQ(Count("events", Term("s.keyword", std::string("s") + value)), found);
  }
  EXPECT_EQ(Index().fields, 3u);
  EXPECT_TRUE(Source(Term("s.keyword", "s77777")).starts_with(source));
  const auto answer =
      Json::Parse(store_->Search("events", R"({"size":0,"aggs":{"s":{"sum":{"field":"n"}}}})").value())
          .value();
  EXPECT_EQ(answer.Find("aggregations")->Find("s")->Find("value")->DoubleOr(0), 4'999'950'000.0 + 5);
}

TEST_F(MappingLimitsTest, NamesOfAnyKindAreFoundOrToldAndSurviveARestart) {
  const std::string control = "c\\u0001\\n\\u007f", quote = "q\\\"\\\\", japanese = "日本.語";
  const std::string long_name(600, 'n');
  const std::vector<std::string> sources = {
      R"({"a.b":"dotted","a":{"c":"nested"}})",
      R"({"a":"value where others have an object"})",
      "{\"" + control + R"(":"control",")" + quote + R"(":"quoted",")" + japanese + R"(":"japanese"})",
      R"({"_SYSTEMD_UNIT":"ssh.service","_user_id":"gelf"})",
      R"({"":"e1","x":{"":"e2"},".y":"e3","z..z":"e4","w.":"e5","":{"k":"e6"}})",
      "{\"" + long_name + R"(":"long"})",
      R"({"_sequence":99999999,"_shard":"forged","_time":1,"_id":"mine","_part":7})"};
  EXPECT_EQ(AddSources(sources).added, sources.size());
  Fresh();
  const auto check = [&] {
    EXPECT_EQ(Count("events", Term("a.b.keyword", "dotted")), 1u);
    EXPECT_EQ(Count("events", Term("a.c.keyword", "nested")), 1u);
    EXPECT_EQ(Count("events", Term("a.keyword", "value where others have an object")), 1u);
    EXPECT_EQ(Count("events", Term("c\x01\n\x7f.keyword", "control")), 1u);
    EXPECT_EQ(Count("events", Term("q\"\\.keyword", "quoted")), 1u);
    EXPECT_EQ(Count("events", Term("日本.語.keyword", "japanese")), 1u);
    EXPECT_EQ(Count("events", Term("_SYSTEMD_UNIT.keyword", "ssh.service")), 1u);
    EXPECT_EQ(Count("events", R"({"query_string":{"query":"gelf"}})"), 1u);
    for (const auto* empty : {"e1", "e2", "e3", "e4", "e5", "e6", "long", "forged", "mine"})
      EXPECT_EQ(Count("events", std::string(R"({"query_string":{"query":")") + empty + "\"}}"), 0u) << empty;
    EXPECT_EQ(Count(), sources.size());
    const auto mapping = Json::Parse(store_->GetMapping("events").value()).value();
    const auto* properties = mapping.Find("properties");
    EXPECT_EQ(properties->object().size(), 6u) << mapping.Dump();
    const auto* a = properties->Find("a");
    EXPECT_EQ(a->Find("type")->StringOr(""), "text");
    EXPECT_EQ(a->Find("properties")->Find("b")->Find("type")->StringOr(""), "text");
    EXPECT_EQ(a->Find("properties")->Find("c")->Find("type")->StringOr(""), "text");
    EXPECT_NE(properties->Find("c\x01\n\x7f"), nullptr);
  };
  check();
  EXPECT_EQ(store_->Statistics().ignored_values, 6u + 1 + 5);
  EXPECT_EQ(Index().left_out.size(), 8u);  // as many as are named
  // The store's own fields are the store's: a forged position would make an erasure or a replay miss it.
  const auto hit =
      Json::Parse(store_->Search("events", R"({"size":20,"sort":[{"_sequence":"desc"}]})").value()).value();
  const auto& hits = hit.Find("hits")->Find("hits")->array();
  EXPECT_EQ(hits[0].Find("_id")->StringOr(""), "s:7");
  EXPECT_EQ(hits[0].Find("sort")->array()[0].IntOr(0), 7);
  Reopen();
  check();
  EXPECT_EQ(store_->Position("s"), sources.size());
}

}  // namespace
}  // namespace honryu::search
