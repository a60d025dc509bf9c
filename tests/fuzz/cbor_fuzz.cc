// ParseCbor and the CBOR request parsers. Checked beside "no crash": what is read and written again as CBOR
// reads back the same, and what the fast PutRecords parser takes, the validating parser takes with the same
// result.
#include "honryu/base/check.h"
#include "honryu/codec/cbor.h"
#include "honryu/wire/kinesis.h"

#include <cstdint>
#include <string>

namespace {

using namespace honryu;
using codec::CborWriter;
using codec::Json;

void Write(const Json& value, CborWriter& out) {
  if (value.is_blob()) return out.Blob(value.BlobOr(""));
  if (value.is_string()) return out.Text(value.StringOr(""));
  if (value.is_bool()) return out.Bool(value.BoolOr(false));
  if (const auto* u = std::get_if<std::uint64_t>(&value.value())) return out.Uint(*u);
  if (const auto* i = std::get_if<std::int64_t>(&value.value())) return out.Int(*i);
  if (value.is_number()) return out.Double(value.DoubleOr(0));
  if (value.is_array()) {
    out.BeginArray(value.array().size());
    for (const Json& item : value.array()) Write(item, out);
    return;
  }
  if (value.is_object()) {
    out.BeginMap();
    for (const Json::Member& member : value.object()) {
      out.Text(member.first);
      Write(member.second, out);
    }
    return out.End();
  }
  out.Null();
}

void CheckPut(BytesView body, const Result<Json>& tree, bool single) {
  const wire::Limits limits;
  wire::PutRecordsRequest fast, slow;
  const bool taken =
      single ? wire::ParsePutRecordCbor(body, fast, limits) : wire::ParsePutRecordsCbor(body, fast, limits);
  if (!taken) return;
  HONRYU_CHECK(tree.ok() && tree->is_object(), "what the fast parser takes is a map");
  const auto fault =
      single ? wire::ParsePutRecord(*tree, slow, limits) : wire::ParsePutRecords(*tree, slow, limits);
  HONRYU_CHECK(!fault, "what the fast parser takes is valid");
  HONRYU_CHECK(fast.stream.name == slow.stream.name && fast.entries.size() == slow.entries.size(),
               "same request");
  for (std::size_t i = 0; i < fast.entries.size(); ++i) {
    HONRYU_CHECK(fast.entries[i].data == slow.entries[i].data, "same data");
    HONRYU_CHECK(fast.entries[i].partition_key == slow.entries[i].partition_key, "same key");
    HONRYU_CHECK(fast.entries[i].explicit_hash_key == slow.entries[i].explicit_hash_key, "same hash key");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView input(reinterpret_cast<const char*>(data), size);
  const Result<Json> tree = codec::ParseCbor(input);
  if (tree.ok()) {
    std::string written;
    CborWriter writer(written);
    Write(*tree, writer);
    const Result<Json> again = codec::ParseCbor(written);
    HONRYU_CHECK(again.ok(), "what is written does not parse");
    HONRYU_CHECK(again->Dump() == tree->Dump(), "what is written reads back as another");
  }
  CheckPut(input, tree, false);
  CheckPut(input, tree, true);
  return 0;
}
