#pragma once

#include "honryu/base/uint128.h"

#include <cstdint>

namespace honryu::consumer {

/// When the shard of a sequence number was created, seconds since the epoch: tells a shard from a former one
/// of the same name, whose stream was deleted and made again. 0 for numbers that do not tell (other than
/// versions 1 and 2 of docs/formats/sequence-number.md).
std::int64_t ShardCreation(const SequenceNumber& sequence);

}  // namespace honryu::consumer
