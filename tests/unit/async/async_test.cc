#include "honryu/async/blocking_calls.h"
#include "honryu/async/one_shot.h"
#include "honryu/async/retry.h"
#include "honryu/async/runtime.h"
#include "honryu/async/task_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace honryu::async {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Task<Result<int>> WaitFor(OneShot<int> slot, MonoTime deadline) {
  Result<int> value = co_await slot.Wait(deadline);
  co_return value;
}

Task<void> SleepLong(std::atomic<int>* cancelled) {
  Result<void> slept = co_await SleepFor(hours(1));
  if (!slept.ok() && slept.error().code() == ErrorCode::kCancelled) ++*cancelled;
}

// Cancelled while it runs (not in a wait): the next wait reports it, clean-up may wait after
// ClearCancellation.
Task<void> CleansUp(OneShot<bool> started, OneShot<int> go, std::atomic<int>* steps) {
  started.Set(true);
  Result<int> value = co_await go.Wait();
  if (value.ok() || value.error().code() != ErrorCode::kCancelled) co_return;
  ++*steps;
  Result<void> again = co_await SleepFor(std::chrono::hours(1));
  if (again.ok() || again.error().code() != ErrorCode::kCancelled) co_return;
  ++*steps;
  co_await ClearCancellation();
  Result<void> cleaned = co_await SleepFor(milliseconds(1));
  if (cleaned.ok()) ++*steps;
}

Task<void> Throws() {
  throw std::runtime_error("on purpose");
  co_return;
}

Task<Result<int>> FailTwice(int* calls) {
  ++*calls;
  if (*calls < 3) co_return Error(ErrorCode::kUnavailable, "not yet");
  co_return *calls;
}

Task<Result<int>> RetryIt(int* calls, RetryPolicy policy) {
  const Context ctx = Context::WithTimeout(hours(1));
  Result<int> value = co_await Retry(policy, ctx, [calls] { return FailTwice(calls); });
  co_return value;
}

Task<Result<int>> BlockingSum(Runtime* runtime) {
  Result<int> sum = co_await runtime->Blocking([] { return Result<int>(40 + 2); });
  co_return sum;
}

class AsyncTest : public testing::Test {
 protected:
  Runtime runtime_{RuntimeOptions{}};
};

TEST_F(AsyncTest, OneShotHandsAValueOverFromAnyThreadBeforeAndAfterTheWaitBegins) {
  for (int i = 0; i < 2000; ++i) {
    const OneShot<int> slot;
    std::thread setter([slot, i] { slot.Set(i); });
    EXPECT_EQ(runtime_.BlockOn(WaitFor(slot, MonoTime::max())).value(), i);
    setter.join();
  }
}

