#include "honryu/async/runtime.h"

#include "honryu/base/check.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace honryu::async {

namespace asio = boost::asio;

namespace {
struct Loop {
  asio::io_context context{1};  // one thread: Asio then skips its own locking between handlers
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};
}  // namespace

struct Runtime::Impl {
  explicit Impl(int blocking_threads) : blocking(static_cast<std::size_t>(blocking_threads)) {}
  std::vector<std::unique_ptr<Loop>> loops;
  std::atomic<std::size_t> next{0};
  asio::thread_pool blocking;
};

Runtime::Runtime(const RuntimeOptions& options) {
  HONRYU_CHECK(options.io_threads > 0 && options.blocking_threads > 0, "a runtime needs threads");
  impl_ = std::make_unique<Impl>(options.blocking_threads);
  for (int i = 0; i < options.io_threads; ++i) impl_->loops.push_back(std::make_unique<Loop>());
  for (auto& loop : impl_->loops) {
    loop->thread = std::thread([context = &loop->context] { context->run(); });
  }
}

Runtime::~Runtime() {
  impl_->blocking.join();
  for (auto& loop : impl_->loops) {
    loop->work.reset();
    loop->context.stop();
  }
  for (auto& loop : impl_->loops) loop->thread.join();
}

int Runtime::io_threads() const { return static_cast<int>(impl_->loops.size()); }

Executor Runtime::executor(int index) const {
  return impl_->loops[static_cast<std::size_t>(index) % impl_->loops.size()]->context.get_executor();
}

Executor Runtime::NextExecutor() {
  const std::size_t index = impl_->next.fetch_add(1, std::memory_order_relaxed);
  return impl_->loops[index % impl_->loops.size()]->context.get_executor();
}

void Runtime::Post(std::function<void()> work) { asio::post(impl_->blocking, std::move(work)); }

void Runtime::Fork(std::size_t count, const std::function<void(std::size_t)>& work) {
  // Outlives the call, for threads that come when nothing is left to do.
  struct Round {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t done = 0;
  };
  const auto round = std::make_shared<Round>();
  const auto take_part = [round, count, &work] {
    for (std::size_t i = round->next.fetch_add(1); i < count; i = round->next.fetch_add(1)) {
      work(i);
      const std::lock_guard lock(round->mutex);
      ++round->done;
      round->changed.notify_one();
    }
  };
  for (std::size_t i = 1; i < count; ++i) Post(take_part);
  take_part();
  std::unique_lock lock(round->mutex);
  round->changed.wait(lock, [&] { return round->done == count; });
}

void Runtime::JoinBlocking() { impl_->blocking.join(); }

void Runtime::RunToEnd(Task<void> task) {
  std::promise<void> done;
  asio::co_spawn(NextExecutor(), std::move(task), [&done](const std::exception_ptr& failure) {
    if (failure) {
      done.set_exception(failure);
    } else {
      done.set_value();
    }
  });
  done.get_future().get();
}

}  // namespace honryu::async
