#pragma once

#include "honryu/async/blocking_calls.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace honryu::api::search {

/// Calls on the runtime's blocking pool of which only so many run at a time, so that long searches leave
/// threads to the others that share the pool; further ones wait without holding a thread. Thread-safe.
class SearchLanes {
 public:
  /// `running` at a time; more than `most`, waiting ones counted, are refused with kOverloaded.
  SearchLanes(async::Runtime& runtime, std::size_t running, std::size_t most) : most_(most) {
    for (std::size_t i = 0; i < running; ++i) lanes_.push_back(std::make_unique<Lane>(runtime));
  }

  /// Runs `function`, which returns a Result, behind those that came to its lane before.
  template <class F>
  auto Run(F function) -> async::Task<decltype(function())> {
    if (total_.fetch_add(1) >= most_) {
      total_.fetch_sub(1);
      co_return Error(ErrorCode::kOverloaded, "rejected_execution_exception: more than " +
                                                  std::to_string(most_) + " searches are waiting");
    }
    Lane* lane = lanes_[0].get();
    for (const auto& other : lanes_)
      if (other->load < lane->load) lane = other.get();
    ++lane->load;
    auto result = co_await lane->calls.RunInTurn(std::move(function));
    --lane->load;
    total_.fetch_sub(1);
    co_return result;
  }

 private:
  struct Lane {
    explicit Lane(async::Runtime& runtime) : calls(runtime, "search") {}
    std::atomic<std::size_t> load{0};
    async::BlockingCalls calls;
  };
  const std::size_t most_;
  std::atomic<std::size_t> total_{0};
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace honryu::api::search
