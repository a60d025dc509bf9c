#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/wire/kinesis.h"

#include <optional>
#include <string>
#include <vector>

namespace honryu::wire {

/// A GetRecords answer as a client reads it; keys and data lie in one shared buffer.
struct ReceivedRecords {
  struct Record {
    SequenceNumber sequence;
    Timestamp arrival;
    std::string partition_key;
    Bytes data;
  };
  std::vector<Record> records;
  std::string next_iterator;  ///< Empty at the end of a closed shard.
  std::int64_t behind_ms = 0;
  std::vector<std::string> children;  ///< Shard ids.
};

/// One entry of a PutRecords answer.
struct ReceivedPut {
  std::string shard_id;
  SequenceNumber sequence;
  std::optional<Error> error;  ///< Set: the record was not taken.
};

/// Reads a PutRecords answer; kInvalidArgument when it is no such answer. An entry's ErrorCode becomes the
/// code of the named fault; InternalFailure becomes kUnavailable, because to producers it means "try again".
/// 64 readable bytes must follow `body`.
Result<std::vector<ReceivedPut>> ReadPutRecords(BytesView body);
/// Reads a GetRecords answer; kInvalidArgument when it is no such answer. 64 readable bytes must follow
/// `body`.
Result<ReceivedRecords> ReadGetRecords(BytesView body);
/// Reads one lease of an answer; kInvalidArgument when a member is missing or of another type.
Result<LeaseShape> ReadLease(const codec::Json& json);

}  // namespace honryu::wire
