#include "honryu/consumer/opening.h"

#include "honryu/codec/compression.h"
#include "honryu/codec/kpl.h"
#include "tests/support/zip_writer.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace honryu::consumer {
namespace {

using codec::Compression;

client::ShardDescription WholeRange() {
  client::ShardDescription shard;
  shard.shard_id = "shardId-000000000000";
  shard.hash_end = UInt128::Max();
  return shard;
}
client::StreamRecord Record(std::string data) {
  client::StreamRecord record;
  record.sequence.words[2] = 7;
  record.arrival = TimestampFromMs(1234);
  record.partition_key = "outer";
  record.data = Bytes(std::move(data));
  return record;
}
OpenedRecords Open(std::string data, const OpeningConfig& config = OpeningConfig::All()) {
  return OpenRecord(Record(std::move(data)), WholeRange(), config);
}
std::vector<std::string> DataOf(const OpenedRecords& opened) {
  std::vector<std::string> all;
  for (const client::StreamRecord& record : opened.records) all.emplace_back(record.data.view());
  return all;
}
std::string Gzip(const std::string& plain) { return codec::Compress(Compression::kGzip, plain).value(); }
std::string Zstd(const std::string& plain) { return codec::Compress(Compression::kZstd, plain).value(); }
std::string Zlib(const std::string& plain) {
  uLongf size = compressBound(plain.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()),
           plain.size());
  packed.resize(size);
  return packed;
}
std::string Zip(const std::vector<std::string>& files) {
  testing::ZipWriter writer;
  for (std::size_t i = 0; i < files.size(); ++i) writer.Add("file-" + std::to_string(i), files[i]);
  return writer.Finish();
}
std::string Aggregate(const std::vector<std::pair<std::string, std::string>>& records) {
  codec::KplAggregateWriter writer(~std::size_t{0});
  for (const auto& [key, data] : records) writer.Add({key, std::nullopt, data});
  return writer.Finish();
}
using Data = std::vector<std::string>;

TEST(Opening, OpensEveryPackingAndKeepsWhoseRecordItWas) {
  for (const std::string& packed : {Gzip("event"), Zlib("event"), Zstd("event"), Zip({"event"})}) {
    const OpenedRecords opened = Open(packed);
    ASSERT_EQ(DataOf(opened), Data{"event"});
    const client::StreamRecord& record = opened.records.front();
    EXPECT_EQ(record.partition_key, "outer");
    EXPECT_EQ(record.arrival, TimestampFromMs(1234));
    EXPECT_EQ(record.sequence, Record("").sequence);
    EXPECT_EQ(record.sub_sequence, 0u);
    EXPECT_TRUE(opened.failed.empty());
  }
}

TEST(Opening, LeavesAloneWhatItIsNotToldToOpen) {
  OpeningConfig config;
  for (const std::string& packed :
       {Gzip("event"), Zlib("event"), Zstd("event"), Zip({"event"}), std::string("[{}]"),
        std::string("{}\n{}"), std::string(), std::string("plain")}) {
    EXPECT_EQ(DataOf(Open(packed, config)), Data{packed});
    EXPECT_FALSE(MayNeedOpening(packed, config));
  }
}

TEST(Opening, OpensLayersAndNumbersTheResultsInOrder) {
  const std::string aggregate =
      Aggregate({{"a", "one"}, {"b", Gzip("{\"n\":2}\n{\"n\":3}\n")}, {"c", "four"}});
  const OpenedRecords opened = Open(aggregate);
  EXPECT_EQ(DataOf(opened), (Data{"one", "{\"n\":2}", "{\"n\":3}", "four"}));
  const std::vector<std::string> keys = {"a", "b", "b", "c"};
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(opened.records[i].sub_sequence, i);
    EXPECT_EQ(opened.records[i].partition_key, keys[i]);
    EXPECT_EQ(opened.records[i].sequence, Record("").sequence);
  }
  EXPECT_EQ(DataOf(Open(Zip({Gzip("x"), Zstd(Gzip("[{\"a\":1},{\"b\":2}]"))}))),
            (Data{"x", "{\"a\":1}", "{\"b\":2}"}));
}

