#include "api/search/id_claims.h"

#include <algorithm>
#include <optional>

namespace honryu::api::search {

async::Task<Result<IdClaims::Hold>> IdClaims::Claim(async::Context ctx, std::vector<std::uint64_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (;;) {
    std::optional<async::OneShot<void>> taken;
    {
      const std::lock_guard lock(mutex_);
      for (const std::uint64_t id : ids)
        if (const auto found = held_.find(id); found != held_.end() && !taken)
          taken = found->second.emplace_back();
      if (!taken) {
        for (const std::uint64_t id : ids) held_.try_emplace(id);
        co_return Hold(this, std::move(ids));
      }
    }
    Result<void> freed = co_await taken->Wait(ctx.deadline);
    if (!freed.ok()) co_return freed.error();
  }
}

void IdClaims::Release(const std::vector<std::uint64_t>& ids) {
  std::vector<async::OneShot<void>> waiters;
  {
    const std::lock_guard lock(mutex_);
    for (const std::uint64_t id : ids)
      if (const auto found = held_.find(id); found != held_.end()) {
        std::move(found->second.begin(), found->second.end(), std::back_inserter(waiters));
        held_.erase(found);
      }
  }
  for (const auto& waiter : waiters) waiter.Set(Ok());
}

}  // namespace honryu::api::search
