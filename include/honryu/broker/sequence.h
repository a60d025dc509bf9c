#pragma once

#include "honryu/base/time.h"
#include "honryu/base/uint128.h"
#include "honryu/log/record_batch.h"

namespace honryu::broker {

/// What a version-2 Kinesis sequence number encodes (docs/formats/sequence-number.md): 47 hexadecimal digits,
/// 186 bits: '2', shard creation seconds (9), low digit of the shard index (1), counter (16), "00", record
/// time seconds (9), shard index (8), version '2'.
struct SequenceParts {
  std::int64_t shard_created_s = 0;
  std::uint64_t counter = 0;  ///< 0: the shard's start; 0x7fffffffffffffff: its end; else the log offset.
  std::int64_t record_time_s = 0;
  std::uint32_t shard = 0;
};
inline constexpr std::uint64_t kEndCounter = 0x7fffffffffffffffULL;

SequenceNumber EncodeSequence(const SequenceParts& parts);
/// kInvalidArgument when it is no sequence number of versions 0, 1 or 2. Version 0 and 1 numbers decode to
/// shard and times with counter 0.
Result<SequenceParts> DecodeSequence(const SequenceNumber& sequence);

}  // namespace honryu::broker