TEST(Opening, OneBrokenRecordOfAnAggregateDoesNotTouchItsNeighbours) {
  std::string broken = Gzip("a record that was cut short");
  broken.resize(broken.size() - 9);
  const OpenedRecords opened = Open(Aggregate({{"a", "one"}, {"b", broken}, {"c", Gzip("three")}}));
  EXPECT_EQ(DataOf(opened), (Data{"one", "three"}));
  EXPECT_EQ(opened.records[1].sub_sequence, 2u);
  ASSERT_EQ(opened.failed.size(), 1u);
  EXPECT_EQ(opened.failed[0].failure, OpenFailure::kBroken);
  EXPECT_EQ(opened.failed[0].record.data.view(), broken);
  EXPECT_EQ(opened.failed[0].record.partition_key, "b");
  EXPECT_EQ(opened.failed[0].record.sub_sequence, 1u);
  EXPECT_FALSE(opened.failed[0].message.empty());
}

TEST(Opening, LinesAreCutOnlyWhereTheyAreCertainlyEvents) {
  EXPECT_EQ(DataOf(Open("{\"a\":1}\n{\"a\":2}")), (Data{"{\"a\":1}", "{\"a\":2}"}));
  EXPECT_EQ(DataOf(Open("\r\n {\"a\":1} \r\n\r\n\t{\"a\":2}\r\n")), (Data{"{\"a\":1}", "{\"a\":2}"}));
  for (const char* whole :
       {"{\"a\":1}\n", "{\n  \"a\": 1\n}", "{\"a\":1}\nnot json", "{\"a\":1}\n[1]",
        "{\"a\":1}\n{\"a\":", "a\nb", "1\n2", "{\"a\":1} {\"a\":2}\n{\"a\":3}", "\n\n", ""})
    EXPECT_EQ(DataOf(Open(whole)), Data{whole});
  OpeningConfig always;
  always.lines = SplitRule::kAlways;
  EXPECT_EQ(DataOf(Open("{\"a\":1}\nnot json\r\n\n  [1] ", always)), (Data{"{\"a\":1}", "not json", "[1]"}));
  EXPECT_EQ(DataOf(Open("one line", always)), Data{"one line"});
  EXPECT_EQ(DataOf(Open("\n\n", always)), Data{"\n\n"});
}

TEST(Opening, ArraysAreCutOnlyWhereTheyAreCertainlyEvents) {
  EXPECT_EQ(DataOf(Open(" [ {\"a\":[1,{}]} ,\n{} ]\n")), (Data{"{\"a\":[1,{}]}", "{}"}));
  EXPECT_EQ(DataOf(Open("[{\"a\":1}]")), Data{"{\"a\":1}"});
  for (const char* whole : {"[]", "[1,2]", "[{},1]", "[{},]", "[{}] x", "[{}", "[", "[{}][{}]"})
    EXPECT_EQ(DataOf(Open(whole)), Data{whole});
  OpeningConfig always;
  always.arrays = SplitRule::kAlways;
  EXPECT_EQ(DataOf(Open("[1,\"a\",null,[2],{}]", always)), (Data{"1", "\"a\"", "null", "[2]", "{}"}));
  EXPECT_TRUE(Open("[]", always).records.empty());
  for (const char* broken : {"[{},]", "[{}] x", "[{}", "[", "[{}][{}]"}) {
    const OpenedRecords opened = Open(broken, always);
    EXPECT_TRUE(opened.records.empty());
    ASSERT_EQ(opened.failed.size(), 1u) << broken;
    EXPECT_EQ(opened.failed[0].failure, OpenFailure::kBroken);
  }
}

TEST(Opening, WhatOnlyLooksLikeZlibStaysAsItIs) {
  const std::string text = "x\x9c is how this text begins";
  EXPECT_EQ(DataOf(Open(text)), Data{text});
  const std::string power = "x^2 + y^2 = z^2";
  EXPECT_TRUE(MayNeedOpening(power, OpeningConfig::All()));
  EXPECT_EQ(DataOf(Open(power)), Data{power});
}

