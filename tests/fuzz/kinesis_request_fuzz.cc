// Gives arbitrary bytes to the Kinesis request parsers and answer readers. The first byte picks which; its
// highest bit says that the body is CBOR. Checked beside "no crash": what the fast PutRecords parsers take,
// the validating parser takes with the same result, and every fault has a readable body.
#include "honryu/codec/json.h"
#include "honryu/wire/format.h"
#include "honryu/wire/kinesis.h"
#include "honryu/wire/manage.h"
#include "honryu/wire/reader.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using namespace honryu;
using namespace honryu::wire;

void Expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "broken property: %s\n", what);
  std::abort();
}

void ExpectSame(const PutRecordsRequest& a, const PutRecordsRequest& b) {
  Expect(a.stream.name == b.stream.name && a.stream.account == b.stream.account, "same stream");
  Expect(a.entries.size() == b.entries.size(), "same count");
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    Expect(a.entries[i].data == b.entries[i].data, "same data");
    Expect(a.entries[i].partition_key == b.entries[i].partition_key, "same key");
    Expect(a.entries[i].explicit_hash_key == b.entries[i].explicit_hash_key, "same hash key");
  }
}

void CheckFault(const std::optional<Fault>& fault) {
  if (fault) Expect(codec::Json::Parse(FaultBody(*fault)).ok(), "a fault's body is JSON");
}

bool ParseFast(BytesView body, Format format, bool single, PutRecordsRequest& out, const Limits& limits) {
  if (format == Format::kCbor)
    return single ? ParsePutRecordCbor(body, out, limits) : ParsePutRecordsCbor(body, out, limits);
  return single ? ParsePutRecordFast(body, out, limits) : ParsePutRecordsFast(body, out, limits);
}

void CheckPut(BytesView body, Format format, const Result<codec::Json>& json, bool single) {
  const Limits limits;
  PutRecordsRequest fast;
  PutRecordsRequest slow;
  const bool taken = ParseFast(body, format, single, fast, limits);
  const bool object = json.ok() && json->is_object();
  if (taken) Expect(object, "what the fast parser takes is an object");
  if (!object) return;
  const auto fault = single ? ParsePutRecord(*json, slow, limits) : ParsePutRecords(*json, slow, limits);
  CheckFault(fault);
  if (!taken) return;
  Expect(!fault, "what the fast parser takes is valid");
  ExpectSame(fast, slow);
}

template <class Request, class... More>
void CheckOther(const codec::Json& json, const More&... more) {
  Request request;
  CheckFault(ParseRequest(json, request, more...));
}

void CheckRest(const codec::Json& json, unsigned which) {
  constexpr unsigned kOthers = 10;
  if (which >= kOthers) {
    ManageRequest request;
    const unsigned operation = static_cast<unsigned>(Operation::kSplitShard) + which - kOthers;
    return CheckFault(ParseManageRequest(json, static_cast<Operation>(operation), request));
  }
  switch (which) {
    case 0:
      return CheckOther<CreateStreamRequest>(json, Limits());
    case 1:
      return CheckOther<DeleteStreamRequest>(json);
    case 2:
      return CheckOther<DescribeStreamRequest>(json);
    case 3:
      return CheckOther<ListStreamsRequest>(json);
    case 4:
      return CheckOther<ListShardsRequest>(json);
    case 5:
      return CheckOther<GetShardIteratorRequest>(json);
    case 6:
      return CheckOther<GetRecordsRequest>(json);
    case 7:
      return CheckOther<RetentionRequest>(json);
    case 8:
      return CheckOther<LeaseRequest>(json, Operation::kRenewLease);
    default:
      (void)ReadLease(json).ok();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  text.append(64, '\0');
  const BytesView body = BytesView(text).substr(0, size - 1);
  const Format format = (data[0] & 0x80) != 0 ? Format::kCbor : Format::kJson;
  const unsigned which = data[0] & 0x7fU;
  const Result<codec::Json> json = ParseBody(body, format);
  switch (which % 5) {
    case 0:
      CheckPut(body, format, json, false);
      break;
    case 1:
      CheckPut(body, format, json, true);
      break;
    case 2:
      (void)ReadGetRecords(body).ok();
      break;
    case 3:
      (void)ReadPutRecords(body).ok();
      break;
    default:
      if (json.ok() && json->is_object()) CheckRest(*json, which / 5);
  }
  return 0;
}
