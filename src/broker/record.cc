#include "record.h"

#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"

#include <cstring>

namespace honryu::broker {
namespace {
constexpr char kVersion = 1;             // on disk: never reuse
constexpr char kHasExplicitHashKey = 1;  // on disk: never renumber
}  // namespace

std::size_t RecordSize(BytesView partition_key, BytesView data, bool explicit_hash_key) {
  return 2 + codec::VarintSize(partition_key.size()) + partition_key.size() + (explicit_hash_key ? 16 : 0) +
         data.size();
}

void WriteRecord(char* out, BytesView partition_key, BytesView data,
                 const std::optional<UInt128>& explicit_hash_key) {
  *out++ = kVersion;
  *out++ = explicit_hash_key ? kHasExplicitHashKey : 0;
  std::uint64_t length = partition_key.size();
  for (; length >= 0x80; length >>= 7) *out++ = static_cast<char>(length | 0x80);
  *out++ = static_cast<char>(length);
  std::memcpy(out, partition_key.data(), partition_key.size());
  out += partition_key.size();
  if (explicit_hash_key) {
    codec::StoreU64(out, __builtin_bswap64(explicit_hash_key->high));
    codec::StoreU64(out + 8, __builtin_bswap64(explicit_hash_key->low));
    out += 16;
  }
  if (!data.empty()) std::memcpy(out, data.data(), data.size());
}

Result<RecordParts> ReadRecord(const Bytes& record) {
  BytesView rest = record;
  if (rest.size() < 3 || rest[0] != kVersion)
    return Error(ErrorCode::kCorrupt, "not a stream record of a known version");
  const char flags = rest[1];
  rest.remove_prefix(2);
  std::uint64_t length = 0;
  if (!codec::TakeVarint(&rest, &length) || length > rest.size())
    return Error(ErrorCode::kCorrupt, "stream record is cut short");
  RecordParts parts;
  parts.partition_key = rest.substr(0, length);
  rest.remove_prefix(length);
  if ((flags & kHasExplicitHashKey) != 0) {
    if (rest.size() < 16) return Error(ErrorCode::kCorrupt, "stream record is cut short");
    rest.remove_prefix(16);
  }
  parts.data = record.Slice(record.size() - rest.size());
  return parts;
}

}  // namespace honryu::broker
