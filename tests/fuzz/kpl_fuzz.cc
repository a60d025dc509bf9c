// The reader of KPL aggregates, on the input as it is and as a message in a right frame (a fuzzer does not
// find MD5 sums). Checked beside "no crash": what opens stays within bounds, lies inside the input, and
// written again by us opens to the same records.
#include "honryu/base/check.h"
#include "honryu/codec/kpl.h"

#include <cstdint>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::codec;

void CheckOpen(BytesView data) {
  const auto records = OpenKplAggregate(data);
  if (!records || records->empty()) return;
  HONRYU_CHECK(records->size() <= data.size() / 6, "more records than can be");
  KplAggregateWriter writer(~std::size_t{0});
  for (const KplRecord& record : *records) {
    const char* const begin = data.data();
    HONRYU_CHECK(record.data.data() >= begin && record.data.end() <= data.end(), "data outside the input");
    HONRYU_CHECK(writer.Add(record), "no limit, and refused");
  }
  HONRYU_CHECK(writer.hash_key() == HashKeyOf(records->front()), "another hash key");
  const std::size_t size = writer.size();
  const std::string written = writer.Finish();
  HONRYU_CHECK(written.size() == size, "another size than told");
  const auto again = OpenKplAggregate(written);
  HONRYU_CHECK(again && again->size() == records->size(), "lost records");
  for (std::size_t i = 0; i < records->size(); ++i) {
    const KplRecord& a = (*records)[i];
    const KplRecord& b = (*again)[i];
    HONRYU_CHECK(
        a.data == b.data && a.partition_key == b.partition_key && a.explicit_hash_key == b.explicit_hash_key,
        "a record changed");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  CheckOpen(input);
  const UInt128 digest = Md5HashKey(input);
  std::string framed = "\xf3\x89\x9a\xc2";
  framed.append(input);
  for (const std::uint64_t half : {digest.high, digest.low})
    for (int shift = 56; shift >= 0; shift -= 8) framed.push_back(static_cast<char>(half >> shift));
  CheckOpen(framed);
  return 0;
}
