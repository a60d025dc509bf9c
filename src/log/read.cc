#include "honryu/obs/log.h"
#include "rocksdb_engine_impl.h"

#include <algorithm>

namespace honryu::log {

namespace {

constexpr std::size_t kReadAhead = 1 << 20;

// Collects records until a limit is reached.
class Collector {
 public:
  Collector(ReadOutcome& out, ReadLimits limits, const KeyRing* keys)
      : out_(out), limits_(limits), keys_(keys) {}
  bool full() const { return full_; }
  bool Take(Offset offset, Timestamp time, Bytes record, bool sealed) {
    if (!out_.records.empty() &&
        (out_.records.size() >= limits_.max_records || bytes_ + record.size() > limits_.max_bytes)) {
      full_ = true;
      return false;
    }
    bytes_ += record.size();
    out_.records.push_back(LogRecord{offset, time, std::move(record), sealed});
    out_.next = offset + 1;
    return true;
  }
  // Takes the wanted part of a batch.
  Result<void> TakeBatch(Offset base, Timestamp time, const std::vector<Bytes>& units, bool verify) {
    Offset offset = base;
    for (const Bytes& unit : units) {
      const Offset after = offset + UnitRecordCount(unit);
      if (after > out_.next) {
        const bool sealed = UnitIsSealed(unit);
        HONRYU_TRY_VOID(ReadUnit(unit, verify, keys_, [&](Bytes record) {
          const Offset here = offset++;
          return here < out_.next || Take(here, time, std::move(record), sealed);
        }));
        if (full_) return Ok();
      }
      offset = after;
    }
    return Ok();
  }

