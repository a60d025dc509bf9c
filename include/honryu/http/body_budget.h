#pragma once

#include "honryu/base/units.h"
#include "honryu/obs/metrics.h"

#include <atomic>
#include <cstddef>
#include <utility>

namespace honryu::http {

/// Bounds the memory that request bodies take, all listeners of a process together; without it the number of
/// connections times the largest body is the bound. Thread-safe.
class BodyBudget {
 public:
  /// `metrics` must outlive the budget.
  BodyBudget(ByteSize limit, obs::Registry& metrics)
      : limit_(limit.bytes),
        gauge_(metrics.MakeGauge("honryu_http_request_memory_bytes",
                                 "Memory held by request bodies, as received and as decompressed.")) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  /// What one request holds; given back when it goes. Not thread-safe by itself.
  class Share {
   public:
    Share() = default;
    /// Null pointer: nothing is bounded. The budget must outlive the share.
    explicit Share(BodyBudget* budget) : budget_(budget) {}
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), held_(std::exchange(other.held_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(held_, other.held_);
      return *this;
    }
    ~Share() { ShrinkTo(0); }

    /// Takes so many bytes more; false, and nothing taken, when the budget has not got them.
    [[nodiscard]] bool Grow(std::size_t bytes) {
      if (budget_ == nullptr) return true;
      if (!budget_->Take(bytes)) return false;
      held_ += bytes;
      return true;
    }
    void ShrinkTo(std::size_t bytes) {
      if (budget_ == nullptr || bytes >= held_) return;
      budget_->GiveBack(held_ - bytes);
      held_ = bytes;
    }
    std::size_t held() const { return held_; }

   private:
    BodyBudget* budget_ = nullptr;
    std::size_t held_ = 0;
  };

 private:
  bool Take(std::size_t bytes) {
    if (used_.fetch_add(bytes) + bytes > limit_) {
      used_.fetch_sub(bytes);
      return false;
    }
    gauge_.Add(static_cast<double>(bytes));
    return true;
  }
  void GiveBack(std::size_t bytes) {
    used_.fetch_sub(bytes);
    gauge_.Add(-static_cast<double>(bytes));
  }

  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
  obs::Gauge gauge_;
};

}  // namespace honryu::http
