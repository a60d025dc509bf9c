#include "api/gateway/dedup_window.h"

#include "honryu/base/random.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

__extension__ using Wide = unsigned __int128;

/// Multiply-fold of both halves (as wyhash does), keyed by `seed`.
std::uint64_t MixId(const UInt128& id, std::uint64_t seed) {
  const Wide product =
      static_cast<Wide>(id.high ^ seed) * (id.low ^ 0xe7037ed1a0b428dbULL ^ (seed << 32 | seed >> 32));
  const std::uint64_t folded =
      static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
  return (folded ^ (folded >> 29)) * 0xa0761d6478bd642fULL;
}

std::uint64_t FreshSeed() {
  std::uint64_t seed = 0;
  SecureRandomBytes(&seed, sizeof seed);
  return seed;
}

}  // namespace

std::size_t IdSet::Home(const UInt128& id) const {
  // Not the bits that picked the shard.
  return static_cast<std::size_t>(MixId(id, seed_) >> 8) & (slots_.size() - 1);
}

bool IdSet::Contains(const UInt128& id) const {
  if (id == UInt128()) return has_zero_;
  if (slots_.empty()) return false;
  for (std::size_t i = Home(id);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i] == id) return true;
    if (slots_[i] == UInt128()) return false;
  }
}

void IdSet::Insert(const UInt128& id) {
  if (Contains(id)) return;
  if (id == UInt128()) {
    has_zero_ = true;
    ++size_;
    return;
  }
  if ((size_ + 1) * 4 > slots_.size() * 3) {
    std::vector<UInt128> old(std::max<std::size_t>(64, slots_.size() * 2));
    old.swap(slots_);
    for (const UInt128& kept : old) {
      if (kept == UInt128()) continue;
      std::size_t i = Home(kept);
      while (slots_[i] != UInt128()) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = kept;
    }
  }
  std::size_t i = Home(id);
  while (slots_[i] != UInt128()) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = id;
  ++size_;
}

void IdSet::Clear() {
  std::vector<UInt128>().swap(slots_);
  size_ = 0;
  has_zero_ = false;
}

async::Task<Result<void>> DedupTicket::Wait(MonoTime deadline) {
  async::OneShot<void> done;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) co_return Ok();
    waiters_.push_back(done);
  }
  Result<void> woken = co_await done.Wait(deadline);
  co_return woken;
}

void DedupTicket::Finish() {
  std::vector<async::OneShot<void>> waiters;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    waiters.swap(waiters_);
  }
  for (const async::OneShot<void>& waiter : waiters) waiter.Set(Ok());
}

std::size_t IdHash::operator()(const UInt128& id) const { return MixId(id, seed); }

DedupWindow::DedupWindow(DedupConfig config, const Clock& clock)
    : config_(config),
      clock_(clock),
      seed_(FreshSeed()),
      generation_capacity_(
          std::max<std::size_t>(1, static_cast<std::size_t>(config.max_entries / kShards / kGenerations))),
      shards_(std::make_unique<std::array<Shard, kShards>>()) {
  const MonoTime now = clock_.Mono();
  for (Shard& shard : *shards_) {
    shard.generations.fill(IdSet(seed_));
    shard.turned = now;
    shard.in_flight = std::unordered_map<UInt128, InFlight, IdHash>(8, IdHash{seed_});
  }
}

DedupWindow::Shard& DedupWindow::ShardOf(const UInt128& id) const {
  return (*shards_)[static_cast<std::size_t>(MixId(id, seed_)) % kShards];
}

void DedupWindow::Turn(Shard& shard, MonoTime now) {
  shard.current = (shard.current + 1) % kGenerations;
  shard.generations[shard.current].Clear();
  shard.turned = now;
}

void DedupWindow::TurnIfDue(Shard& shard) {
  const Duration span = config_.window / (kGenerations - 1);
  const MonoTime now = clock_.Mono();
  for (std::size_t i = 0; i < kGenerations && now - shard.turned >= span; ++i) {
    // After a long silence every generation has to go; otherwise the turns keep their rhythm.
    Turn(shard, i + 1 == kGenerations ? now : shard.turned + span);
  }
}

void DedupWindow::Insert(Shard& shard, const UInt128& id) {
  if (shard.generations[shard.current].size() >= generation_capacity_) {
    ++shard.early_turns;
    Turn(shard, clock_.Mono());
  }
  shard.generations[shard.current].Insert(id);
}

DedupWindow::ClaimResult DedupWindow::TryClaim(const UInt128& id, const std::shared_ptr<DedupTicket>& ticket,
                                               std::size_t index) {
  Shard& shard = ShardOf(id);
  const std::lock_guard lock(shard.mutex);
  TurnIfDue(shard);
  for (const IdSet& generation : shard.generations) {
    if (generation.Contains(id)) return {Claim::kSeen, nullptr, 0};
  }
  const auto [entry, fresh] = shard.in_flight.try_emplace(id, InFlight{ticket, index});
  if (fresh) return {Claim::kMine, nullptr, 0};
  return {Claim::kInFlight, entry->second.ticket, entry->second.index};
}

void DedupWindow::Commit(const UInt128& id) {
  Shard& shard = ShardOf(id);
  const std::lock_guard lock(shard.mutex);
  shard.in_flight.erase(id);
  TurnIfDue(shard);
  Insert(shard, id);
}

void DedupWindow::Release(const UInt128& id) {
  Shard& shard = ShardOf(id);
  const std::lock_guard lock(shard.mutex);
  shard.in_flight.erase(id);
}

bool DedupWindow::Remember(const UInt128& id, Duration age) {
  const Duration span = config_.window / (kGenerations - 1);
  Shard& shard = ShardOf(id);
  const std::lock_guard lock(shard.mutex);
  TurnIfDue(shard);
  // An id of the last half window goes where ids of the last turn are, older ones behind it; when a place is
  // full, the next older one is better than none.
  for (std::size_t back = age < span ? 1 : 2; back < kGenerations; ++back) {
    IdSet& generation = shard.generations[(shard.current + kGenerations - back) % kGenerations];
    if (generation.size() >= generation_capacity_) continue;
    generation.Insert(id);
    return true;
  }
  return false;
}

std::uint64_t DedupWindow::entries() const {
  std::uint64_t sum = 0;
  for (const Shard& shard : *shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const IdSet& generation : shard.generations) sum += generation.size();
  }
  return sum;
}

std::uint64_t DedupWindow::early_turns() const {
  std::uint64_t sum = 0;
  for (const Shard& shard : *shards_) {
    const std::lock_guard lock(shard.mutex);
    sum += shard.early_turns;
  }
  return sum;
}

}  // namespace honryu::api::gateway
