// The opening of records, with everything switched on and small limits. Checked beside "no crash": the limits
// hold, numbers rise, a failed record holds what came, and what needs no opening stays as it is.
#include "honryu/base/check.h"
#include "honryu/consumer/opening.h"

#include <cstdint>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::consumer;

void Check(BytesView data, SplitRule rule) {
  OpeningConfig config = OpeningConfig::All();
  config.lines = config.arrays = rule;
  config.max_bytes = 1 << 20;
  config.max_ratio = 100;
  config.max_records = 100;
  config.max_layers = 3;
  client::ShardDescription shard;
  shard.hash_end = UInt128::Max();
  client::StreamRecord record;
  record.partition_key = "key";
  record.data = Bytes::Copy(data);
  const OpenedRecords opened = OpenRecord(record, shard, config);
  std::size_t bytes = 0;
  bool first = true;
  std::uint32_t last = 0;
  for (const client::StreamRecord& one : opened.records) {
    HONRYU_CHECK(first || one.sub_sequence > last, "numbers must rise");
    first = false;
    last = one.sub_sequence;
    bytes += one.data.size();
  }
  HONRYU_CHECK(opened.records.size() <= config.max_records + data.size() / 6 + 1, "too many records");
  HONRYU_CHECK(bytes <= config.max_bytes + data.size(), "too many bytes");
  HONRYU_CHECK(opened.failed.size() <= data.size() / 6 + 1, "too many failures");
  for (const UnopenedRecord& one : opened.failed)
    HONRYU_CHECK(one.record.data.size() <= data.size() && !one.message.empty(), "a failure holds what came");
  if (!MayNeedOpening(data, config))
    HONRYU_CHECK(opened.records.size() == 1 && opened.records[0].data.view() == data, "nothing to open");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Check(input, SplitRule::kCertain);
  Check(input, SplitRule::kAlways);
  return 0;
}
