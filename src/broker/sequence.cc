#include "honryu/broker/sequence.h"

namespace honryu::broker {
namespace {

// A 192-bit number as 48 hexadecimal digits; digit 0 of the layout is digit 1 here, for the number has 47.
std::uint64_t Digits(const SequenceNumber& n, int first, int count) {
  std::uint64_t out = 0;
  for (int i = first + 1; i <= first + count; ++i) {
    out = out << 4 | (n.words[static_cast<std::size_t>(i / 16)] >> (60 - 4 * (i % 16)) & 15);
  }
  return out;
}

void SetDigits(SequenceNumber& n, int first, int count, std::uint64_t value) {
  for (int i = first + count; i > first; --i, value >>= 4) {
    n.words[static_cast<std::size_t>(i / 16)] |= (value & 15) << (60 - 4 * (i % 16));
  }
}

// Times from here on are no times (kinesis-api fact sheet, section 6).
constexpr std::int64_t kTooLate_s = 16025175000;

Error Bad() { return Error(ErrorCode::kInvalidArgument, "not a sequence number of a known version"); }

int HighestBit(const SequenceNumber& n) {
  for (std::size_t w = 0; w < 3; ++w) {
    if (n.words[w] != 0) return static_cast<int>((2 - w) * 64) + 63 - __builtin_clzll(n.words[w]);
  }
  return -1;
}

// Takes `count` digits of a number of `total` digits, beginning at digit `first`.
std::uint64_t DigitsOf(const SequenceNumber& n, int total, int first, int count) {
  return Digits(n, 47 - total + first, count);
}

}  // namespace

SequenceNumber EncodeSequence(const SequenceParts& parts) {
  SequenceNumber n;
  SetDigits(n, 0, 1, 2);
  SetDigits(n, 1, 9, static_cast<std::uint64_t>(parts.shard_created_s));
  SetDigits(n, 10, 1, parts.shard & 15);
  SetDigits(n, 11, 16, parts.counter);
  SetDigits(n, 29, 9, static_cast<std::uint64_t>(parts.record_time_s));
  SetDigits(n, 38, 8, parts.shard);
  SetDigits(n, 46, 1, 2);
  return n;
}

Result<SequenceParts> DecodeSequence(const SequenceNumber& sequence) {
  SequenceParts parts;
  const int bit = HighestBit(sequence);
  if (bit < 129) {
    // Version 0: '1', time (9), byte (2), random (16), shard (4), 32 digits; smaller numbers lack the leading
    // part.
    SequenceNumber n = sequence;
    if (bit < 124) n.words[1] += 1ULL << 60;
    const std::uint64_t time = bit < 124 ? 0 : DigitsOf(n, 32, 1, 9);
    parts.shard_created_s = parts.record_time_s = static_cast<std::int64_t>(time);
    parts.shard = static_cast<std::uint32_t>(DigitsOf(n, 32, 28, 4));
    if (parts.record_time_s >= kTooLate_s) return Bad();
    return parts;
  }
  if (bit != 185 || Digits(sequence, 0, 1) != 2) return Bad();
  const std::uint64_t version = Digits(sequence, 46, 1);
  parts.shard_created_s = static_cast<std::int64_t>(Digits(sequence, 1, 9));
  if (version == 2) {
    parts.counter = Digits(sequence, 11, 16);
    parts.record_time_s = static_cast<std::int64_t>(Digits(sequence, 29, 9));
    parts.shard = static_cast<std::uint32_t>(Digits(sequence, 38, 8));
    if (parts.counter > kEndCounter || Digits(sequence, 10, 1) != (parts.shard & 15) ||
        Digits(sequence, 27, 2) != 0)
      return Bad();
  } else if (version == 1) {
    // Version 1: '2', time (9), shard (1), "00", time (9), random (14), counter (2), shard (8), '1'.
    parts.record_time_s = static_cast<std::int64_t>(Digits(sequence, 13, 9));
    parts.shard = static_cast<std::uint32_t>(Digits(sequence, 38, 8));
  } else {
    return Bad();
  }
  if (parts.shard_created_s >= kTooLate_s || parts.record_time_s >= kTooLate_s) return Bad();
  return parts;
}

}  // namespace honryu::broker
