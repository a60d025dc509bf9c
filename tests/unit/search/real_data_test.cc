#include "honryu/codec/compression.h"
#include "search/request/search_request.h"
#include "segment_fixture.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

namespace honryu::search {
namespace {

using codec::Json;

std::string DataFolder() {
  const char* given = std::getenv("HONRYU_TEST_DATA");
  return given == nullptr ? std::string(HONRYU_SOURCE_DIR) + "/../shared/data" : std::string(given);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The exact answers of one set of real events, and the events as segments.
class RealData : public testing::Test {
 protected:
  /// False (and the test is skipped) where the data is not.
  bool Load(const std::string& set, std::string_view mapping = "{}") {
    const auto file = DataFolder() + "/" + set + ".ndjson.gz";
    if (!std::filesystem::exists(file)) return false;
    const auto all = Json::Parse(ReadFile(DataFolder() + "/answers.json"));
    EXPECT_TRUE(all.ok());
    answers_ = *all->Find(set);
    const auto plain = codec::Decompress(codec::Compression::kGzip, ReadFile(file), 64u << 20);
    EXPECT_TRUE(plain.ok());
    EXPECT_TRUE(mapping_.Merge(mapping).ok());
    std::vector<std::string> lines;
    std::uint64_t number = 0;
    for (std::size_t begin = 0; begin < plain->size();) {
      const auto end = std::min(plain->find('\n', begin), plain->size());
      lines.push_back(plain->substr(begin, end - begin));
      begin = end + 1;
      if (lines.size() < 40'000 && begin < plain->size() && lines.size() != 1111)
        continue;  // uneven segments
      number += lines.size();
      segments_.push_back({set, BuildSegment(mapping_, lines, number - lines.size())});
      lines.clear();
    }
    return true;
  }

  const Json& Answer(std::string_view name) const {
    const auto* answer = answers_.Find(name);
    EXPECT_NE(answer, nullptr) << name;
    static const Json kNone;
    return answer == nullptr ? kNone : *answer;
  }
  Json Run(const std::string& body) {
    const auto parsed = Json::Parse(body);
    EXPECT_TRUE(parsed.ok()) << body;
    const auto request = ParseSearchRequest(*parsed, 0);
    EXPECT_TRUE(request.ok()) << body << (request.ok() ? "" : request.error().ToString());
    QueryContext context;
    const auto answer = RunSearch(segments_, *request, context, {});
    EXPECT_TRUE(answer.ok()) << body << (answer.ok() ? "" : answer.error().ToString());
    return answer.ok() ? Json::Parse(*answer).value() : Json();
  }
  std::int64_t Count(const std::string& query) {
    const auto answer = Run(R"({"size":0,"track_total_hits":true,"query":)" + query + "}");
    return answer.Find("hits")->Find("total")->Find("value")->IntOr(-1);
  }
  Json Agg(const std::string& agg, const std::string& query = R"({"match_all":{}})") {
    return *Run(R"({"size":0,"query":)" + query + R"(,"aggs":{"a":)" + agg + "}}")
                .Find("aggregations")
                ->Find("a");
  }
  double Value(const std::string& agg, const std::string& query = R"({"match_all":{}})") {
    return Agg(agg, query).Find("value")->DoubleOr(-1e300);
  }
  double Distinct(const std::string& field, const std::string& query = R"({"match_all":{}})") {
    return Value(R"({"cardinality":{"field":")" + field + "\"}}", query);
  }
  static std::string Text(const Json& json) {
    return json.is_string() ? std::string(json.StringOr("")) : json.Dump();
  }

  /// Compares the greatest buckets with [[key, count], …]; ties are broken by the key's text.
  void ExpectTop(const Json& expected, const std::string& field,
                 const std::string& query = R"({"match_all":{}})") {
    const auto buckets = Agg(R"({"terms":{"field":")" + field + R"(","size":60000}})", query);
    std::vector<std::pair<std::string, std::int64_t>> found;
    for (const auto& bucket : buckets.Find("buckets")->array())
      found.emplace_back(Text(*bucket.Find("key")), bucket.Find("doc_count")->IntOr(-1));
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    ASSERT_GE(found.size(), expected.array().size()) << field;
    for (std::size_t i = 0; i < expected.array().size(); ++i) {
      const auto& pair = expected.array()[i].array();
      EXPECT_EQ(found[i].first, Text(pair[0])) << field;
      EXPECT_EQ(found[i].second, pair[1].IntOr(-1)) << field;
    }
  }
  /// Compares every bucket with {key: count, …}.
  void ExpectCounts(const Json& expected, const std::string& field,
                    const std::string& query = R"({"match_all":{}})") {
    const auto buckets = Agg(R"({"terms":{"field":")" + field + R"(","size":60000}})", query);
    EXPECT_EQ(buckets.Find("buckets")->array().size(), expected.object().size()) << field;
    for (const auto& bucket : buckets.Find("buckets")->array()) {
      const auto* count = expected.Find(Text(*bucket.Find("key")));
      ASSERT_NE(count, nullptr) << field;
      EXPECT_EQ(bucket.Find("doc_count")->IntOr(-1), count->IntOr(-2)) << field;
    }
  }
  /// The non-empty buckets of a date_histogram by their formatted key.
  std::map<std::string, Json> Times(const std::string& field, const std::string& interval,
                                    const std::string& format, const std::string& inner = "{}",
                                    const std::string& query = R"({"match_all":{}})") {
    std::map<std::string, Json> times;
    const auto result =
        *Run(R"({"size":0,"query":)" + query + R"(,"aggs":{"a":{"date_histogram":{"field":")" + field +
             R"(","fixed_interval":")" + interval + R"(","min_doc_count":1,"format":")" + format +
             R"("},"aggs":)" + inner + "}}}")
             .Find("aggregations")
             ->Find("a");
    for (const auto& bucket : result.Find("buckets")->array())
      times[std::string(bucket.Find("key_as_string")->StringOr(""))] = bucket;
    return times;
  }
  void ExpectTimes(const Json& expected, const std::map<std::string, Json>& times) {
    for (const auto& [key, count] : expected.object()) {
      const auto found = times.find(key);
      ASSERT_NE(found, times.end()) << key;
      EXPECT_EQ(found->second.Find("doc_count")->IntOr(-1), count.IntOr(-2)) << key;
    }
  }
  void ExpectBusiest(const Json& expected, const std::map<std::string, Json>& times) {
    std::vector<std::pair<std::int64_t, std::string>> order;
    for (const auto& [key, bucket] : times) order.emplace_back(-bucket.Find("doc_count")->IntOr(0), key);
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < expected.array().size(); ++i) {
      EXPECT_EQ(order[i].second, expected.array()[i].array()[0].StringOr(""));
      EXPECT_EQ(-order[i].first, expected.array()[i].array()[1].IntOr(-1));
    }
  }
  void ExpectPercentiles(const Json& expected, const std::string& field) {
    const auto values =
        *Agg(R"({"percentiles":{"field":")" + field + R"(","percents":[50,90,95,99]}})").Find("values");
    for (const auto* name : {"50", "90", "95", "99"})
      EXPECT_EQ(values.Find(std::string(name) + ".0")->DoubleOr(-1),
                expected.Find("p" + std::string(name))->DoubleOr(-2))
          << field << name;
  }
  /// Answers of the form {text: count}: `query` has $ where the text goes.
  void ExpectQueries(const std::string& name, const std::string& query) {
    for (const auto& [text, count] : Answer(name).object()) {
      auto filled = query;
      filled.replace(filled.find('$'), 1, text);
      EXPECT_EQ(Count(filled), count.IntOr(-1)) << name << ": " << filled;
    }
  }
  static void ExpectNear(const Json* found, double expected) {
    ASSERT_NE(found, nullptr);
    EXPECT_NEAR(found->Find("value") != nullptr ? found->Find("value")->DoubleOr(-1e300) : 0, expected, 6e-7);
  }

  Json answers_;
  Mapping mapping_;
  std::vector<IndexedSegment> segments_;
};

