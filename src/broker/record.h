#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/uint128.h"

#include <optional>

// How a stream record lies inside a log record; the page is docs/formats/broker-record.md.
namespace honryu::broker {

/// Bytes that WriteRecord writes.
std::size_t RecordSize(BytesView partition_key, BytesView data, bool explicit_hash_key);
/// Version u8 (1), flags u8 (bit 0: explicit hash key), varint key length, key, 16 bytes hash key big-endian
/// if flagged, data.
void WriteRecord(char* out, BytesView partition_key, BytesView data,
                 const std::optional<UInt128>& explicit_hash_key);

struct RecordParts {
  BytesView partition_key;  ///< Into `data`'s owner.
  Bytes data;
};
/// kCorrupt when the bytes are no record of a known version.
Result<RecordParts> ReadRecord(const Bytes& record);

}  // namespace honryu::broker