TEST_F(AsyncTest, OneShotGivesUpAtItsDeadline) {
  const OneShot<int> slot;
  const auto result = runtime_.BlockOn(WaitFor(slot, std::chrono::steady_clock::now() + milliseconds(5)));
  EXPECT_EQ(result.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(AsyncTest, TheFirstSetCounts) {
  const OneShot<int> slot;
  slot.Set(1);
  slot.Set(2);
  EXPECT_EQ(runtime_.BlockOn(WaitFor(slot, MonoTime::max())).value(), 1);
}

TEST_F(AsyncTest, CancelReachesEveryTaskOfAGroup) {
  std::atomic<int> cancelled{0};
  TaskGroup group;
  for (int i = 0; i < 100; ++i) group.Spawn(runtime_.NextExecutor(), "sleeper", SleepLong(&cancelled));
  group.Cancel();
  EXPECT_TRUE(runtime_.BlockOn(group.Join()).ok());
  EXPECT_EQ(group.running(), 0u);
  // A task cancelled before its first step is dropped without running; none may sleep on.
  EXPECT_LE(cancelled.load(), 100);
}

TEST_F(AsyncTest, CancellationSticksUntilClearedForCleanUp) {
  std::atomic<int> steps{0};
  TaskGroup group;
  const OneShot<bool> started;
  group.Spawn(runtime_.NextExecutor(), "cleaner", CleansUp(started, OneShot<int>(), &steps));
  EXPECT_TRUE(runtime_.BlockOn(started.Wait()).ok());
  group.Cancel();
  EXPECT_TRUE(runtime_.BlockOn(group.Join()).ok());
  EXPECT_EQ(steps.load(), 3);
}

TEST_F(AsyncTest, JoinStopsWaitingAtItsDeadlineAndNamesWhoIsLate) {
  std::atomic<int> cancelled{0};
  TaskGroup group;
  group.Spawn(runtime_.NextExecutor(), "late one", SleepLong(&cancelled));
  const auto joined = runtime_.BlockOn(group.Join(std::chrono::steady_clock::now() + milliseconds(5)));
  EXPECT_EQ(joined.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(group.RunningNames(), "late one");
  group.Cancel();
  EXPECT_TRUE(runtime_.BlockOn(group.Join()).ok());
}

TEST_F(AsyncTest, AnEscapedExceptionEndsOnlyItsTask) {
  TaskGroup group;
  group.Spawn(runtime_.NextExecutor(), "thrower", Throws());
  EXPECT_TRUE(runtime_.BlockOn(group.Join()).ok());
}

TEST_F(AsyncTest, RetryRepeatsRetryableFailuresOnly) {
  int calls = 0;
  RetryPolicy policy;
  policy.initial = milliseconds(1);
  EXPECT_EQ(runtime_.BlockOn(RetryIt(&calls, policy)).value(), 3);
  calls = 0;
  policy.max_attempts = 2;
  EXPECT_EQ(runtime_.BlockOn(RetryIt(&calls, policy)).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(calls, 2);
}

TEST_F(AsyncTest, BackoffStaysBelowItsCap) {
  Random random(1);
  RetryPolicy policy;
  for (int n = 0; n < 100; ++n) EXPECT_LE(BackoffDelay(policy, n, random), policy.max);
}

TEST_F(AsyncTest, BlockingWorkComesBack) { EXPECT_EQ(runtime_.BlockOn(BlockingSum(&runtime_)).value(), 42); }

TEST(Fork, WorksBesideTheCallerAndWithoutASpareThread) {
  Runtime runtime(RuntimeOptions{1, 2});
  // Each waits for the other: they can only end beside each other.
  std::atomic<int> met{0};
  runtime.Fork(2, [&met](std::size_t) {
    ++met;
    while (met < 2) std::this_thread::yield();
  });
  EXPECT_EQ(met, 2);
  // All threads of the pool fork at the same time: none is left to take part, none waits for one.
  std::atomic<int> calls{0};
  std::atomic<int> forking{0};
  std::vector<std::future<void>> done;
  for (int i = 0; i < 2; ++i) {
    auto ended = std::make_shared<std::promise<void>>();
    done.push_back(ended->get_future());
    runtime.Post([&runtime, &calls, &forking, ended] {
      ++forking;
      while (forking < 2) std::this_thread::yield();
      std::vector<std::atomic<int>> called(20);
      runtime.Fork(called.size(), [&](std::size_t which) {
        ++called[which];
        ++calls;
      });
      for (const auto& times : called) EXPECT_EQ(times, 1);
      ended->set_value();
    });
  }
  for (std::future<void>& one : done) one.get();
  EXPECT_EQ(calls, 40);
}

TEST(BlockingCalls, AreWaitedForThoughTheirTasksWereCancelled) {
  Runtime runtime(RuntimeOptions{1, 1});
  std::atomic<bool> ended{false};
  std::promise<void> go;
  {
    BlockingCalls calls(runtime, "test");
    TaskGroup tasks;
    OneShot<bool> began;
    tasks.Spawn(runtime.NextExecutor(), "call",
                [](BlockingCalls& in, OneShot<bool> on, std::promise<void>& wait,
                   std::atomic<bool>& flag) -> Task<void> {
                  Result<void> done = co_await in.Run([on, &wait, &flag]() -> Result<void> {
                    on.Set(true);
                    wait.get_future().wait();
                    flag = true;
                    return Ok();
                  });
                  EXPECT_EQ(done.error().code(), ErrorCode::kCancelled);
                }(calls, began, go, ended));
    EXPECT_TRUE(runtime.BlockOn(began.Wait()).ok());
    tasks.Cancel();
    EXPECT_TRUE(runtime.BlockOn(tasks.Join()).ok());
    EXPECT_FALSE(ended);
    go.set_value();
  }
  EXPECT_TRUE(ended);
}

TEST(BlockingCalls, InTurnNeverOverlapAndHoldNoThread) {
  Runtime runtime(RuntimeOptions{2, 2});
  BlockingCalls calls(runtime, "test");
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::vector<int> order;  // written by one call at a time
  TaskGroup tasks;
  const auto in_turn = [](BlockingCalls& in, std::vector<int>& out, std::shared_future<void> wait,
                          int number) -> Task<void> {
    Result<void> done = co_await in.RunInTurn([&out, wait, number]() -> Result<void> {
      wait.wait();
      out.push_back(number);
      return Ok();
    });
    EXPECT_TRUE(done.ok());
  };
  for (int i = 0; i < 50; ++i) tasks.Spawn(runtime.executor(0), "turn", in_turn(calls, order, gone, i));
  // All fifty wait for the first one, yet the pool of two has a thread for this:
  Result<int> other = runtime.BlockOn(calls.Run([]() -> Result<int> { return 7; }));
  EXPECT_EQ(*other, 7);
  go.set_value();
  EXPECT_TRUE(runtime.BlockOn(tasks.Join(MonoTime::max())).ok());
  ASSERT_EQ(order.size(), 50U);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(BlockingCalls, AreBounded) {
  Runtime runtime(RuntimeOptions{1, 1});
  BlockingCalls calls(runtime, "the test", 1);
  std::promise<void> go;
  TaskGroup tasks;
  OneShot<bool> began;
  tasks.Spawn(runtime.NextExecutor(), "call",
              [](BlockingCalls& in, OneShot<bool> on, std::promise<void>& wait) -> Task<void> {
                Result<void> done = co_await in.Run([on, &wait]() -> Result<void> {
                  on.Set(true);
                  wait.get_future().wait();
                  return Ok();
                });
                EXPECT_TRUE(done.ok());
              }(calls, began, go));
  EXPECT_TRUE(runtime.BlockOn(began.Wait()).ok());
  EXPECT_EQ(runtime.BlockOn(calls.Run([]() -> Result<int> { return 1; })).error().code(),
            ErrorCode::kOverloaded);
  go.set_value();
  EXPECT_TRUE(runtime.BlockOn(tasks.Join(MonoTime::max())).ok());
}

}  // namespace
}  // namespace honryu::async
