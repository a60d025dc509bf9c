#pragma once

#include "honryu/async/task.h"

#include <memory>
#include <string>

namespace honryu::async {

/// Owns running tasks: nothing runs detached. Declare it last in a class, so that it is joined before what
/// its tasks use is gone. Cancel() and Spawn() may be called from any thread; Join() once, from a coroutine.
class TaskGroup {
 public:
  TaskGroup();
  /// Aborts if tasks still run: they must have been joined.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `task` on `executor`. After Cancel() it is dropped unstarted. An exception that escapes the task
  /// is logged with `name` as an error and ends only that task.
  void Spawn(const Executor& executor, std::string name, Task<void> task);
  /// Asks every task to stop: their waits return kCancelled.
  void Cancel();
  std::size_t running() const;
  /// Names of the tasks that still run, for "who is late" log lines.
  std::string RunningNames() const;
  /// Waits until all tasks have ended, or the deadline (kDeadlineExceeded; may be called again).
  Task<Result<void>> Join(MonoTime deadline = MonoTime::max());

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace honryu::async
