#include "autoscale.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace honryu::broker {

void Traffic::Add(const std::vector<Entry>& entries) {
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries) {
    ShardTraffic& shard = shards_[entry.shard];
    shard.bytes += entry.bytes;
    ++shard.records;
    if (shard.sample.size() < kSample) {
      shard.sample.push_back(entry.hash);
      continue;
    }
    // Vitter's algorithm R.
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    if (const std::uint64_t place = random_ % shard.records; place < kSample)
      shard.sample[place] = entry.hash;
  }
}

std::map<std::uint32_t, ShardTraffic> Traffic::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(shards_, {});
}

std::optional<UInt128> MedianSplit(std::vector<UInt128> sample, const Shard& shard) {
  std::erase_if(sample,
                [&](const UInt128& hash) { return hash < shard.hash_start || shard.hash_end < hash; });
  if (sample.size() < 2) return std::nullopt;
  std::sort(sample.begin(), sample.end());
  // Behind the median, or before it, whichever of the two leaves the halves more even: all records of one
  // hash go to one side.
  const UInt128 median = sample[sample.size() / 2];
  const auto below =
      static_cast<std::size_t>(std::lower_bound(sample.begin(), sample.end(), median) - sample.begin());
  const auto upto =
      static_cast<std::size_t>(std::upper_bound(sample.begin(), sample.end(), median) - sample.begin());
  const auto unevenness = [&](std::size_t first) {
    return first * 2 > sample.size() ? first * 2 - sample.size() : sample.size() - first * 2;
  };
  const bool before = unevenness(below) <= unevenness(upto);
  const std::size_t first = before ? below : upto;
  if (first == 0 || first == sample.size() || unevenness(first) > sample.size() * 9 / 10) return std::nullopt;
  const UInt128 at = before ? median : UInt128::FromNative(median.native() + 1);
  if (!(shard.hash_start < at)) return std::nullopt;
  return at;
}

double Autoscaler::LoadOf(const ShardTraffic& traffic, Duration took) const {
  const double seconds = std::max(0.001, std::chrono::duration<double>(took).count());
  return std::max(
      static_cast<double>(traffic.bytes) / seconds / static_cast<double>(config_.shard_bytes),
      static_cast<double>(traffic.records) / seconds / static_cast<double>(config_.shard_records));
}

std::optional<std::vector<UInt128>> Autoscaler::Look(const std::vector<const Shard*>& open,
                                                     const std::map<std::uint32_t, ShardTraffic>& traffic,
                                                     Duration took, Timestamp now) {
  std::map<std::uint32_t, Memory> memory;  // shards that are gone are forgotten
  std::vector<double> load(open.size());
  for (std::size_t i = 0; i < open.size(); ++i) {
    memory[open[i]->index] = memory_[open[i]->index];
    const auto found = traffic.find(open[i]->index);
    if (found != traffic.end()) load[i] = LoadOf(found->second, took);
  }
  memory_ = std::move(memory);

  std::set<UInt128> starts;
  for (const Shard* shard : open) starts.insert(shard->hash_start);
  bool changed = false;
  for (std::size_t i = 0; i < open.size(); ++i) {
    Memory& memory_of = memory_[open[i]->index];
    memory_of.hot = load[i] >= config_.split_above ? memory_of.hot + 1 : 0;
    if (memory_of.hot < 2 || static_cast<int>(starts.size()) >= config_.max_shards) continue;
    const std::optional<UInt128> at = MedianSplit(traffic.at(open[i]->index).sample, *open[i]);
    if (!at) continue;
    starts.insert(*at);
    changed = true;
  }
  for (std::size_t i = 0; i + 1 < open.size(); ++i) {
    Memory& memory_of = memory_[open[i]->index];
    if (load[i] + load[i + 1] >= config_.merge_below) {
      memory_of.cold_since.reset();
      continue;
    }
    if (!memory_of.cold_since) memory_of.cold_since = now;
    if (now - *memory_of.cold_since < config_.merge_after) continue;
    if (static_cast<int>(starts.size()) <= config_.min_shards) continue;
    starts.erase(open[i + 1]->hash_start);
    changed = true;
    ++i;  // the one behind has been merged already
  }
  if (!changed) return std::nullopt;
  return std::vector<UInt128>(starts.begin(), starts.end());
}

}  // namespace honryu::broker
