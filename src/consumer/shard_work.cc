#include "consumer/shard_work.h"

#include <algorithm>
#include <cstdio>

namespace honryu::consumer {

namespace {

bool NobodysFault(const Error& error) {
  return error.code() == ErrorCode::kOverloaded || error.code() == ErrorCode::kUnavailable;
}

std::string BatchId(const std::string& shard_id, const std::vector<client::StreamRecord>& records) {
  std::string text = shard_id;
  for (const client::StreamRecord* record : {&records.front(), &records.back()}) {
    text += '\n';
    record->sequence.AppendDecimal(text);
    text += '.' + std::to_string(record->sub_sequence);
  }
  const UInt128 hash = Md5HashKey(text + '\n' + std::to_string(records.size()));
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return id;
}

}  // namespace

ShardWork::ShardWork(std::string shard_id, const WorkPolicy& policy, std::uint64_t seed)
    : shard_id_(std::move(shard_id)),
      policy_(policy),
      random_(seed),
      lanes_(static_cast<std::size_t>(std::max(1, policy.lanes))) {}

void ShardWork::Add(const std::vector<client::StreamRecord>& records, MonoTime now) {
  for (const client::StreamRecord& record : records) {
    std::size_t index = 0;
    if (lanes_.size() > 1)
      index = static_cast<std::size_t>(Md5HashKey(record.partition_key).high % lanes_.size());
    Lane& lane = lanes_[index];
    Item& item = items_.emplace_back();
    item.record = record;
    item.bytes = record.data.size() + record.partition_key.size();
    if (lane.queue.empty()) lane.gathering_since = std::max(lane.gathering_since, now);
    lane.queue.push_back(first_ + items_.size() - 1);
    lane.queue_bytes += item.bytes;
    pending_bytes_ += item.bytes;
    ++pending_;
  }
}

bool ShardWork::Gathered(const Lane& lane, MonoTime now) const {
  if (lane.queue.empty()) return false;
  return flushing_ || full() || lane.queue.size() >= policy_.max_records ||
         lane.queue_bytes >= policy_.max_bytes || now >= lane.gathering_since + policy_.window;
}

void ShardWork::FormBatch(Lane& lane) {
  Segment segment;
  std::size_t bytes = 0;
  while (!lane.queue.empty() && segment.items.size() < policy_.max_records) {
    const std::size_t size = At(lane.queue.front()).bytes;
    if (!segment.items.empty() && bytes + size > policy_.max_bytes) break;
    bytes += size;
    segment.items.push_back(lane.queue.front());
    lane.queue.pop_front();
  }
  lane.queue_bytes -= bytes;
  lane.segments.push_back(std::move(segment));
}

// Records that have grown too old while they waited or failed.
void ShardWork::DoomExpired(Lane& lane, Timestamp wall) {
  if (policy_.max_record_age <= Duration::zero()) return;
  Segment& segment = lane.segments.back();
  std::vector<Number> fresh, old;
  for (const Number number : segment.items)
    (wall - At(number).record.arrival > policy_.max_record_age ? old : fresh).push_back(number);
  if (old.empty()) return;
  segment.items = std::move(fresh);
  if (segment.items.empty()) lane.segments.pop_back();
  Doom(lane, std::move(old), DeadLetterReason::kExpired,
       lane.message.empty() ? "older than the application accepts" : lane.message);
}

std::vector<ShardWork::Action> ShardWork::Take(MonoTime now, Timestamp wall) {
  std::vector<Action> actions;
  for (std::size_t i = 0; i < lanes_.size() && !halted_; ++i) {
    Lane& lane = lanes_[i];
    if (lane.state == Lane::State::kPaused && now >= lane.resume) lane.state = Lane::State::kIdle;
    if (lane.state != Lane::State::kIdle) continue;
    if (lane.doomed.empty()) {
      if (lane.segments.empty() && Gathered(lane, now)) FormBatch(lane);
      if (lane.segments.empty()) continue;
      DoomExpired(lane, wall);
      if (halted_) break;
    }
    if (lane.doomed.empty()) {
      actions.emplace_back(MakeCall(i));
    } else {
      actions.emplace_back(MakeSetAside(i, wall));
    }
  }
  return actions;
}

std::optional<MonoTime> ShardWork::Due() const {
  std::optional<MonoTime> due;
  const auto at = [&due](MonoTime time) { due = due ? std::min(*due, time) : time; };
  for (const Lane& lane : lanes_) {
    if (lane.state == Lane::State::kPaused) at(lane.resume);
    if (lane.state == Lane::State::kIdle && lane.segments.empty() && lane.doomed.empty() &&
        !lane.queue.empty())
      at(lane.gathering_since + policy_.window);
  }
  return due;
}

ShardWork::Call ShardWork::MakeCall(std::size_t index) {
  Lane& lane = lanes_[index];
  Call call;
  call.lane = index;
  call.batch.shard_id = shard_id_;
  const Segment& segment = lane.segments.back();
  for (const Number number : segment.items) {
    Item& item = At(number);
    call.batch.attempt = std::max(call.batch.attempt, ++item.calls);
    call.batch.records.push_back(item.record);
  }
  if (call.batch.attempt > 1) ++counts_.retries;
  call.batch.id = BatchId(shard_id_, call.batch.records);
  lane.state = Lane::State::kCalling;
  return call;
}

ShardWork::SetAside ShardWork::MakeSetAside(std::size_t index, Timestamp wall) {
  Lane& lane = lanes_[index];
  SetAside aside;
  aside.lane = index;
  for (const Number number : lane.doomed) {
    const Item& item = At(number);
    const bool failed = item.first_failure != Timestamp();
    DeadLetter& letter = aside.letters.emplace_back();
    letter.shard_id = shard_id_;
    letter.record = item.record;
    letter.reason = lane.doom;
    letter.message = lane.message;
    letter.attempts = item.calls;
    letter.first_failure = failed ? item.first_failure : wall;
    letter.last_failure = failed ? item.last_failure : wall;
  }
  lane.state = Lane::State::kStoring;
  return aside;
}

void ShardWork::Succeeded(std::size_t index, MonoTime now) {
  Lane& lane = lanes_[index];
  Done(lane.segments.back().items);
  lane.segments.pop_back();
  lane.message.clear();
  EndStep(lane, now);
}

void ShardWork::Failed(std::size_t index, const Error& error, MonoTime now, Timestamp wall) {
  Lane& lane = lanes_[index];
  Segment& segment = lane.segments.back();
  NoteFailure(segment.items, wall);
  lane.message = error.ToString();
  if (NobodysFault(error)) {
    ++counts_.throttled;
    Pause(lane, segment.throttles++, now);
    return;
  }
  segment.throttles = 0;
  if (policy_.bisect && segment.items.size() > 1) {
    // [a b c d] fails  ->  [a b] next, then [c d]. No attempt is used up: it is not the same call again.
    ++counts_.bisects;
    const auto middle = segment.items.begin() + static_cast<std::ptrdiff_t>(segment.items.size() / 2);
    Segment first;
    first.items.assign(segment.items.begin(), middle);
    segment.items.erase(segment.items.begin(), middle);
    lane.segments.push_back(std::move(first));
    Pause(lane, 0, now);
    return;
  }
  if (++segment.attempts < policy_.max_attempts) {
    Pause(lane, segment.attempts - 1, now);
    return;
  }
  std::vector<Number> items = std::move(segment.items);
  lane.segments.pop_back();
  Doom(lane, std::move(items), DeadLetterReason::kHandler, lane.message);
  EndStep(lane, now);
}

void ShardWork::PartlyFailed(std::size_t index, const BatchReport& report, MonoTime now, Timestamp wall) {
  Lane& lane = lanes_[index];
  Segment& segment = lane.segments.back();
  std::vector<std::size_t> failed = report.failed;
  std::ranges::sort(failed);
  failed.erase(std::ranges::unique(failed).begin(), failed.end());
  if (failed.back() >= segment.items.size()) {
    Failed(index, Error(ErrorCode::kInvalidArgument, "the report names a record that was not in the batch"),
           now, wall);
    return;
  }
  lane.message = report.message.empty() ? "reported as failed" : report.message;
  std::vector<Number> done, again, blamed;
  std::size_t next = 0;
  for (std::size_t i = 0; i < segment.items.size(); ++i) {
    const bool named = next < failed.size() && failed[next] == i;
    if (named) ++next;
    const bool repeat = report.rest_done ? named : i >= failed.front();
    (repeat ? again : done).push_back(segment.items[i]);
    if (report.rest_done ? named : i == failed.front()) blamed.push_back(segment.items[i]);
  }
  NoteFailure(blamed, wall);
  Done(done);
  segment.throttles = 0;
  segment.attempts = done.empty() ? segment.attempts + 1 : 1;
  segment.items = std::move(again);
  if (segment.attempts < policy_.max_attempts) {
    Pause(lane, segment.attempts - 1, now);
    return;
  }
  // It is known who is to blame (what comes again begins with them): the others begin anew without them.
  segment.items.erase(segment.items.begin(),
                      segment.items.begin() + static_cast<std::ptrdiff_t>(blamed.size()));
  segment.attempts = 0;
  if (segment.items.empty()) lane.segments.pop_back();
  Doom(lane, std::move(blamed), DeadLetterReason::kHandler, lane.message);
  EndStep(lane, now);
}

void ShardWork::Stored(std::size_t index, MonoTime now) {
  Lane& lane = lanes_[index];
  Done(lane.doomed);
  lane.doomed.clear();
  lane.message.clear();
  EndStep(lane, now);
}

void ShardWork::NoteFailure(const std::vector<Number>& items, Timestamp wall) {
  for (const Number number : items) {
    Item& item = At(number);
    if (item.first_failure == Timestamp()) item.first_failure = wall;
    item.last_failure = wall;
  }
}

void ShardWork::Doom(Lane& lane, std::vector<Number> items, DeadLetterReason reason, std::string message) {
  if (!policy_.set_aside) {
    const client::StreamRecord& record = At(items.front()).record;
    halted_ = Error(ErrorCode::kFailedPrecondition,
                    "record " + record.sequence.ToDecimal() +
                        " cannot be processed, and dead letters are off: " + message);
    return;
  }
  lane.doomed = std::move(items);
  lane.doom = reason;
  lane.message = std::move(message);
}

void ShardWork::Pause(Lane& lane, int failures, MonoTime now) {
  lane.state = Lane::State::kPaused;
  lane.resume = now + async::BackoffDelay(policy_.retry, std::min(failures, 30), random_);
}

void ShardWork::EndStep(Lane& lane, MonoTime now) {
  lane.state = Lane::State::kIdle;
  if (lane.segments.empty() && lane.doomed.empty()) lane.gathering_since = now;
}

void ShardWork::Done(const std::vector<Number>& items) {
  for (const Number number : items) {
    Item& item = At(number);
    item.done = true;
    item.record.data = Bytes();
    item.record.partition_key.clear();
    pending_bytes_ -= item.bytes;
    --pending_;
  }
  Advance();
}

void ShardWork::Advance() {
  while (!items_.empty() && items_.front().done) {
    const SequenceNumber sequence = items_.front().record.sequence;
    items_.pop_front();
    ++first_;
    // All parts of a stream record, or it is not done.
    if (items_.empty() || items_.front().record.sequence != sequence) checkpoint_ = sequence;
  }
}

std::optional<Timestamp> ShardWork::oldest() const {
  if (items_.empty()) return std::nullopt;
  return items_.front().record.arrival;
}

}  // namespace honryu::consumer
