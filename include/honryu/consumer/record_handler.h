#pragma once

#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"

#include <cstddef>
#include <string>
#include <vector>

namespace honryu::consumer {

/// Records of one shard to be processed together.
struct RecordBatch {
  std::string shard_id;
  /// The same whenever these records come together again, also to another worker: outputs may be keyed by it.
  std::string id;
  int attempt = 1;  ///< Above 1: these records, together or among others, have failed before.
  std::vector<client::StreamRecord> records;  ///< Never empty; records of one partition key are in order.
};

/// What became of a batch that was processed at all.
struct BatchReport {
  /// Places in `records` of what failed; empty: all of it is done.
  std::vector<std::size_t> failed;
  /// False: the first of `failed` was the end, everything from it on comes again. True: only those of
  /// `failed` come again, which gives up their order with records after them.
  bool rest_done = false;
  std::string message;  ///< Why, for people.
};

/// What a stateless application does with records: a BatchRunner gathers, retries, isolates and checkpoints.
class RecordHandler {
 public:
  virtual ~RecordHandler() = default;
  /// Processes a batch. Calls overlap: one for each shard and lane. An error means that nothing is known to
  /// be done. kOverloaded and kUnavailable say that the records are not to blame: they come again, for ever
  /// or until they are too old. `ctx` has a deadline. Must return when its coroutine is cancelled. Runs on:
  /// the runner's executor. `batch` lives until the task ends.
  virtual async::Task<Result<BatchReport>> Process(async::Context ctx, const RecordBatch& batch) = 0;
};

}  // namespace honryu::consumer