#define HONRYU_LOAD_OR_SKIP(...) \
  if (!Load(__VA_ARGS__))        \
  GTEST_SKIP() << "event sets are not here (set HONRYU_TEST_DATA to the folder that holds answers.json)"

TEST_F(RealData, WikiEdits) {
  HONRYU_LOAD_OR_SKIP(
      "wiki-edits",
      R"({"properties":{"comment":{"type":"text","fields":{"words":{"type":"text","analyzer":"words"}}}}})");
  EXPECT_EQ(Count(R"({"match_all":{}})"), Answer("rows").IntOr(-1));
  EXPECT_EQ(Agg(R"({"min":{"field":"time"}})").Find("value_as_string")->StringOr(""),
            Answer("time_min").StringOr("?"));
  EXPECT_EQ(Agg(R"({"max":{"field":"time"}})").Find("value_as_string")->StringOr(""),
            Answer("time_max").StringOr("?"));
  const auto minutes = Times("time", "1m", "yyyy-MM-dd'T'HH:mm");
  EXPECT_EQ(static_cast<std::int64_t>(minutes.size()), Answer("minutes_non_empty").IntOr(-1));
  ExpectTimes(Answer("events_per_minute"), minutes);
  ExpectBusiest(Answer("busiest_minutes"), minutes);
  const auto windows = Times(
      "time", "5m", "yyyy-MM-dd'T'HH:mm",
      R"({"added":{"sum":{"field":"added"}},"deleted":{"sum":{"field":"deleted"}},"delta":{"stats":{"field":"delta"}},
                                 "users":{"cardinality":{"field":"user.keyword"}},"channels":{"terms":{"field":"channel.keyword","size":3}}})");
  const auto& expected = Answer("windows_5min");
  EXPECT_EQ(static_cast<std::int64_t>(windows.size()), expected.Find("non_empty")->IntOr(-1));
  ExpectBusiest(*expected.Find("max"), windows);
  for (const auto& [key, window] : expected.Find("picked")->object()) {
    const auto& found = windows.at(key);
    EXPECT_EQ(found.Find("doc_count")->IntOr(-1), window.Find("count")->IntOr(-2));
    EXPECT_EQ(found.Find("added")->Find("value")->DoubleOr(-1), window.Find("sum_added")->DoubleOr(-2));
    EXPECT_EQ(found.Find("deleted")->Find("value")->DoubleOr(-1), window.Find("sum_deleted")->DoubleOr(-2));
    EXPECT_EQ(found.Find("delta")->Find("max")->DoubleOr(-1), window.Find("max_delta")->DoubleOr(-2));
    EXPECT_EQ(found.Find("delta")->Find("min")->DoubleOr(-1), window.Find("min_delta")->DoubleOr(-2));
    EXPECT_NEAR(found.Find("delta")->Find("avg")->DoubleOr(-1), window.Find("avg_delta")->DoubleOr(-2), 6e-7);
    EXPECT_EQ(found.Find("users")->Find("value")->IntOr(-1), window.Find("distinct_users")->IntOr(-2));
    const auto& top = window.Find("top_channel")->array();
    for (std::size_t i = 0; i < top.size(); ++i)
      EXPECT_EQ(found.Find("channels")->Find("buckets")->array().at(i).Find("doc_count")->IntOr(-1),
                top[i].array()[1].IntOr(-2));
  }
  for (const std::string field : {"user", "page", "channel", "namespace", "countryIsoCode", "cityName"})
    EXPECT_EQ(Distinct(field), Answer("distinct_" + field).DoubleOr(-1)) << field;
  for (const std::string field : {"channel", "page", "user", "countryName", "cityName", "namespace"})
    ExpectTop(Answer("top10_" + field), field + ".keyword");
  for (const std::string field : {"isRobot", "isAnonymous", "isNew", "isMinor", "isUnpatrolled"})
    EXPECT_EQ(Count(R"({"term":{")" + field + R"(":true}})"), Answer("count_" + field).IntOr(-1)) << field;
  for (const std::string field : {"added", "deleted", "delta"})
    EXPECT_EQ(Value(R"({"sum":{"field":")" + field + "\"}}"), Answer("sum_" + field).DoubleOr(-1)) << field;
  ExpectPercentiles(Answer("percentiles_added"), "added");
  EXPECT_EQ(Count(R"({"range":{"deleted":{"gte":1000}}})"), Answer("deleted_ge_1000").IntOr(-1));
  ExpectTimes(Answer("channel_by_hour_en"), Times("time", "1h", "yyyy-MM-dd'T'HH", "{}",
                                                  R"({"term":{"channel.keyword":"#en.wikipedia"}})"));
  ExpectQueries("token_comment", R"({"match":{"comment.words":"$"}})");
  EXPECT_EQ(Count(R"({"match":{"comment.words":{"query":"reverted edits","operator":"and"}}})"),
            Answer("token_and_comment").Find("reverted AND edits")->IntOr(-1));
  ExpectQueries("substring_page", R"({"wildcard":{"page.keyword":"*$*"}})");
  ExpectQueries("substring_comment", R"({"wildcard":{"comment.keyword":"*$*"}})");
  // The analysed text finds the same Japanese without reading every value.
  for (const auto& [text, count] : Answer("substring_comment").object())
    if (static_cast<unsigned char>(text[0]) >= 0x80)
      EXPECT_EQ(Count(R"({"match":{"comment":")" + text + "\"}}"), count.IntOr(-1)) << text;
  EXPECT_EQ(Count(R"({"term":{"channel.keyword":"#ja.wikipedia"}})"), Answer("ja_channel_rows").IntOr(-1));
  ExpectTop(Answer("ja_top10_page"), "page.keyword", R"({"term":{"channel.keyword":"#ja.wikipedia"}})");
}

TEST_F(RealData, AccessLog) {
  HONRYU_LOAD_OR_SKIP("access-log");
  EXPECT_EQ(Count(R"({"match_all":{}})"), Answer("rows").IntOr(-1));
  ExpectTimes(Answer("events_per_hour"), Times("time", "1h", "yyyy-MM-dd'T'HH"));
  for (const std::string field : {"remote_ip", "path", "agent"})
    EXPECT_EQ(Distinct(field), Answer("distinct_" + field).DoubleOr(-1)) << field;
  for (const std::string field : {"path", "remote_ip", "agent", "referrer"})
    ExpectTop(Answer("top10_" + field), field);
  ExpectCounts(Answer("status"), "response");
  ExpectCounts(Answer("method"), "method");
  EXPECT_EQ(Count(R"({"range":{"response":{"gte":500}}})"), Answer("status_ge_500").IntOr(-1));
  EXPECT_EQ(Count(R"({"term":{"response":404}})"), Answer("status_404").IntOr(-1));
  ExpectTop(Answer("top10_path_404"), "path", R"({"term":{"response":"404"}})");
  EXPECT_EQ(Value(R"({"sum":{"field":"bytes"}})"), Answer("sum_bytes").DoubleOr(-1));
  ExpectPercentiles(Answer("percentiles_bytes"), "bytes");
  const auto hours = Times("time", "1h", "yyyy-MM-dd'T'HH",
                           R"({"b":{"sum":{"field":"bytes"}},"ips":{"cardinality":{"field":"remote_ip"}}})");
  std::vector<std::pair<double, std::string>> heaviest;
  for (const auto& [key, hour] : hours)
    heaviest.emplace_back(-hour.Find("b")->Find("value")->DoubleOr(0), key);
  std::sort(heaviest.begin(), heaviest.end());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(heaviest[i].second, Answer("bytes_by_hour_top3").array()[i].array()[0].StringOr(""));
    EXPECT_EQ(-heaviest[i].first, Answer("bytes_by_hour_top3").array()[i].array()[1].DoubleOr(-1));
  }
  for (const auto& [key, count] : Answer("distinct_ip_per_hour_picked").object())
    EXPECT_EQ(hours.at(key).Find("ips")->Find("value")->IntOr(-1), count.IntOr(-2));
  ExpectQueries("token_agent", R"({"match":{"agent":"$"}})");
  ExpectQueries("prefix_path", R"({"prefix":{"path.keyword":"$"}})");
}

TEST_F(RealData, Reviews) {
  HONRYU_LOAD_OR_SKIP("reviews");
  EXPECT_EQ(Count(R"({"match_all":{}})"), Answer("rows").IntOr(-1));
  for (const std::string field : {"reviewerId", "vendorId"})
    EXPECT_EQ(Distinct(field), Answer("distinct_" + field).DoubleOr(-1)) << field;
  ExpectCounts(Answer("rating"), "rating");
  EXPECT_NEAR(Value(R"({"avg":{"field":"rating"}})"), Answer("avg_rating").DoubleOr(-1), 6e-7);
  const auto days = Times("date", "1d", "yyyy-MM-dd");
  EXPECT_EQ(static_cast<std::int64_t>(days.size()), Answer("days_non_empty").IntOr(-1));
  ExpectTimes(Answer("events_per_day"), days);
  ExpectBusiest(Answer("busiest_days"), days);
  for (const auto& [minute, count] : Answer("events_per_minute").object())
    EXPECT_EQ(Count(R"({"term":{"date":")" + minute + "\"}}"), count.IntOr(-1)) << minute;
  for (const auto& [begin, window] : Answer("windows_5min").Find("picked")->object()) {
    const auto query = R"({"range":{"date":{"gte":")" + begin + R"(","lt":")" + begin + R"(||+5m"}}})";
    EXPECT_EQ(Count(query), window.Find("count")->IntOr(-1)) << begin;
    EXPECT_NEAR(Value(R"({"avg":{"field":"rating"}})", query), window.Find("avg_rating")->DoubleOr(-1), 6e-7);
    EXPECT_EQ(Value(R"({"min":{"field":"rating"}})", query), window.Find("min_rating")->DoubleOr(-1));
    EXPECT_EQ(Distinct("vendorId", query), window.Find("distinct_vendors")->DoubleOr(-1));
  }
  ExpectTop(Answer("top10_vendor"), "vendorId");
  for (const auto& pair : Answer("avg_rating_of_top10_vendor").array())
    EXPECT_NEAR(
        Value(R"({"avg":{"field":"rating"}})", R"({"term":{"vendorId":)" + pair.array()[0].Dump() + "}}"),
        pair.array()[1].DoubleOr(-1), 6e-7);
  ExpectTop(Answer("rating_le_2_by_vendor_top5"), "vendorId", R"({"range":{"rating":{"lte":2}}})");
  for (const auto& pair : Answer("top10_reviewer").array())
    EXPECT_EQ(Count(R"({"term":{"reviewerId":)" + pair.array()[0].Dump() + "}}"), pair.array()[1].IntOr(-1));
}

TEST_F(RealData, Flights) {
  HONRYU_LOAD_OR_SKIP("flights");
  EXPECT_EQ(Count(R"({"match_all":{}})"), Answer("rows").IntOr(-1));
  const auto minutes = Times("time_local", "1m", "yyyy-MM-dd'T'HH:mm");
  ExpectTimes(Answer("events_per_minute"), minutes);
  ExpectBusiest(Answer("busiest_minutes"), minutes);
  const auto hours = Times(
      "time_local", "1h", "yyyy-MM-dd'T'HH",
      R"({"c":{"sum":{"field":"cancelled"}},"d":{"avg":{"field":"departure_delay"}},"l":{"cardinality":{"field":"airline"}}})");
  ExpectTimes(Answer("events_per_hour"), hours);
  ExpectBusiest(*Answer("windows_1h").Find("max"), hours);
  for (const auto& [key, window] : Answer("windows_1h").Find("picked")->object()) {
    EXPECT_EQ(hours.at(key).Find("c")->Find("value")->DoubleOr(-1), window.Find("cancelled")->DoubleOr(-2));
    EXPECT_EQ(hours.at(key).Find("l")->Find("value")->DoubleOr(-1),
              window.Find("distinct_airlines")->DoubleOr(-2));
    ExpectNear(hours.at(key).Find("d"), window.Find("avg_departure_delay")->DoubleOr(-2));
  }
  for (const std::string field : {"tail_number", "origin", "destination", "airline", "flight_number"})
    EXPECT_EQ(Distinct(field), Answer("distinct_" + field).DoubleOr(-1)) << field;
  for (const std::string field : {"origin", "destination", "airline", "origin_state", "origin_city"})
    ExpectTop(Answer("top10_" + field), field);
  EXPECT_EQ(Value(R"({"sum":{"field":"cancelled"}})"), Answer("cancelled").DoubleOr(-1));
  EXPECT_EQ(Count(R"({"term":{"diverted":1}})"), Answer("diverted").IntOr(-1));
  ExpectCounts(Answer("cancellation_reason"), "cancellation_reason");
  const auto& delay = Answer("departure_delay");
  const auto stats = Agg(R"({"stats":{"field":"departure_delay"}})");
  EXPECT_EQ(stats.Find("count")->IntOr(-1), delay.Find("count_non_null")->IntOr(-2));
  EXPECT_EQ(stats.Find("sum")->DoubleOr(-1), delay.Find("sum")->DoubleOr(-2));
  EXPECT_EQ(stats.Find("min")->DoubleOr(-1), delay.Find("min")->DoubleOr(-2));
  EXPECT_EQ(stats.Find("max")->DoubleOr(-1), delay.Find("max")->DoubleOr(-2));
  EXPECT_NEAR(stats.Find("avg")->DoubleOr(-1), delay.Find("avg")->DoubleOr(-2), 6e-7);
  ExpectPercentiles(delay, "departure_delay");
  EXPECT_EQ(Value(R"({"sum":{"field":"distance"}})"), Answer("sum_distance").DoubleOr(-1));
  for (const auto& [name, count] : Answer("geo_box_count").object()) {
    double south = 0, north = 0, west = 0, east = 0;
    auto blanks = name;
    for (auto dots = blanks.find(".."); dots != std::string::npos; dots = blanks.find(".."))
      blanks.replace(dots, 2, " ");
    ASSERT_EQ(std::sscanf(blanks.c_str(), "lat %lf %lf lon %lf %lf", &south, &north, &west, &east), 4)
        << name;
    const auto range = [](const std::string& field, double low, double high) {
      return R"({"range":{")" + field + R"(":{"gte":)" + std::to_string(low) + R"(,"lte":)" +
             std::to_string(high) + "}}}";
    };
    EXPECT_EQ(Count(R"({"bool":{"filter":[)" + range("origin_lat", south, north) + "," +
                    range("origin_lon", west, east) + "]}}"),
              count.IntOr(-1))
        << name;
  }
  const auto airlines = Agg(R"({"terms":{"field":"airline","size":100}})").Find("buckets")->array();
  ASSERT_EQ(airlines.size(), Answer("cancel_rate_by_airline").object().size());
  for (const auto& bucket : airlines) {
    const auto key = Text(*bucket.Find("key"));
    const auto cancelled = Count(R"({"bool":{"filter":[{"term":{"airline.keyword":")" + key +
                                 R"("}},{"term":{"cancelled":1}}]}})");
    EXPECT_NEAR(static_cast<double>(cancelled) / bucket.Find("doc_count")->DoubleOr(1),
                Answer("cancel_rate_by_airline").Find(key)->DoubleOr(-1), 6e-7)
        << key;
  }
}

