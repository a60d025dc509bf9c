#include "consumer/worker_impl.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

namespace honryu::consumer {

namespace {

/// A read may take this much longer than its long poll before it counts as failed.
constexpr Duration kReadSlack = std::chrono::seconds(10);
/// Less than this is opened where it is.
constexpr std::size_t kInlineBytes = 64 << 10;
constexpr Duration kDeadLetterTimeout = std::chrono::seconds(30);
/// For the last save and the release of one shard.
constexpr Duration kReleaseTimeout = std::chrono::seconds(5);

std::string TextOf(const client::StartPosition& position) {
  const auto* after = std::get_if<client::AfterSequence>(&position);
  return after != nullptr ? after->sequence.ToDecimal() : "its beginning";
}

OpenedPart OpenSome(ReadRecords& read, const client::ShardDescription& shard, const OpeningConfig& config,
                    std::size_t max_records, std::size_t max_bytes) {
  OpenedPart part;
  std::size_t bytes = 0;
  std::vector<client::StreamRecord>& out = part.opened.records;
  while (read.next < read.records.size() && out.size() < max_records && bytes < max_bytes) {
    OpenedRecords one = OpenRecord(std::move(read.records[read.next++]), shard, config);
    for (client::StreamRecord& record : one.records) {
      bytes += record.data.size();
      out.push_back(std::move(record));
    }
    std::ranges::move(one.failed, std::back_inserter(part.opened.failed));
  }
  part.more = read.next < read.records.size();
  return part;
}

}  // namespace

async::Task<void> Worker::Impl::PollTask(client::StreamClient& client, client::ReadRequest request,
                                         Duration patience, async::OneShot<client::ReadBatch> out) {
  Result<client::ReadBatch> batch =
      co_await client.Read(async::Context::WithTimeout(patience), std::move(request));
  out.Set(std::move(batch));
}

// The read runs as a task of its own, so that a stop ends the long poll and nothing else.
async::Task<Result<client::ReadBatch>> Worker::Impl::Poll(HeldShard& held, client::StartPosition from) {
  if (held.halted_by) co_return *held.halted_by;
  client::ReadRequest request;
  request.stream = config.stream;
  request.shard_id = held.id();
  request.from = std::move(from);
  request.max_records = config.max_records;
  request.wait = config.poll_wait;
  async::OneShot<client::ReadBatch> out;
  held.poll.Spawn(executor, "poll " + held.id(),
                  PollTask(client, std::move(request), config.poll_wait + kReadSlack, out));
  Result<client::ReadBatch> batch =
      co_await out.Wait(std::chrono::steady_clock::now() + config.poll_wait + 2 * kReadSlack);
  co_return batch;
}

async::Task<bool> Worker::Impl::PauseAfterFailure(HeldShard& held, const Error& error, int failures) {
  metrics.handler_errors.Add();
  if (held.halted_by || failures >= config.handler_attempts) {
    LOG(error, "shard halted: the handler keeps failing", {"application", config.application},
        {"stream", config.stream}, {"shard", held.id()}, {"attempts", failures}, {"error", error});
    co_return false;
  }
  LOG_LIMITED(warn, "handler failed, trying again", {"application", config.application},
              {"stream", config.stream}, {"shard", held.id()}, {"attempt", failures}, {"error", error});
  async::RetryPolicy policy;
  policy.initial = config.retry_initial;
  policy.max = config.retry_max;
  Result<void> slept = co_await async::SleepFor(async::BackoffDelay(policy, failures - 1, random));
  co_return slept.ok();
}

async::Task<bool> Worker::Impl::Begin(HeldShard& held, client::StartPosition& from) {
  for (int failures = 1; Going(held); ++failures) {
    ShardStart start;
    start.shard = held.shard;
    start.checkpoint = held.lease.checkpoint;
    start.state = held.lease.state;
    start.checkpointer = shards.at(held.id());
    Result<client::StartPosition> position = co_await handler.OnShardStart(std::move(start));
    if (position.ok()) {
      from = std::move(*position);
      co_return true;
    }
    const bool again = co_await PauseAfterFailure(held, position.error(), failures);
    if (!again) co_return false;
  }
  co_return false;
}

async::Task<bool> Worker::Impl::Process(HeldShard& held, Batch batch) {
  for (int failures = 1; Going(held); ++failures) {
    Result<void> done = co_await handler.OnBatch(batch);
    if (done.ok()) {
      held.metrics.records.Add(static_cast<double>(batch.records.size()));
      held.metrics.batches.Add();
      co_return true;
    }
    if (!Going(held)) break;  // the handler ended its wait because of that
    const bool again = co_await PauseAfterFailure(held, done.error(), failures);
    if (!again) co_return false;
  }
  co_return false;
}

async::Task<Result<OpenedPart>> Worker::Impl::OpenNext(HeldShard& held, std::shared_ptr<ReadRecords> read) {
  std::size_t bytes = 0;
  for (std::size_t i = read->next; i < read->records.size(); ++i) bytes += read->records[i].data.size();
  // Scanning and unpacking little is quicker than going to another thread and back.
  if (runtime == nullptr || bytes < kInlineBytes)
    co_return OpenSome(*read, held.shard, config.opening, config.max_records, config.max_bytes);
  // A call that is not waited for any more goes on with what it owns.
  auto work = [read, shard = held.shard, opening = config.opening, max_records = config.max_records,
               max_bytes = config.max_bytes]() -> Result<OpenedPart> {
    return OpenSome(*read, shard, opening, max_records, max_bytes);
  };
  Result<OpenedPart> part = co_await runtime->Blocking(std::move(work));
  co_return part;
}

// Hands over what a read gave, opened, in batches of about max_records: an aggregate of a million tiny
// records must not be one batch. A batch ends between two records of the stream, never inside one.
async::Task<bool> Worker::Impl::ProcessRead(HeldShard& held, client::ReadBatch read) {
  const bool as_it_is = std::ranges::none_of(read.records, [this](const client::StreamRecord& record) {
    return MayNeedOpening(record.data, config.opening);
  });
  if (as_it_is) {
    Batch batch;
    batch.shard_id = held.id();
    batch.records = std::move(read.records);
    batch.behind_latest = read.behind_latest;
    const bool done = co_await Process(held, std::move(batch));
    co_return done;
  }
  auto rest = std::make_shared<ReadRecords>();
  rest->records = std::move(read.records);
  for (bool more = true; more && Going(held);) {
    Result<OpenedPart> part = co_await OpenNext(held, rest);
    if (!part.ok()) co_return false;  // cancelled
    more = part->more;
    if (!part->opened.failed.empty()) {
      const bool aside = co_await SetAside(held, std::move(part->opened.failed));
      if (!aside) co_return false;
    }
    Batch batch;
    batch.shard_id = held.id();
    batch.records = std::move(part->opened.records);
    batch.behind_latest = read.behind_latest;
    if (more) batch.behind_latest = std::max<Duration>(batch.behind_latest, std::chrono::milliseconds(1));
    if (batch.records.empty()) continue;  // empty aggregates, records of another shard, or none opened
    const bool done = co_await Process(held, std::move(batch));
    if (!done) co_return false;
  }
  co_return Going(held);
}

async::Task<bool> Worker::Impl::SetAside(HeldShard& held, std::vector<UnopenedRecord> failed) {
  std::vector<DeadLetter> letters;
  for (UnopenedRecord& one : failed) {
    metrics.open_failures[one.failure].Add();
    LOG_LIMITED(warn, "record not opened", {"application", config.application}, {"stream", config.stream},
                {"shard", held.id()}, {"sequence", one.record.sequence.ToDecimal()},
                {"reason", OpenFailureName(one.failure)}, {"message", one.message});
    DeadLetter& letter = letters.emplace_back();
    letter.application = config.application;
    letter.stream = config.stream;
    letter.shard_id = held.id();
    letter.record = std::move(one.record);
    letter.reason = DeadLetterReason::kUnopenable;
    letter.message = std::string(OpenFailureName(one.failure)) + ": " + one.message;
    letter.first_failure = letter.last_failure = clock.Now();
  }
  if (!dead_letters.enabled()) {
    LOG(error, "shard halted: a record cannot be opened, and dead letters are off",
        {"application", config.application}, {"stream", config.stream}, {"shard", held.id()},
        {"sequence", letters.front().record.sequence.ToDecimal()}, {"message", letters.front().message});
    co_return false;
  }
  for (int failures = 0; Going(held); ++failures) {
    Result<void> written =
        co_await dead_letters.Write(async::Context::WithTimeout(kDeadLetterTimeout), letters);
    if (written.ok()) co_return true;
    LOG_LIMITED(warn, "dead letters not written, trying again", {"application", config.application},
                {"stream", config.stream}, {"shard", held.id()}, {"error", written.error()});
    async::RetryPolicy policy;
    policy.initial = config.retry_initial;
    policy.max = config.retry_max;
    Result<void> slept =
        co_await async::SleepFor(async::BackoffDelay(policy, std::min(failures, 20), random));
    if (!slept.ok()) break;
  }
  co_return false;
}

async::Task<bool> Worker::Impl::ReachEnd(HeldShard& held) {
  for (int failures = 1; Going(held); ++failures) {
    Result<void> done = co_await handler.OnShardEnd(held.id());
    if (done.ok()) co_return true;
    if (!Going(held)) break;  // the handler ended its wait because of that
    const bool again = co_await PauseAfterFailure(held, done.error(), failures);
    if (!again) co_return false;
  }
  co_return false;
}

async::Task<void> Worker::Impl::RunShard(std::shared_ptr<HeldShard> held) {
  client::StartPosition from;
  bool healthy = co_await Begin(*held, from);
  client::StartPosition resume = from;  // where to go on when a cursor has grown too old
  int read_failures = 0;
  while (healthy && Going(*held) && held->phase == HeldShard::Phase::kReading) {
    Result<client::ReadBatch> read = co_await Poll(*held, from);
    if (!Going(*held)) break;
    if (held->halted_by) {
      co_await PauseAfterFailure(*held, *held->halted_by, config.handler_attempts);  // logs and counts
      healthy = false;
      break;
    }
    if (!read.ok()) {
      metrics.read_errors.Add();
      LOG_LIMITED(warn, "read failed, trying again", {"application", config.application},
                  {"stream", config.stream}, {"shard", held->id()}, {"error", read.error()});
      if (read.error().code() == ErrorCode::kExpired) from = resume;
      const bool corrupt = read.error().code() == ErrorCode::kCorrupt;
      if (corrupt) {
        LOG_LIMITED(error, "the log is corrupt, the shard stands still", {"application", config.application},
                    {"stream", config.stream}, {"shard", held->id()}, {"behind", TextOf(resume)},
                    {"error", read.error()});
      }
      Trouble trouble;
      trouble.since = std::chrono::steady_clock::now();
      trouble.corrupt = corrupt;
      trouble.position = TextOf(resume);
      trouble.reason = read.error().message();
      PublishRead(held->id(), std::move(trouble));
      async::RetryPolicy policy;
      policy.initial = corrupt ? config.retry_max : config.retry_initial;
      policy.max = config.retry_max;
      const Duration pause = async::BackoffDelay(policy, std::min(read_failures++, 20), random);
      Result<void> slept = co_await async::SleepFor(pause);
      if (!slept.ok()) break;
      continue;
    }
    if (read_failures > 0) PublishRead(held->id(), std::nullopt);
    read_failures = 0;
    held->metrics.iterator_age_ms.Set(static_cast<double>(ToMs(read->behind_latest)));
    from = client::FromCursor{read->next};
    const bool at_end = read->next.empty();
    if (!read->records.empty()) {
      const client::StreamRecord& last = read->records.back();
      resume = client::AfterSequence{last.sequence};
      const Timestamp newest = last.arrival;
      const bool caught_up = read->behind_latest == Duration::zero();
      held->unprocessed = read->records.front().arrival;
      healthy = co_await ProcessRead(*held, std::move(*read));
      if (healthy) held->unprocessed = caught_up ? std::nullopt : std::optional(newest);
      held->ShowLag(clock.Now());
    } else if (!at_end) {
      held->unprocessed.reset();
      held->ShowLag(clock.Now());
      Result<void> idle = co_await handler.OnIdle(held->id());
      if (!idle.ok()) {
        metrics.handler_errors.Add();
        LOG_LIMITED(warn, "handler failed on an idle shard", {"application", config.application},
                    {"shard", held->id()}, {"error", idle.error()});
      }
    }
    if (healthy && at_end) {
      healthy = co_await ReachEnd(*held);
      if (healthy) held->phase = HeldShard::Phase::kReadToEnd;
    }
  }
  PublishRead(held->id(), std::nullopt);
  if (!healthy && Going(*held)) held->phase = HeldShard::Phase::kHalted;
  Result<void> polls_ended = co_await held->poll.Join();
  if (!polls_ended.ok()) {  // cancelled: the poll is being cancelled too, wait for that
    co_await async::ClearCancellation();
    held->poll.Cancel();
    polls_ended = co_await held->poll.Join();
  }
  if (!Going(*held)) co_await Settle(*held);
  Publish();
}

// Lets go of a shard that is not read any more: saves and releases what is held, forgets what is lost.
async::Task<void> Worker::Impl::Settle(HeldShard& held) {
  if (held.phase == HeldShard::Phase::kGone) co_return;
  if (!held.lost && !abandoned) {
    if (held.phase != HeldShard::Phase::kHalted && !held.lease.finished)
      co_await handler.OnShardStop(held.id());
    held.phase = HeldShard::Phase::kGone;
    Result<void> released =
        co_await client.ReleaseLease(async::Context::WithTimeout(kReleaseTimeout), held.lease);
    if (released.ok()) {
      metrics.released.Add();
    } else {
      LOG_LIMITED(warn, "lease not released, it will expire", {"application", config.application},
                  {"shard", held.id()}, {"error", released.error()});
    }
  }
  if (held.lost) {
    metrics.lost.Add();
    LOG(warn, "lease lost", {"application", config.application}, {"stream", config.stream},
        {"shard", held.id()});
  }
  held.phase = HeldShard::Phase::kGone;
  held.metrics.lag_s.Set(std::numeric_limits<double>::quiet_NaN());
  handler.OnShardLost(held.id());
  shards.erase(held.id());
}

}  // namespace honryu::consumer
