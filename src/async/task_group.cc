#include "honryu/async/task_group.h"

#include "honryu/async/one_shot.h"
#include "honryu/base/check.h"
#include "honryu/obs/log.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <list>
#include <mutex>
#include <vector>

namespace honryu::async {

namespace asio = boost::asio;

namespace {
struct Running {
  std::string name;
  Executor executor;
  std::shared_ptr<asio::cancellation_signal> signal;  // shared with the posted cancellation
};

// The root of every task: a cancelled wait is reported by its result, never by an exception.
Task<void> RunTask(Task<void> task) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

}  // namespace

struct TaskGroup::State {
  mutable std::mutex mutex;
  bool cancelled = false;
  std::list<Running> running;
  std::vector<OneShot<bool>> joiners;
};

TaskGroup::TaskGroup() : state_(std::make_shared<State>()) {}

TaskGroup::~TaskGroup() { HONRYU_CHECK(running() == 0, "a task group ended before its tasks were joined"); }

void TaskGroup::Spawn(const Executor& executor, std::string name, Task<void> task) {
  auto signal = std::make_shared<asio::cancellation_signal>();
  std::list<Running>::iterator place;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->cancelled) return;
    place = state_->running.insert(state_->running.end(), Running{std::move(name), executor, signal});
  }
  auto done = [state = state_, place](const std::exception_ptr& failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        LOG(error, "task ended by an exception", {"task", place->name}, {"what", e.what()});
      } catch (...) {
        LOG(error, "task ended by an unknown exception", {"task", place->name});
      }
    }
    std::vector<OneShot<bool>> joiners;
    {
      const std::lock_guard lock(state->mutex);
      state->running.erase(place);
      if (state->running.empty()) joiners.swap(state->joiners);
    }
    for (const auto& joiner : joiners) joiner.Set(true);
  };
  // The body starts on its executor, so that a Cancel() posted there afterwards always finds the slot in
  // place.
  asio::post(executor,
             [executor, signal, task = std::move(task), done = std::move(done), state = state_]() mutable {
               asio::co_spawn(executor, RunTask(std::move(task)),
                              asio::bind_cancellation_slot(signal->slot(), std::move(done)));
               const std::lock_guard lock(state->mutex);
               if (state->cancelled)
                 asio::post(executor, [signal] { signal->emit(asio::cancellation_type::terminal); });
             });
}

void TaskGroup::Cancel() {
  const std::lock_guard lock(state_->mutex);
  state_->cancelled = true;
  for (const Running& task : state_->running) {
    asio::post(task.executor, [signal = task.signal] { signal->emit(asio::cancellation_type::terminal); });
  }
}

std::size_t TaskGroup::running() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running.size();
}

std::string TaskGroup::RunningNames() const {
  const std::lock_guard lock(state_->mutex);
  std::string names;
  for (const Running& task : state_->running) names += (names.empty() ? "" : ", ") + task.name;
  return names;
}

Task<Result<void>> TaskGroup::Join(MonoTime deadline) {
  OneShot<bool> done;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->running.empty()) co_return Ok();
    state_->joiners.push_back(done);
  }
  Result<bool> ended = co_await done.Wait(deadline);
  if (!ended.ok()) co_return ended.error();
  co_return Ok();
}

}  // namespace honryu::async
