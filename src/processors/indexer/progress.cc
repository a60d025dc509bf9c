#include "processors/indexer/progress.h"

#include <algorithm>
#include <utility>

namespace honryu::processors::indexer {

bool Progress::Reached(const Waiter& waiter, const Positions& reached) {
  return std::all_of(waiter.positions.begin(), waiter.positions.end(), [&reached](const auto& position) {
    const auto found = reached.find(position.first);
    return found != reached.end() && found->second >= position.second;
  });
}

void Progress::Wake(bool visible, const Positions& reached) {
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (waiter.done.ready()) return true;
    if (waiter.visible != visible || !Reached(waiter, reached)) return false;
    waiter.done.Set(Ok());
    return true;
  });
}

void Progress::Indexed(const std::string& shard, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& reached = indexed_[shard];
  reached = std::max(reached, sequence);
  Wake(false, indexed_);
}

Progress::Positions Progress::indexed() const {
  const std::lock_guard lock(mutex_);
  return indexed_;
}

void Progress::Visible(const Positions& positions) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, counter] : positions) {
    std::uint64_t& reached = visible_[name];
    reached = std::max(reached, counter);
  }
  Wake(true, visible_);
}

async::Task<Result<void>> Progress::Wait(async::Context ctx, Positions positions, bool visible) {
  Waiter waiter;
  waiter.visible = visible;
  waiter.positions = std::move(positions);
  const async::OneShot<void> done = waiter.done;
  {
    const std::lock_guard lock(mutex_);
    if (Reached(waiter, visible ? visible_ : indexed_)) co_return Ok();
    waiters_.push_back(std::move(waiter));
  }
  Result<void> waited = co_await done.Wait(ctx.deadline);
  // Marks it as over, so that the next round forgets it.
  if (!waited.ok()) done.Set(Ok());
  co_return waited;
}

}  // namespace honryu::processors::indexer
