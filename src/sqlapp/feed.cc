#include "honryu/sqlapp/feed.h"

#include <algorithm>
#include <iterator>

namespace honryu::sqlapp {
namespace {

constexpr std::size_t kRecordBytes = 96;  // of a record beside its data, roughly
// Clocks of brokers and ours differ by less: a record that came so long before an answer of another shard was
// in the log before it.
constexpr std::int64_t kSettledMs = 3000;

}  // namespace

void Feed::Resume(const Machine& machine) {
  last_cut_ = machine.last_cut();
  last_ms_ = machine.now_ms();
  for (const Machine::Shard& known : machine.shards()) {
    const Key key(known.stream, known.id);
    Shard& shard = shards_[key];
    shard = Shard();  // of several of one name the last one counts
    shard.number = static_cast<std::uint32_t>(numbered_.size());
    shard.read = known.position;
    shard.closed = shard.ended = known.closed;
    shard.behind = known.behind;
    numbered_.push_back(key);
  }
}

void Feed::OnShards(std::uint32_t stream, const std::vector<client::ShardDescription>& shards) {
  listed_.insert(stream);
  for (auto& [key, shard] : shards_)
    if (key.first == stream) shard.listed = false;
  for (const client::ShardDescription& description : shards) {
    shards_[{stream, description.shard_id}].listed = true;
    for (const std::string* parent : {&description.parent_id, &description.adjacent_parent_id})
      if (!parent->empty()) parents_[stream].insert(*parent);
  }
}

std::optional<SequenceNumber> Feed::OnStart(std::uint32_t stream, const std::string& id,
                                            std::int64_t now_ms) {
  Shard& shard = shards_[{stream, id}];
  shard.listed = shard.started = true;
  shard.ended = shard.caught_up = false;
  shard.answered_ms = now_ms;
  return shard.read;
}

void Feed::OnRestart(std::uint32_t stream, const std::string& id) {
  Shard& shard = shards_[{stream, id}];
  for (const Chunk& chunk : shard.chunks) Forget(shard, chunk);
  shard.chunks.clear();
  shard.read.reset();
  shard.restarted = shard.number.has_value();
  if (!shard.closed) return;
  shard.closed = shard.ended = false;  // a new one, with a number of its own
  shard.number.reset();
  shard.restarted = false;
}

bool Feed::Full(std::uint32_t stream, const std::string& id) const {
  const auto found = shards_.find({stream, id});
  if (found == shards_.end()) return false;
  const Shard& shard = found->second;
  if (shard.needed.has_value() && (!shard.read.has_value() || *shard.read < *shard.needed)) return false;
  if (shard.records == 0) return false;
  return shard.records >= config_.max_records || shard.bytes >= config_.max_bytes ||
         bytes_ >= config_.max_total_bytes;
}

void Feed::OnRecords(std::uint32_t stream, const std::string& id,
                     const std::vector<client::StreamRecord>& records, bool caught_up, std::int64_t now_ms) {
  Shard& shard = shards_[{stream, id}];
  Chunk chunk;
  const std::optional<SequenceNumber> before = shard.read;
  for (const client::StreamRecord& record : records) {
    if (before.has_value() && record.sequence <= *before) continue;
    chunk.bytes += record.data.size() + record.partition_key.size() + kRecordBytes;
    chunk.records.push_back(record);
    shard.read = record.sequence;
  }
  shard.answered_ms = now_ms;
  shard.caught_up = caught_up;
  if (chunk.records.empty()) return;
  chunk.due_ms = std::min(now_ms, ToMs(chunk.records.back().arrival) + kSettledMs);
  shard.records += chunk.records.size();
  shard.bytes += chunk.bytes;
  bytes_ += chunk.bytes;
  shard.chunks.push_back(std::move(chunk));
}

void Feed::OnEmpty(std::uint32_t stream, const std::string& id, std::int64_t now_ms) {
  Shard& shard = shards_[{stream, id}];
  shard.answered_ms = now_ms;
  shard.caught_up = true;
}

void Feed::OnEnd(std::uint32_t stream, const std::string& id) { shards_[{stream, id}].ended = true; }

void Feed::OnLost(std::uint32_t stream, const std::string& id) {
  Shard& shard = shards_[{stream, id}];
  shard.started = shard.caught_up = false;
}

// Caught up, and heard of lately: while it is silent, nobody may run ahead of its last answer.
bool Feed::Holds(const Shard& shard, std::int64_t now_ms) const {
  return shard.started && !shard.ended && shard.caught_up &&
         now_ms - shard.answered_ms <= config_.patience_ms;
}

void Feed::Forget(Shard& shard, const Chunk& chunk) {
  shard.records -= chunk.records.size();
  shard.bytes -= chunk.bytes;
  bytes_ -= chunk.bytes;
}

std::optional<SequenceNumber> Feed::TakeChunks(Shard& shard, std::int64_t until_ms,
                                               std::vector<client::StreamRecord>& out) {
  while (!shard.chunks.empty() && shard.chunks.front().due_ms <= until_ms) {
    Chunk& chunk = shard.chunks.front();
    Forget(shard, chunk);
    std::ranges::move(chunk.records, std::back_inserter(out));
    shard.chunks.pop_front();
  }
  if (out.empty()) return std::nullopt;
  return out.back().sequence;
}

std::optional<Cut> Feed::Next(std::int64_t now_ms, CutRecords& records, bool wanted) {
  Cut cut;
  cut.number = last_cut_ + 1;
  std::int64_t time = now_ms;
  for (const auto& [key, shard] : shards_)
    if (shard.chunks.empty() && Holds(shard, now_ms)) time = std::min(time, shard.answered_ms);
  cut.now_ms = std::max(time, last_ms_);
  for (auto& [key, shard] : shards_) {
    if (!shard.number.has_value() && !shard.listed) continue;
    if (shard.closed) continue;
    ShardStep step;
    if (!shard.number.has_value()) {
      shard.number = static_cast<std::uint32_t>(numbered_.size());
      numbered_.push_back(key);
      shard.behind = true;
      step.added = true;
      step.stream = key.first;
      step.id = key.second;
    }
    step.shard = *shard.number;
    step.restarted = std::exchange(shard.restarted, false);
    std::vector<client::StreamRecord> taken;
    step.upto = TakeChunks(shard, cut.now_ms, taken);
    if (step.upto.has_value()) records[step.shard] = std::move(taken);
    const bool behind = !Holds(shard, now_ms) || !shard.chunks.empty();
    if (behind != shard.behind || step.added) step.behind = behind;
    shard.behind = behind;
    // Its children must be known, for they may hold records as old as those of the other shards; one that
    // is not even listed any more has none to wait for.
    const bool followed = parents_[key.first].contains(key.second);
    const bool gone = listed_.contains(key.first) && !shard.listed && !shard.started;
    if (shard.chunks.empty() && ((shard.ended && (followed || !shard.listed)) || gone)) {
      step.closed = shard.closed = true;
    }
    if (step.added || step.restarted || step.upto.has_value() || step.behind.has_value() || step.closed)
      cut.steps.push_back(std::move(step));
  }
  // By number: shards that are new come in the order of their numbers.
  std::sort(cut.steps.begin(), cut.steps.end(),
            [](const ShardStep& a, const ShardStep& b) { return a.shard < b.shard; });
  AssignLanes(cut, records);
  if (cut.steps.empty() && cut.now_ms == last_ms_ && !wanted) return std::nullopt;
  last_cut_ = cut.number;
  last_ms_ = cut.now_ms;
  return cut;
}

// A shard goes where its middle falls:
//
//   bytes 100 | 300 | 200     two lanes of 300: the middles 50, 250 | 500
void Feed::AssignLanes(Cut& cut, const CutRecords& records) const {
  std::map<std::uint32_t, std::size_t> sizes;
  std::size_t total = 0;
  for (const auto& [shard, taken] : records) {
    std::size_t& size = sizes[shard];
    for (const client::StreamRecord& record : taken) size += record.data.size() + kRecordBytes;
    total += size;
  }
  const std::size_t lanes =
      std::min({config_.lanes, sizes.size(), total / std::max<std::size_t>(config_.min_lane_bytes, 1)});
  if (lanes < 2) return;
  std::size_t before = 0, begun_at = 0, lane = 0;
  for (ShardStep& step : cut.steps) {
    const auto size = sizes.find(step.shard);
    if (size == sizes.end()) continue;
    const std::size_t wanted = (before + size->second / 2) * lanes / total;
    if (wanted > lane && before - begun_at >= config_.min_lane_bytes &&
        total - before >= config_.min_lane_bytes) {
      step.next_lane = true;
      lane = wanted;
      begun_at = before;
    }
    before += size->second;
  }
}

void Feed::Await(const Cut& cut) {
  std::vector<Key> keys = numbered_;
  for (const ShardStep& step : cut.steps) {
    if (step.added) keys.emplace_back(step.stream, step.id);
    if (step.upto.has_value()) shards_[keys[step.shard]].needed = step.upto;
  }
}

bool Feed::Has(const Cut& cut) const {
  std::vector<Key> keys = numbered_;
  for (const ShardStep& step : cut.steps) {
    if (step.added) keys.emplace_back(step.stream, step.id);
    if (!step.upto.has_value()) continue;
    const Key& key = keys[step.shard];
    const auto found = shards_.find(key);
    if (found == shards_.end()) return false;
    const Shard& shard = found->second;
    if (shard.read.has_value() && *shard.read >= *step.upto) continue;
    if (shard.ended || (shard.started && shard.caught_up)) continue;  // they have expired
    if (!shard.listed && !shard.started && listed_.contains(key.first)) continue;
    return false;
  }
  return true;
}

void Feed::TakeUpTo(Shard& shard, const SequenceNumber& upto, std::vector<client::StreamRecord>& out) {
  while (!shard.chunks.empty()) {
    Chunk& chunk = shard.chunks.front();
    const auto behind = std::find_if(chunk.records.begin(), chunk.records.end(),
                                     [&upto](const auto& record) { return record.sequence > upto; });
    Chunk taken;
    taken.records.assign(std::make_move_iterator(chunk.records.begin()), std::make_move_iterator(behind));
    for (const client::StreamRecord& record : taken.records)
      taken.bytes += record.data.size() + record.partition_key.size() + kRecordBytes;
    const bool whole = behind == chunk.records.end();
    chunk.records.erase(chunk.records.begin(), behind);
    Forget(shard, taken);
    chunk.bytes -= taken.bytes;
    std::ranges::move(taken.records, std::back_inserter(out));
    if (!whole) return;
    shard.chunks.pop_front();
  }
}

void Feed::Take(const Cut& cut, CutRecords& records) {
  for (const ShardStep& step : cut.steps) {
    if (step.added) {
      const Key key(step.stream, step.id);
      shards_[key].number = static_cast<std::uint32_t>(numbered_.size());
      shards_[key].behind = true;
      numbered_.push_back(key);
    }
    Shard& shard = shards_[numbered_[step.shard]];
    if (step.upto.has_value()) {
      TakeUpTo(shard, *step.upto, records[step.shard]);
      if (!shard.read.has_value() || *shard.read < *step.upto) shard.read = step.upto;
      shard.needed.reset();
    }
    shard.behind = step.behind.value_or(shard.behind);
    if (step.closed) shard.closed = true;
  }
  last_cut_ = cut.number;
  last_ms_ = std::max(last_ms_, cut.now_ms);
}

bool Feed::caught_up() const {
  if (bytes_ > 0 || listed_.empty()) return false;
  return std::all_of(shards_.begin(), shards_.end(), [](const auto& entry) {
    const Shard& shard = entry.second;
    return shard.closed || !shard.listed || (shard.started && !shard.ended && shard.caught_up);
  });
}

}  // namespace honryu::sqlapp
