#include "honryu/base/random.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"
#include "search/index/segment_merger.h"
#include "search/query/matcher.h"
#include "search/query/parse_query.h"
#include "search/segment/dictionary_writer.h"
#include "segment_fixture.h"

#include <set>

namespace honryu::search {
namespace {

std::string Hex(Random& random, std::size_t digits) {
  std::string text;
  while (text.size() < digits) text += "0123456789abcdef"[random.Below(16)];
  return text;
}

std::string Uuid(Random& random) {
  return Hex(random, 8) + "-" + Hex(random, 4) + "-" + Hex(random, 4) + "-" + Hex(random, 4) + "-" +
         Hex(random, 12);
}

void ExpectFindsAll(const std::set<std::string>& terms, TermForm form) {
  const std::vector<BytesView> views(terms.begin(), terms.end());
  ASSERT_EQ(FormOf(views), form);
  DictionaryWriter writer(form);
  for (const auto& term : terms) writer.Add(term, 1, 3);
  std::string bytes;
  writer.Finish(bytes);
  const auto dictionary = Dictionary::Open(bytes);
  ASSERT_TRUE(dictionary.ok());
  std::uint32_t number = 0;
  for (const auto& term : terms) {
    const auto entry = dictionary->Find(term);
    ASSERT_TRUE(entry) << term;
    EXPECT_EQ(entry->ordinal, number);
    EXPECT_EQ(entry->offset, number * 3u);
    EXPECT_EQ(dictionary->Term(number), term);
    EXPECT_EQ(dictionary->LowerBound(term.substr(0, term.size() - 1)), number);
    EXPECT_FALSE(dictionary->Find(term + "0"));
    EXPECT_FALSE(dictionary->Find("no digits"));
    ++number;
  }
  EXPECT_EQ(dictionary->LowerBound("g"), terms.size());
}

TEST(DictionaryForms, DigitsAreFoundAsTheyWereWritten) {
  Random random(11);
  std::set<std::string> uuids, hex;
  for (int i = 0; i < 700; ++i) uuids.insert(Uuid(random));
  for (int i = 0; i < 700; ++i) hex.insert(Hex(random, 2 * (4 + random.Below(9))));
  ExpectFindsAll(uuids, TermForm::kUuid);
  std::set<std::string> distinct;  // none the beginning of another, for LowerBound
  for (const auto& one : hex) distinct.insert(one + Hex(random, 16));
  ExpectFindsAll(distinct, TermForm::kHex);
}

TEST(DictionaryForms, AnythingElseStaysPlain) {
  EXPECT_EQ(FormOf(std::vector<BytesView>{"abc"}), TermForm::kPlain);
  EXPECT_EQ(FormOf(std::vector<BytesView>{"AB"}), TermForm::kPlain);
  EXPECT_EQ(FormOf(std::vector<BytesView>{"ab", "12-4"}), TermForm::kPlain);
  EXPECT_EQ(FormOf(std::vector<BytesView>{"12345678-1234-1234-1234-12345678901G"}), TermForm::kPlain);
  EXPECT_EQ(FormOf(std::vector<BytesView>{}), TermForm::kPlain);
}

TEST(DictionaryForms, PagesOfTheFirstVersionAreRead) {
  const std::vector<std::string> terms{"a", "ab", "b"};
  std::string page, bytes;
  std::string last;
  for (const auto& term : terms) {
    std::size_t shared = 0;
    while (shared < last.size() && shared < term.size() && last[shared] == term[shared]) ++shared;
    codec::AppendVarint(page, shared);
    codec::AppendVarint(page, term.size() - shared);
    page += term.substr(shared);
    codec::AppendVarint(page, 2);
    codec::AppendVarint(page, 5);
    last = term;
  }
  codec::AppendU32(bytes, 3);
  codec::AppendU32(bytes, 1);
  codec::AppendU64(bytes, 0);
  codec::AppendU64(bytes, 0);
  codec::AppendU32(bytes, static_cast<std::uint32_t>(page.size()));
  codec::AppendU32(bytes, static_cast<std::uint32_t>(page.size()));
  codec::AppendU32(bytes, 0);
  codec::AppendU32(bytes, 2);
  bytes += "\1a" + page;
  const auto dictionary = Dictionary::Open(bytes);
  ASSERT_TRUE(dictionary.ok());
  for (std::uint32_t i = 0; i < terms.size(); ++i) {
    ASSERT_TRUE(dictionary->Find(terms[i])) << terms[i];
    EXPECT_EQ(dictionary->Find(terms[i])->offset, 5u * i);
    EXPECT_EQ(dictionary->Term(i), terms[i]);
  }
}

/// Documents whose strings are of every kind that cannot, or can, leave the source.
std::vector<std::string> Documents(std::uint64_t seed) {
  Random random(seed);
  std::vector<std::string> documents;
  for (int i = 0; i < 300; ++i) {
    const auto id = Uuid(random), trace = Hex(random, 32);
    std::string text = R"({ "id" : ")" + id + R"(","trace":")" + trace + R"(","nested":{"note":")";
    switch (i % 6) {
      case 0:
        text += "a message of many words " + trace;  // holds another field's string
        break;
      case 1:
        text += R"(with \"escapes\" and \u6771)";
        break;
      case 2:
        text += std::string(300, 'x') + id;  // too long for the exact column
        break;
      case 3:
        text += "東京都の" + std::to_string(i);
        break;
      case 4:
        text += id;  // the same as the id
        break;
      default:
        break;  // empty
    }
    text += R"("},"tags":[")" + trace + R"(","b"],"n":)" + std::to_string(i) + "}";
    if (i % 50 == 7 && !documents.empty()) text = documents.back();  // the same ids again
    documents.push_back(text);
  }
  return documents;
}

