#pragma once

#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::consumer {

/// Saves how far one shard has been processed. Shared by the worker and the handler, because a save under way
/// may outlive the reading of the shard. Runs on: the worker's executor. Use it until Worker::Stop returns.
class Checkpointer {
 public:
  virtual ~Checkpointer() = default;
  /// Everything up to `sequence` need not be read again (nullopt: keep the last one), and `state` (at most
  /// 1 MiB, opaque) belongs to it; both are stored together, durably. kFenced once another worker has the
  /// shard; kInvalidArgument for a sequence before the one saved last. One save at a time per shard.
  virtual async::Task<Result<void>> Save(async::Context ctx, std::optional<SequenceNumber> sequence,
                                         std::string state) = 0;
  /// After OnShardEnd: nothing of this closed shard is needed any more. It is never read again.
  virtual async::Task<Result<void>> Finish(async::Context ctx) = 0;
  /// True once the shard is lost or to be given back: a handler that waits should end its call (kCancelled).
  virtual bool ending() const = 0;
  /// Has `call` run once when ending() becomes true (at once when it is), on the worker's executor. Replaces
  /// the call given before; an empty one forgets it.
  virtual void OnEnding(std::function<void()> call) { (void)call; }
  /// The shard is to be read no further because its records cannot be processed: it halts as it does after
  /// repeated errors of the handler, which logs and counts `why`. For handlers that work behind OnBatch.
  virtual void Halt(Error why) { (void)why; }
};

/// A shard that this worker begins to read.
struct ShardStart {
  client::ShardDescription shard;
  std::optional<SequenceNumber> checkpoint;  ///< As saved last, by whichever worker.
  std::string state;                         ///< Saved with it.
  std::shared_ptr<Checkpointer> checkpointer;
};

/// One read's yield or a part of it, in order, opened (WorkerConfig::opening). Sequence numbers may have
/// gaps, and records opened out of one have the same one; a batch never ends between those. `records` is
/// never empty.
struct Batch {
  std::string shard_id;
  std::vector<client::StreamRecord> records;
  Duration behind_latest = Duration::zero();  ///< Zero: the end of the shard was reached.
};

/// What an application does with records. Every call runs on the worker's executor; calls for one shard never
/// overlap, those for different shards may where they wait. A returned error is tried again with growing
/// pauses (WorkerConfig::handler_attempts), then the shard halts: it is read no further until the worker is
/// restarted, an error is logged and honryu_consumer_halted_shards shows it. Applications whose records stand
/// for themselves are RecordHandlers behind a BatchRunner instead, which isolates the record that fails.
/// Calls must return when their coroutine is cancelled.
class Handler {
 public:
  virtual ~Handler() = default;

  /// All shards of the stream that are not finished, whoever reads them: at first before any is read, then
  /// whenever they change.
  virtual void OnShards(const std::vector<client::ShardDescription>& /*shards*/) {}
  /// Says where to begin. The usual answer is StartAtCheckpoint(start, …).
  virtual async::Task<Result<client::StartPosition>> OnShardStart(ShardStart start) = 0;
  /// The same batch comes again after an error. It lives until the task ends.
  virtual async::Task<Result<void>> OnBatch(const Batch& batch) = 0;
  /// A long poll found nothing: the shard is caught up and silent. Called about every poll_wait.
  virtual async::Task<Result<void>> OnIdle(const std::string& /*shard_id*/) { co_return Ok(); }
  /// A closed shard was read to its end. Its lease is kept until Checkpointer::Finish, which may be called
  /// here or later (an open window may still need its records); this worker goes on to its children at once.
  virtual async::Task<Result<void>> OnShardEnd(const std::string& shard_id) = 0;
  /// The worker is about to give the shard back (stop, or another worker's share): the last chance to save.
  virtual async::Task<void> OnShardStop(const std::string& /*shard_id*/) { co_return; }
  /// The shard is no longer this worker's, after OnShardStop or because its lease ran out: forget it. What
  /// was processed since the last checkpoint is processed again by the next owner.
  virtual void OnShardLost(const std::string& /*shard_id*/) {}
};

/// Behind the checkpoint if there is one, else `otherwise`.
client::StartPosition StartAtCheckpoint(const ShardStart& start, client::StartPosition otherwise);

}  // namespace honryu::consumer
