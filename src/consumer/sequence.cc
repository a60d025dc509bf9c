#include "honryu/consumer/sequence.h"

namespace honryu::consumer {

std::int64_t ShardCreation(const SequenceNumber& sequence) {
  // 48 hexadecimal digits: '0', '2', the seconds (9), …, the version as the last.
  const std::uint64_t version = sequence.words[2] & 15;
  if (sequence.words[0] >> 56 != 2 || (version != 1 && version != 2)) return 0;
  return static_cast<std::int64_t>(sequence.words[0] >> 20 & 0xfffffffffULL);
}

}  // namespace honryu::consumer