Mapping& Marked(Mapping& mapping, std::initializer_list<const char*> paths) {
  for (const auto* path : paths) mapping.MarkUnique(path);
  return mapping;
}

void ExpectSources(const Segment& segment, const std::vector<std::string>& documents) {
  ASSERT_EQ(segment.doc_count(), documents.size());
  Segment::SourceCache cache;
  for (std::uint32_t doc = 0; doc < documents.size(); ++doc) {
    const auto source = segment.Source(doc, cache);
    ASSERT_TRUE(source.ok());
    ASSERT_EQ(*source, documents[doc]);
  }
}

std::size_t Matches(const Segment& segment, const std::string& query) {
  QueryContext context;
  SegmentMatcher matcher(segment, context);
  return matcher.Match(ParseQuery(codec::Json::Parse(query).value()).value()).value().size();
}

TEST(UniqueStrings, SourcesComeBackByteForByte) {
  const auto documents = Documents(1);
  Mapping plain, mapping;
  Marked(mapping, {"id", "trace", "nested.note", "tags"});
  const auto usual = BuildSegment(plain, documents), segment = BuildSegment(mapping, documents);
  ASSERT_TRUE(usual && segment);
  ExpectSources(*segment, documents);
  EXPECT_LT(segment->byte_size() + 10'000, usual->byte_size());  // strings are stored once
  Random random(1);
  const auto first = Uuid(random), trace = Hex(random, 32);
  for (const auto* one : {usual.get(), segment.get()}) {
    EXPECT_EQ(Matches(*one, R"({"term":{"id.keyword":")" + first + "\"}}"), 1u);
    EXPECT_EQ(Matches(*one, R"({"match":{"trace":")" + trace + "\"}}"), 1u);
    EXPECT_EQ(Matches(*one, R"({"match_phrase":{"nested.note":"many words )" + trace + "\"}}"), 1u);
    EXPECT_EQ(Matches(*one, R"({"term":{"tags.keyword":")" + trace + "\"}}"), 1u);
    EXPECT_EQ(Matches(*one, R"({"prefix":{"id.keyword":")" + first.substr(0, 13) + "\"}}"), 1u);
  }
}

