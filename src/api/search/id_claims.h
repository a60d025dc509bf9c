#pragma once

#include "honryu/async/one_shot.h"

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace honryu::api::search {

/// Who writes which documents at the moment: of two requests for one `_id` the second waits until the log has
/// answered the first, so that what it finds out about the document stays true until it has written. Ids are
/// known by 64 bits of hash: a collision costs a wait, nothing else. Thread-safe.
class IdClaims {
 public:
  /// Claimed ids; free again when it goes.
  class Hold {
   public:
    Hold() = default;
    Hold(IdClaims* claims, std::vector<std::uint64_t> ids) : claims_(claims), ids_(std::move(ids)) {}
    Hold(Hold&& other) noexcept
        : claims_(std::exchange(other.claims_, nullptr)), ids_(std::move(other.ids_)) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(claims_, other.claims_);
      std::swap(ids_, other.ids_);
      return *this;
    }
    ~Hold() {
      if (claims_ != nullptr) claims_->Release(ids_);
    }

   private:
    IdClaims* claims_ = nullptr;
    std::vector<std::uint64_t> ids_;
  };

  /// Waits until none of the ids is claimed, then claims all of them at once: nobody waits while holding, so
  /// there is no deadlock. `ids` in any order, also repeated. kDeadlineExceeded, kCancelled.
  async::Task<Result<Hold>> Claim(async::Context ctx, std::vector<std::uint64_t> ids);

 private:
  void Release(const std::vector<std::uint64_t>& ids);

  std::mutex mutex_;                                                           // a leaf
  std::unordered_map<std::uint64_t, std::vector<async::OneShot<void>>> held_;  // id -> who waits for it
};

}  // namespace honryu::api::search
