#include "stream_metrics.h"

#include <algorithm>
#include <set>
#include <utility>

namespace honryu::broker {

StreamMetrics::StreamMetrics(obs::Registry& registry, std::string stream)
    : incoming_records(registry.MakeCounter("honryu_broker_incoming_records_total",
                                            "IncomingRecords: records put.", {{"stream", stream}})),
      incoming_bytes(registry.MakeCounter("honryu_broker_incoming_bytes_total",
                                          "IncomingBytes: data and keys put.", {{"stream", stream}})),
      outgoing_records(registry.MakeCounter("honryu_broker_outgoing_records_total",
                                            "OutgoingRecords: records read.", {{"stream", stream}})),
      outgoing_bytes(registry.MakeCounter("honryu_broker_outgoing_bytes_total", "OutgoingBytes: data read.",
                                          {{"stream", stream}})),
      registry_(registry),
      stream_(std::move(stream)) {}

StreamMetrics::~StreamMetrics() {
  for (const obs::Counter& counter : {incoming_records, incoming_bytes, outgoing_records, outgoing_bytes})
    registry_.Remove(counter);
  for (const auto& [shard, age] : ages_) registry_.Remove(age);
  for (const auto& [shard, records] : incoming_by_shard_) registry_.Remove(records);
}

void StreamMetrics::SetIteratorAge(std::uint32_t shard, Duration age) {
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = ages_.try_emplace(shard);
  if (fresh) {
    at->second = registry_.MakeGauge("honryu_broker_get_records_iterator_age_milliseconds",
                                     "GetRecords.IteratorAgeMilliseconds: age of the last record read.",
                                     {{"stream", stream_}, {"shard", ShardIdText(shard)}});
  }
  at->second.Set(static_cast<double>(ToMs(age)));
}

void StreamMetrics::AddIncoming(std::span<const std::pair<std::uint32_t, std::uint32_t>> records) {
  const std::lock_guard lock(mutex_);
  for (const auto& [shard, count] : records) {
    if (const auto found = incoming_by_shard_.find(shard); found != incoming_by_shard_.end())
      found->second.Add(count);
  }
}

void StreamMetrics::KeepOnly(const std::vector<Shard>& shards) {
  const std::lock_guard lock(mutex_);
  std::set<std::uint32_t> open;
  for (const Shard& shard : shards) {
    if (!shard.ending) open.insert(shard.index);
  }
  std::erase_if(incoming_by_shard_, [&](const auto& records) {
    if (open.contains(records.first)) return false;
    registry_.Remove(records.second);
    return true;
  });
  for (const Shard& shard : shards) {
    if (shard.ending || incoming_by_shard_.size() >= kMostShards) continue;
    const auto [at, fresh] = incoming_by_shard_.try_emplace(shard.index);
    if (fresh) {
      at->second = registry_.MakeCounter("honryu_broker_shard_incoming_records_total",
                                         "Records put, by open shard (at most 1,000 of a stream).",
                                         {{"stream", stream_}, {"shard", ShardIdText(shard.index)}});
    }
  }
  std::erase_if(ages_, [&](const auto& age) {
    const bool there = std::any_of(shards.begin(), shards.end(),
                                   [&](const Shard& shard) { return shard.index == age.first; });
    if (!there) registry_.Remove(age.second);
    return !there;
  });
}

std::shared_ptr<StreamMetrics> StreamMetricsTable::Of(const std::string& stream) {
  StreamMetrics* metrics = nullptr;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[stream];
    if (entry.metrics == nullptr) entry.metrics = std::make_unique<StreamMetrics>(registry_, stream);
    ++entry.holders;
    metrics = entry.metrics.get();
  }
  return {metrics, [this, stream](StreamMetrics*) { Release(stream); }};
}

void StreamMetricsTable::Release(const std::string& stream) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(stream);
  if (--found->second.holders == 0) entries_.erase(found);
}

StreamMetricsSlot& StreamMetricsSlot::operator=(const StreamMetricsSlot& other) {
  if (this == &other) return *this;
  held_ = other.Held();
  bound_.store(nullptr);
  return *this;
}

std::shared_ptr<StreamMetrics> StreamMetricsSlot::Held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

StreamMetrics& StreamMetricsSlot::Bind(const Stream& stream, StreamMetricsTable& table) const {
  if (StreamMetrics* bound = bound_.load(std::memory_order_acquire)) return *bound;
  const std::lock_guard lock(mutex_);
  if (held_ == nullptr) held_ = table.Of(stream.name);
  if (bound_.load(std::memory_order_relaxed) == nullptr) held_->KeepOnly(stream.shards);
  bound_.store(held_.get(), std::memory_order_release);
  return *held_;
}

}  // namespace honryu::broker