TEST_F(RealData, JapaneseCommits) {
  HONRYU_LOAD_OR_SKIP(
      "ja-edits",
      R"({"properties":{"message":{"type":"text","fields":{"words":{"type":"text","analyzer":"words"}}}}})");
  EXPECT_EQ(Count(R"({"match_all":{}})"), Answer("rows").IntOr(-1));
  for (const std::string field : {"user", "commit", "path"})
    EXPECT_EQ(Distinct(field), Answer("distinct_" + field).DoubleOr(-1)) << field;
  ExpectCounts(Answer("event"), "event");
  for (const std::string field : {"path", "user"}) ExpectTop(Answer("top10_" + field), field);
  const auto years = Agg(R"({"date_histogram":{"field":"time","calendar_interval":"year","format":"yyyy"}})");
  for (const auto& bucket : years.Find("buckets")->array())
    EXPECT_EQ(bucket.Find("doc_count")->IntOr(-1),
              Answer("events_per_year").Find(bucket.Find("key_as_string")->StringOr(""))->IntOr(-2));
  // Substrings by the text index (pairs), and by reading every distinct value.
  ExpectQueries("substring_message_rows", R"({"match":{"message":"$"}})");
  ExpectQueries("substring_message_rows", R"({"wildcard":{"message.keyword":"*$*"}})");
  for (const auto& [word, count] : Answer("substring_message_commits").object())
    EXPECT_EQ(Distinct("commit", R"({"match_phrase":{"message":")" + word + "\"}}"), count.DoubleOr(-1))
        << word;
  const auto& both = Answer("substring_and_rows");
  EXPECT_EQ(Count(R"({"match":{"message":{"query":"検索 修正","operator":"and"}}})"),
            both.Find("検索 AND 修正")->IntOr(-1));
  EXPECT_EQ(
      Count(R"({"bool":{"must":[{"match":{"message":"追加"}}],"must_not":[{"match":{"message":"削除"}}]}})"),
      both.Find("追加 AND NOT 削除")->IntOr(-1));
  ExpectQueries("token_message_rows", R"({"match":{"message.words":"$"}})");
  EXPECT_EQ(Count(R"q({"regexp":{"message.keyword":".*[぀-ヿ一-鿿].*"}})q"),
            Answer("rows_with_kana_or_kanji").IntOr(-1));
  ExpectQueries("path_prefix_rows", R"({"prefix":{"path.keyword":"$"}})");
}

}  // namespace
}  // namespace honryu::search
