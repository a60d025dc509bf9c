#pragma once

#include "honryu/log/engine.h"
#include "honryu/log/record_batch.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// The on-disk layout of the log; the page is docs/storage-format.md. Changing anything here needs a new
// version and a fixture under tests/golden/log.
namespace honryu::log {

// On disk: never reuse. Version 2 is version 1 with sealed units, and needs a reader that knows of them.
inline constexpr std::uint8_t kBatchVersion = 1;
inline constexpr std::uint8_t kSealedBatchVersion = 2;
inline constexpr std::size_t kBatchHeaderSize = 36;
inline constexpr std::size_t kUnitHeaderSize = 20;
inline constexpr std::uint32_t kFormatVersion = 1;  // of the whole database

using SegmentNumber = std::uint64_t;

/// Header of the value that one commit writes for one partition.
struct BatchHeader {
  std::uint32_t unit_count = 0;
  Offset base = 0;
  std::uint32_t record_count = 0;
  std::uint32_t body_bytes = 0;
  Timestamp time;
  bool sealed = false;  ///< Some unit is encrypted.
};
std::string EncodeBatchHeader(const BatchHeader& header);
/// kCorrupt when the checksum, the version or the sizes are wrong.
Result<BatchHeader> DecodeBatchHeader(BytesView value);

/// Splits the body of a batch (everything after the header) into its units, without opening them.
Result<std::vector<Bytes>> SplitUnits(const BatchHeader& header, const Bytes& body);
std::uint32_t UnitRecordCount(BytesView unit);
/// Whether the unit is encrypted.
bool UnitIsSealed(BytesView unit);
/// kCorrupt when the unit's bytes are not those that were written. Needs no key.
Result<void> VerifyUnit(BytesView unit);
/// Opens one unit and calls `take` for each record; `take` returns false to stop. Verifies the checksum if
/// asked to. A sealed unit needs `keys` (may be null): kUnavailable without the right one.
Result<void> ReadUnit(const Bytes& unit, bool verify, const KeyRing* keys,
                      const std::function<bool(Bytes record)>& take);

/// Key of a batch in its group's family: segment, partition, first offset, all big-endian.
std::string BatchKey(SegmentNumber segment, PartitionId partition, Offset first);
struct BatchPlace {
  SegmentNumber segment = 0;
  PartitionId partition = 0;
  Offset first = 0;
};
Result<BatchPlace> ParseBatchKey(BytesView key);
std::string SegmentKey(SegmentNumber segment);

/// "group 3, segment 7, partition 12, offset 4711": how faults are reported.
std::string Describe(GroupId group, const BatchPlace& place);

}  // namespace honryu::log
