#pragma once

#include "honryu/base/uint128.h"

#include <cstdint>

namespace honryu::client {

/// A record's place in its shard as one number that rises along the shard: the counter within a sequence
/// number of version 2 (docs/formats/sequence-number.md); numbers below 2^64 stand for themselves.
inline std::uint64_t SequenceCounter(const SequenceNumber& sequence) {
  if (sequence.words[0] == 0 && sequence.words[1] == 0) return sequence.words[2];
  // 48 hexadecimal digits, 16 a word, the first one 0; the counter is digits 12 to 27.
  return (sequence.words[0] & 0xffff) << 48 | sequence.words[1] >> 16;
}

}  // namespace honryu::client
