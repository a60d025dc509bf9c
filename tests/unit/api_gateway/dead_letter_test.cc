#include "api/gateway/dead_letter.h"

#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <gtest/gtest.h>

namespace honryu::api::gateway {
namespace {

/// The original, put together again from the records' parts; every record must fit `max_record`.
std::string RoundTrip(std::string_view original, ByteSize max_record, const Reject& reject,
                      std::size_t* records) {
  const DeadLetterOrigin origin{"1b4e28ba-2fa1-4d3b-883f-0016d3cca427", "203.0.113.77:65535",
                                "2025-11-21T10:00:00.000Z"};
  std::vector<client::PutEntry> entries;
  AppendDeadLetters(origin, 99999, reject, original, max_record, &entries);
  *records = entries.size();
  std::string all;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_LE(entries[i].data.size() + entries[i].partition_key.size(), max_record.bytes);
    const Result<codec::Json> json = codec::Json::Parse(entries[i].data);
    EXPECT_TRUE(json.ok()) << entries[i].data.view();
    if (!json.ok()) continue;
    EXPECT_EQ(json->Find("part")->IntOr(-1), static_cast<std::int64_t>(i));
    EXPECT_EQ(json->Find("parts")->IntOr(-1), static_cast<std::int64_t>(entries.size()));
    if (const codec::Json* text = json->Find("original"); text != nullptr) {
      all += text->StringOr("");
    } else {
      all += codec::Base64Decode(json->Find("original_base64")->StringOr("")).value();
    }
  }
  return all;
}

TEST(DeadLetter, EveryOriginalFitsRecordsOfEverySize) {
  Random random(7);
  std::string bytes(100'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Below(256));
  const std::string control(100'000, '\x01');  // grows sixfold when escaped
  Reject reject{RejectReason::kDuplicateKey, std::string(256, '\x02'), "this member appears twice"};
  for (const std::uint64_t size : {1024ull, 1500ull, 4096ull, 65536ull, 1048576ull, 10485760ull}) {
    for (const std::string& original : {bytes, control, std::string("{\"a\":1"), std::string(100'000, 'x')}) {
      std::size_t records = 0;
      EXPECT_EQ(RoundTrip(original, ByteSize{size}, reject, &records), original) << size;
      if (size >= 1048576) EXPECT_EQ(records, 1u);
      if (size == 1024) EXPECT_EQ(records > 1, original.size() > 1000);
    }
  }
}

}  // namespace
}  // namespace honryu::api::gateway