TEST(UniqueStrings, MergesKeepThemWhicheverFieldsTheInputsMarked) {
  Mapping none, some, other, many;
  Marked(some, {"id", "trace"});
  Marked(other, {"trace", "nested.note", "id"});
  Marked(many, {"q1", "q2", "q3", "q4", "q5", "q6", "trace", "id"});
  std::vector<std::vector<std::string>> all;
  std::vector<MergeInput> inputs;
  for (auto* mapping : {&some, &none, &other, &some, &many}) {
    all.push_back(Documents(10 + all.size()));
    inputs.push_back({BuildSegment(*mapping, all.back(), 1000 * all.size()), {}});
  }
  std::vector<std::string> documents;
  for (const auto& part : all) documents.insert(documents.end(), part.begin(), part.end());
  const auto whole = MergeSegments(inputs);
  ASSERT_TRUE(whole.ok());
  ExpectSources(*OpenSegment(*whole), documents);

  // With some dropped: their strings are nowhere.
  documents.clear();
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t doc = 0; doc < all[i].size(); ++doc) {
      const bool keep = doc % 3 != 0 && doc % 50 != 7 && doc % 50 != 6;
      inputs[i].keep.push_back(keep);
      if (keep) documents.push_back(all[i][doc]);
    }
  const auto rest = MergeSegments(inputs);
  ASSERT_TRUE(rest.ok());
  ExpectSources(*OpenSegment(*rest), documents);
  Random random(10);
  const auto dropped = Uuid(random);
  ASSERT_NE(all[0][0].find(dropped), std::string::npos);
  EXPECT_EQ(Matches(*OpenSegment(*rest), R"({"term":{"id.keyword":")" + dropped + "\"}}"), 0u);
}

TEST(UniqueStrings, AreLearntFromOneSegmentForTheNext) {
  Mapping mapping;
  Random random(5);
  std::vector<std::string> documents;
  for (int i = 0; i < 1500; ++i)
    documents.push_back(R"({"id":")" + Uuid(random) + R"(","level":"information-level","n":")" +
                        std::to_string(i) + "\"}");
  const auto first = BuildSegment(mapping, documents);
  EXPECT_TRUE(first->detached().empty());
  EXPECT_EQ(mapping.Unique(), std::vector<std::string>{"id"});  // not the level, nor short numbers
  const auto second = BuildSegment(mapping, documents);
  EXPECT_EQ(second->detached(), std::vector<std::string>{"id"});
  ExpectSources(*second, documents);
  EXPECT_LT(second->byte_size() + 1500 * 15, first->byte_size());
}

TEST(UniqueStrings, StringsOfOneTokenHaveOneDictionary) {
  Mapping mapping;
  const auto plain = BuildSegment(mapping, {R"({"v":"alpha"})", R"({"v":"beta"})", R"({"v":"東"})"});
  ASSERT_TRUE(plain->Find("v")->text->is_exact);
  EXPECT_EQ(Matches(*plain, R"({"match":{"v":"Alpha"}})"), 1u);
  EXPECT_EQ(Matches(*plain, R"({"match":{"v":"alpha beta"}})"), 2u);
  EXPECT_EQ(Matches(*plain, R"({"match_phrase":{"v":"beta"}})"), 1u);
  EXPECT_EQ(Matches(*plain, R"({"match":{"v":"東"}})"), 1u);
  EXPECT_EQ(Matches(*plain, R"({"wildcard":{"v":"*a"}})"), 2u);
  const auto mixed =
      BuildSegment(mapping, {R"({"v":"alpha"})", R"({"v":"beta"})", R"({"v":"Two words"})"}, 9);
  EXPECT_FALSE(mixed->Find("v")->text->is_exact);
  EXPECT_EQ(Matches(*mixed, R"({"match":{"v":"beta words"}})"), 2u);
  const auto several = BuildSegment(mapping, {R"({"v":["alpha","beta"]})"}, 20);
  EXPECT_FALSE(several->Find("v")->text->is_exact);

  const auto same = OpenSegment(MergeSegments({{plain, {}}, {plain, {false, true, false}}}).value());
  EXPECT_TRUE(same->Find("v")->text->is_exact);
  EXPECT_EQ(Matches(*same, R"({"match":{"v":"beta"}})"), 2u);
  const auto all = OpenSegment(MergeSegments({{plain, {}}, {mixed, {}}, {several, {}}}).value());
  EXPECT_FALSE(all->Find("v")->text->is_exact);
  EXPECT_EQ(Matches(*all, R"({"match":{"v":"beta"}})"), 3u);
  EXPECT_EQ(Matches(*all, R"({"match_phrase":{"v":"two words"}})"), 1u);
  EXPECT_EQ(Matches(*all, R"({"match":{"v":"東"}})"), 1u);
}

}  // namespace
}  // namespace honryu::search
