#pragma once

#include "honryu/client/stream_client.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Opening of records: aggregates, compressed data, archives, lines and arrays of JSON become the records that
// their producer meant (docs/consumers.md).
namespace honryu::consumer {

/// When a record is cut into several.
enum class SplitRule : std::uint8_t {
  kNever,
  /// Only where the data is certainly several events: two or more lines that are each one JSON object; or one
  /// JSON array of one or more objects and nothing else. Anything else stays as it is.
  kCertain,
  /// As configured: every line that is not blank is a record, whatever is in it; every element of an array is
  /// a record, whatever its kind, and data that begins with '[' but is no JSON array cannot be opened.
  kAlways,
};

struct OpeningConfig {
  bool aggregates = true;  ///< Of the Kinesis Producer Library, outermost only.
  bool gzip = false;
  bool zlib = false;  ///< Two bytes do not tell it for certain: what does not open whole stays as it is.
  bool zstd = false;
  bool zip = false;  ///< Each file of the archive is a record, in the order of its directory.
  SplitRule lines = SplitRule::kNever;
  SplitRule arrays = SplitRule::kNever;

  // Limits of one record of the stream, against bombs.
  std::size_t max_bytes = 64 << 20;   ///< All that is unpacked, at every layer, together.
  std::size_t max_ratio = 1000;       ///< Unpacked to packed; outputs up to 1 MiB are not judged by it.
  std::size_t max_records = 100'000;  ///< From archives, lines and arrays.
  int max_layers = 4;                 ///< Compressions and archives inside each other.

  /// Everything, lines and arrays where it is certain.
  static OpeningConfig All();
  /// True where records may be anything but themselves.
  bool any() const;
  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

enum class OpenFailure : std::uint8_t {
  kBroken,       ///< It begins as a format does, and is not whole.
  kTooLarge,     ///< More than max_bytes.
  kRatio,        ///< More than max_ratio times its size.
  kTooMany,      ///< More than max_records.
  kTooDeep,      ///< More than max_layers.
  kUnsupported,  ///< An encrypted archive, or a method that is not known.
};
inline constexpr OpenFailure kOpenFailures[] = {OpenFailure::kBroken,  OpenFailure::kTooLarge,
                                                OpenFailure::kRatio,   OpenFailure::kTooMany,
                                                OpenFailure::kTooDeep, OpenFailure::kUnsupported};
/// "broken", "too_large", …: for metrics and dead letters.
std::string_view OpenFailureName(OpenFailure failure);

/// A record, as its producer put it (aggregates apart), that could not be opened.
struct UnopenedRecord {
  client::StreamRecord record;
  OpenFailure failure = OpenFailure::kBroken;
  std::string message;
};

struct OpenedRecords {
  std::vector<client::StreamRecord> records;
  std::vector<UnopenedRecord> failed;
};

/// Whether opening `record` is more than handing it on.
bool MayNeedOpening(BytesView data, const OpeningConfig& config);

/// Opens one record of the stream. The results have its sequence number and arrival; `sub_sequence` tells
/// them apart and rises in their order, the failed ones counted. A record of an aggregate keeps its partition
/// key for what is opened out of it. Such a record opens whole or not at all; its neighbours in the aggregate
/// are not touched by its failure. Data is shared with the record where nothing was unpacked. Pure.
OpenedRecords OpenRecord(client::StreamRecord record, const client::ShardDescription& shard,
                         const OpeningConfig& config);

/// The same for records of one sequence number that were taken out of their aggregate before: they share the
/// limits of one record of the stream. `config.aggregates` does not count.
OpenedRecords OpenUserRecords(std::vector<client::StreamRecord> records, const OpeningConfig& config);

}  // namespace honryu::consumer