 private:
  ReadOutcome& out_;
  const ReadLimits limits_;
  const KeyRing* const keys_;
  std::size_t bytes_ = 0;
  bool full_ = false;
};

Error Gone(PartitionId partition) {
  return Error(ErrorCode::kNotFound, "no partition " + std::to_string(partition));
}

}  // namespace

async::Task<Result<ReadOutcome>> RocksdbEngineImpl::Read(async::Context, PartitionId partition, Offset from,
                                                         ReadLimits limits) {
  const std::shared_ptr<PartitionState> state = FindPartition(partition);
  if (state == nullptr) co_return Gone(partition);
  ReadOutcome out;
  std::vector<std::shared_ptr<const CachedBatch>> tail;
  {
    const std::lock_guard lock(state->mutex);
    out.next = std::max(from, state->first());
    out.end = state->next;
    out.last_time = state->last_time;
    if (out.next >= out.end) {
      out.next = std::min(out.next, std::max(out.end, from));
      co_return out;
    }
    if (!state->tail.empty() && state->tail.front()->base <= out.next) {
      auto at = std::upper_bound(state->tail.begin(), state->tail.end(), out.next,
                                 [](Offset o, const auto& b) { return o < b->base; });
      std::size_t bytes = 0;
      for (--at; at != state->tail.end() && bytes <= limits.max_bytes; ++at) {
        tail.push_back(*at);
        bytes += (*at)->bytes;
      }
    }
  }
  if (!tail.empty()) {
    Collector collector(out, limits, config_.keys.get());
    for (const auto& batch : tail) {
      if (const Result<void> taken = collector.TakeBatch(batch->base, batch->time, batch->units, false);
          !taken.ok())
        co_return taken.error();
      if (collector.full()) break;
    }
    co_return out;
  }
  Result<ReadOutcome> cold =
      co_await calls_.Run([this, state, from, limits] { return ReadCold(state, from, limits); });
  co_return cold;
}

Error RocksdbEngineImpl::CorruptAt(GroupId group, const BatchPlace& place, const Error& why) {
  metrics_.corrupt.Add();
  const std::string where = Describe(group, place);
  LOG_LIMITED(error, "corrupt data in the log", {"position", where}, {"error", why});
  return Error(ErrorCode::kCorrupt, "corrupt data at " + where + ": " + why.message());
}

Result<ReadOutcome> RocksdbEngineImpl::ReadCold(std::shared_ptr<PartitionState> partition, Offset from,
                                                ReadLimits limits) {
  const std::shared_ptr<kv::Database> db = database();
  if (db == nullptr) return Error(ErrorCode::kUnavailable, "the log is being reopened");
  const std::shared_ptr<kv::Family> family = db->Find(FamilyName(partition->group));
  if (family == nullptr) return Gone(partition->id);
  ReadOutcome out;
  std::deque<PartitionSegment> segments;
  {
    const std::lock_guard lock(partition->mutex);
    segments = partition->segments;
    out.next = std::max(from, partition->first());
    out.end = partition->next;
    out.last_time = partition->last_time;
  }
  Collector collector(out, limits, config_.keys.get());
  // What stands before a damage goes out first; the next read, which begins there, meets it.
  const auto damaged = [&](const BatchPlace& place, const Error& why) -> Result<ReadOutcome> {
    if (!out.records.empty()) return std::move(out);
    if (why.code() != ErrorCode::kCorrupt) return why;  // sealed, and the key is not here
    return CorruptAt(partition->group, place, why);
  };
  auto segment = std::upper_bound(segments.begin(), segments.end(), out.next,
                                  [](Offset o, const PartitionSegment& s) { return o < s.first; });
  if (segment != segments.begin()) --segment;
  for (; segment != segments.end() && out.next < out.end && !collector.full(); ++segment) {
    const std::string lower = BatchKey(segment->segment, partition->id, 0),
                      upper = BatchKey(segment->segment, partition->id, ~0ULL);
    kv::Iterator it = db->Scan(*family, lower, upper, kReadAhead);
    if (out.next > segment->first) {
      it.SeekForPrev(BatchKey(segment->segment, partition->id, out.next));
    } else {
      it.SeekToFirst();
    }
    BatchPlace place{segment->segment, partition->id, out.next};
    for (; it.valid() && !collector.full(); it.Next()) {
      Result<BatchPlace> key = ParseBatchKey(it.key());
      if (!key.ok()) return damaged(place, key.error());
      place = *key;
      if (place.first >= out.end) {  // in the memtable already, but not yet durable
        out.next = out.end;
        return out;
      }
      const Result<BatchHeader> header = DecodeBatchHeader(it.value());
      if (!header.ok()) return damaged(place, header.error());
      if (header->base != place.first)
        return damaged(place, Error(ErrorCode::kCorrupt, "batch is not the one of its key"));
      if (header->base + header->record_count <= out.next) continue;
      const Bytes body = Bytes::Copy(it.value().substr(kBatchHeaderSize));
      const Result<std::vector<Bytes>> units = SplitUnits(*header, body);
      if (!units.ok()) return damaged(place, units.error());
      if (const Result<void> taken = collector.TakeBatch(header->base, header->time, *units, true);
          !taken.ok()) {
        return damaged(place, taken.error());
      }
    }
    if (const Result<void> status = it.status(); !status.ok()) {
      if (status.error().code() == ErrorCode::kCorrupt) return damaged(place, status.error());
      return status.error();
    }
  }
  // Behind the last record may lie offsets that a crash left unused: nothing is there to be read.
  if (!collector.full()) out.next = std::max(out.next, out.end);
  return out;
}

async::Task<Result<void>> RocksdbEngineImpl::WaitFor(async::Context ctx, PartitionId partition, Offset from) {
  const std::shared_ptr<PartitionState> state = FindPartition(partition);
  if (state == nullptr) co_return Gone(partition);
  const async::OneShot<bool> wake;
  std::list<PartitionState::Waiter>::iterator place;
  {
    const std::lock_guard lock(state->mutex);
    if (state->next > from || state->waits_ended) co_return Ok();
    place = state->waiters.insert(state->waiters.end(), PartitionState::Waiter{from, wake});
  }
  Result<bool> woken = co_await wake.Wait(ctx.deadline);
  {
    // Set() and the removal happen together under this mutex: a wake that was not set is still in the list.
    const std::lock_guard lock(state->mutex);
    if (!wake.ready()) state->waiters.erase(place);
  }
  if (!woken.ok()) co_return woken.error();
  co_return Ok();
}

void RocksdbEngineImpl::EndWaits(const std::vector<PartitionId>& partitions) {
  for (const PartitionId partition : partitions) {
    const std::shared_ptr<PartitionState> state = FindPartition(partition);
    if (state == nullptr) continue;
    const std::lock_guard lock(state->mutex);
    state->waits_ended = true;
    for (const auto& waiter : state->waiters) waiter.wake.Set(true);
    state->waiters.clear();
  }
}

async::Task<Result<Offset>> RocksdbEngineImpl::FindByTime(async::Context, PartitionId partition,
                                                          Timestamp time) {
  const std::shared_ptr<PartitionState> state = FindPartition(partition);
  if (state == nullptr) co_return Gone(partition);
  {
    const std::lock_guard lock(state->mutex);
    if (state->segments.empty() || time > state->last_time) co_return state->next;
    if (time <= state->segments.front().first_time) co_return state->first();
  }
  Result<Offset> found = co_await calls_.Run([this, state, time] { return FindByTimeCold(state, time); });
  co_return found;
}

Result<Offset> RocksdbEngineImpl::FindByTimeCold(std::shared_ptr<PartitionState> partition, Timestamp time) {
  const std::shared_ptr<kv::Database> db = database();
  if (db == nullptr) return Error(ErrorCode::kUnavailable, "the log is being reopened");
  const std::shared_ptr<kv::Family> family = db->Find(FamilyName(partition->group));
  if (family == nullptr) return Gone(partition->id);
  std::deque<PartitionSegment> segments;
  Offset end = 0;
  {
    const std::lock_guard lock(partition->mutex);
    segments = partition->segments;
    end = partition->next;
  }
  // The last segment that begins before `time` holds the place, or it is the start of the one after it.
  auto segment = std::partition_point(segments.begin(), segments.end(),
                                      [&](const PartitionSegment& s) { return s.first_time < time; });
  if (segment == segments.begin()) return segments.empty() ? end : segment->first;
  Offset high = segment == segments.end() ? end : segment->first;
  --segment;
  Offset low = segment->first;
  const std::string lower = BatchKey(segment->segment, partition->id, 0),
                    upper = BatchKey(segment->segment, partition->id, ~0ULL);
  kv::Iterator it = db->Scan(*family, lower, upper);
  while (low < high) {
    const Offset middle = low + (high - low) / 2;
    it.SeekForPrev(BatchKey(segment->segment, partition->id, middle));
    if (!it.valid()) {
      HONRYU_TRY_VOID(it.status());
      break;
    }
    const Result<BatchPlace> place = ParseBatchKey(it.key());
    if (!place.ok())
      return CorruptAt(partition->group, BatchPlace{segment->segment, partition->id, low}, place.error());
    const Result<BatchHeader> header = DecodeBatchHeader(it.value());
    if (!header.ok()) return CorruptAt(partition->group, *place, header.error());
    if (header->time >= time) {
      high = header->base;
    } else {
      // Offsets that were never given lie behind some batches: `middle` may be one of them.
      low = std::max(header->base + header->record_count, middle + 1);
    }
  }
  return std::min(std::max(low, high), end);
}

}  // namespace honryu::log