TEST(Opening, BombsFailByTheLimitTheyBreak) {
  const auto failure = [](const std::string& data, const OpeningConfig& config) {
    const OpenedRecords opened = Open(data, config);
    EXPECT_TRUE(opened.records.empty());
    EXPECT_EQ(opened.failed.size(), 1u);
    if (opened.failed.size() != 1) return std::string("none");
    EXPECT_EQ(opened.failed[0].record.data.view(), data);
    return std::string(OpenFailureName(opened.failed[0].failure));
  };
  const std::string zeros(8 << 20, '\0');
  OpeningConfig config = OpeningConfig::All();
  config.max_bytes = 4 << 20;
  config.max_ratio = 1'000'000;
  EXPECT_EQ(failure(Gzip(zeros), config), "too_large");
  EXPECT_EQ(failure(Zlib(zeros), config), "too_large");
  EXPECT_EQ(failure(Zstd(zeros), config), "too_large");
  EXPECT_EQ(failure(Zip({zeros}), config), "too_large");
  config = OpeningConfig::All();
  config.max_ratio = 100;
  EXPECT_EQ(failure(Gzip(zeros), config), "ratio");
  // Up to 1 MiB the ratio does not count.
  EXPECT_EQ(Open(Gzip(std::string(1 << 20, '\0')), config).records.size(), 1u);
  config = OpeningConfig::All();
  config.max_records = 3;
  EXPECT_EQ(failure("{}\n{}\n{}\n{}", config), "too_many");
  EXPECT_EQ(failure("[{},{},{},{}]", config), "too_many");
  EXPECT_EQ(failure(Zip({"a", "b", "c", "d"}), config), "too_many");
  EXPECT_EQ(Open("{}\n{}\n{}", config).records.size(), 3u);
  std::string deep = "event";
  for (int i = 0; i < 5; ++i) deep = Gzip(deep);
  EXPECT_EQ(failure(deep, OpeningConfig::All()), "too_deep");
  config = OpeningConfig::All();
  config.max_layers = 5;
  EXPECT_EQ(DataOf(Open(deep, config)), Data{"event"});
  testing::ZipWriter secret;
  secret.Encrypted();
  secret.Add("a", "content");
  EXPECT_EQ(failure(secret.Finish(), OpeningConfig::All()), "unsupported");
}

TEST(Opening, TheLimitsAreOfTheWholeRecordAndABombDoesNotUseUpItsNeighboursShare) {
  const std::string bomb = Gzip(std::string(3 << 20, '\0')), small = Gzip(std::string(1 << 20, '\0'));
  OpeningConfig config = OpeningConfig::All();
  config.max_bytes = 5 << 19;  // 2.5 MiB
  const OpenedRecords opened =
      Open(Aggregate({{"a", small}, {"b", bomb}, {"c", small}, {"d", small}}), config);
  EXPECT_EQ(opened.records.size(), 2u);
  ASSERT_EQ(opened.failed.size(), 2u);
  EXPECT_EQ(opened.failed[0].record.partition_key, "b");
  EXPECT_EQ(opened.failed[1].record.partition_key, "d");  // together with a and c it would be 3 MiB
}

TEST(Opening, WhatWasTakenOutOfItsAggregateBeforeSharesTheLimitsToo) {
  const std::string small = Gzip(std::string(1 << 20, '\0'));
  std::vector<client::StreamRecord> records(3, Record(small));
  for (std::uint32_t i = 0; i < 3; ++i) records[i].sub_sequence = i;
  records[0].data = Bytes(Gzip("{\"a\":1}\n{\"a\":2}"));
  OpeningConfig config = OpeningConfig::All();
  config.max_bytes = 3 << 19;  // 1.5 MiB
  const OpenedRecords opened = OpenUserRecords(records, config);
  ASSERT_EQ(opened.records.size(), 3u);
  EXPECT_EQ(opened.records[1].data.view(), "{\"a\":2}");
  EXPECT_EQ(opened.records[2].sub_sequence, 2u) << "two came out of the first";
  ASSERT_EQ(opened.failed.size(), 1u);
  EXPECT_EQ(opened.failed[0].record.sub_sequence, 3u);
  EXPECT_EQ(opened.failed[0].failure, OpenFailure::kTooLarge);
}

TEST(Opening, PartsShareTheMemoryOfTheRecord) {
  const client::StreamRecord record = Record("{\"a\":1}\n{\"a\":2}");
  const char* const begin = record.data.data();
  const OpenedRecords opened = OpenRecord(record, WholeRange(), OpeningConfig::All());
  ASSERT_EQ(opened.records.size(), 2u);
  EXPECT_EQ(opened.records[0].data.data(), begin);
  EXPECT_EQ(opened.records[1].data.data(), begin + 8);
}

TEST(OpeningConfig, NamesWhatIsWrong) {
  OpeningConfig config;
  EXPECT_TRUE(config.Validate().ok());
  config.max_layers = 0;
  EXPECT_NE(config.Validate().error().message().find("max_layers"), std::string::npos);
}

}  // namespace
}  // namespace honryu::consumer
