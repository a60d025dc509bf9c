#pragma once

#include "honryu/async/retry.h"
#include "honryu/base/random.h"
#include "honryu/consumer/dead_letter.h"
#include "honryu/consumer/record_handler.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace honryu::consumer {

struct WorkPolicy {
  std::uint32_t max_records = 100;
  std::size_t max_bytes = 6 << 20;
  Duration window = Duration::zero();
  int lanes = 1;
  int max_attempts = 5;
  async::RetryPolicy retry;                    ///< Its pauses.
  Duration max_record_age = Duration::zero();  ///< Zero: any age.
  bool bisect = true;
  bool set_aside = true;     ///< False: a record that cannot be processed halts the shard.
  std::size_t room = 10000;  ///< Records from the oldest unfinished one on; above, no more are wanted.
  std::size_t room_bytes = 64 << 20;  ///< Of the unfinished ones.
};

/// What is to be done with the records of one shard, decided without doing it: gathers records into batches
/// for each lane, takes the outcome of each call, and says what comes next. Lanes are by partition key, and a
/// lane does one thing at a time, so records of one key stay in order. Time is given from outside. Not
/// thread-safe.
///
/// A lane:  idle ──Take──► calling ──Succeeded──────────────► idle
///            ▲               ├─────Failed──► paused ──time──► idle with the same, or half of it
///            │               └─────Failed for the last time─► idle with records to set aside
///            └───Stored── storing ◄──Take──┘
class ShardWork {
 public:
  ShardWork(std::string shard_id, const WorkPolicy& policy, std::uint64_t seed);

  /// Give these records to the handler.
  struct Call {
    std::size_t lane = 0;
    RecordBatch batch;
  };
  /// Store these records as dead letters (application and stream are left empty).
  struct SetAside {
    std::size_t lane = 0;
    std::vector<DeadLetter> letters;
  };
  using Action = std::variant<Call, SetAside>;

  /// Records as they were read, in order. All parts of a stream record come in one call.
  void Add(const std::vector<client::StreamRecord>& records, MonoTime now);
  /// No window is waited for from now on (nor while full()).
  void Flush() { flushing_ = true; }
  /// What can be begun now; each action ends by one of the four calls below with its lane.
  std::vector<Action> Take(MonoTime now, Timestamp wall);
  /// When Take will have something although nothing else happens; nullopt: not.
  std::optional<MonoTime> Due() const;

  void Succeeded(std::size_t lane, MonoTime now);
  /// Overload and unavailability (ErrorCode) are nobody's fault: the same again later, without counting.
  /// Other errors halve the batch (policy.bisect), or count, and at last set it aside.
  void Failed(std::size_t lane, const Error& error, MonoTime now, Timestamp wall);
  /// `report.failed` is not empty.
  void PartlyFailed(std::size_t lane, const BatchReport& report, MonoTime now, Timestamp wall);
  void Stored(std::size_t lane, MonoTime now);

  /// The highest sequence number up to which everything is processed or set aside; nullopt: none yet.
  const std::optional<SequenceNumber>& checkpoint() const { return checkpoint_; }
  /// Why no more is done; only without set_aside.
  const std::optional<Error>& halted() const { return halted_; }
  bool full() const { return items_.size() >= policy_.room || pending_bytes_ >= policy_.room_bytes; }
  bool idle() const { return items_.empty(); }
  std::size_t pending_records() const { return pending_; }
  std::size_t pending_bytes() const { return pending_bytes_; }
  /// Arrival of the oldest unfinished record.
  std::optional<Timestamp> oldest() const;

  struct Counts {
    int retries = 0;    ///< Calls of records that had failed.
    int throttled = 0;  ///< Failures that were nobody's fault.
    int bisects = 0;
  };
  /// Since the last call.
  Counts TakeCounts() { return std::exchange(counts_, Counts()); }

 private:
  using Number = std::uint64_t;  ///< Of an item: the first one ever added is 0.
  struct Item {
    client::StreamRecord record;
    std::size_t bytes = 0;
    bool done = false;
    int calls = 0;
    Timestamp first_failure, last_failure;
  };
  /// Records to be called together.
  struct Segment {
    std::vector<Number> items;
    int attempts = 0;   ///< Failed calls that count.
    int throttles = 0;  ///< In a row.
  };
  struct Lane {
    enum class State : std::uint8_t { kIdle, kCalling, kPaused, kStoring };
    State state = State::kIdle;
    std::deque<Number> queue;
    std::size_t queue_bytes = 0;
    MonoTime gathering_since;
    std::vector<Segment> segments;  ///< Of the batch under way, the next one last.
    std::vector<Number> doomed;     ///< To be set aside before anything else.
    DeadLetterReason doom = DeadLetterReason::kHandler;
    std::string message;
    MonoTime resume;
  };

  Item& At(Number number) { return items_[static_cast<std::size_t>(number - first_)]; }
  bool Gathered(const Lane& lane, MonoTime now) const;
  void FormBatch(Lane& lane);
  void DoomExpired(Lane& lane, Timestamp wall);
  Call MakeCall(std::size_t index);
  SetAside MakeSetAside(std::size_t index, Timestamp wall);
  void NoteFailure(const std::vector<Number>& items, Timestamp wall);
  void Doom(Lane& lane, std::vector<Number> items, DeadLetterReason reason, std::string message);
  void Pause(Lane& lane, int failures, MonoTime now);
  void EndStep(Lane& lane, MonoTime now);
  void Done(const std::vector<Number>& items);
  void Advance();

  const std::string shard_id_;
  const WorkPolicy policy_;
  Random random_;
  std::deque<Item> items_;  ///< From the oldest unfinished one on.
  Number first_ = 0;        ///< Number of items_.front().
  std::vector<Lane> lanes_;
  std::size_t pending_ = 0, pending_bytes_ = 0;
  bool flushing_ = false;
  std::optional<SequenceNumber> checkpoint_;
  std::optional<Error> halted_;
  Counts counts_;
};

}  // namespace honryu::consumer
