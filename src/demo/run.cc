#include "honryu/async/task_group.h"
#include "honryu/demo/demo.h"
#include "poster.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace honryu::demo {
namespace {

/// How often due events are collected into requests.
constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr Duration kReportEvery = std::chrono::seconds(1);
/// What a stop grants to requests under way.
constexpr Duration kDrain = std::chrono::seconds(5);
/// Events generated ahead of sending; when it is full generating waits (and the lag grows).
constexpr std::size_t kMaxPending = 50'000;
/// A request's body; the gateway takes 10 MiB.
constexpr std::size_t kMaxBodyBytes = std::size_t{4} << 20;

/// What both drivers share: the books, the clock of the report, the reasons to end.
class Run {
 public:
  Run(Target target, http::Client& client, http::Endpoint endpoint, const Clock& clock)
      : target(std::move(target)),
        clock(clock),
        begin(clock.Mono()),
        poster(client, std::move(endpoint), this->target, progress, [this] {
          Report(false);
          return Stopped();
        }) {}

  bool Stopped() const { return failure.has_value() || (target.stop && target.stop()); }
  void Report(bool always) {
    const MonoTime now = clock.Mono();
    progress.elapsed = now - begin;
    if (!target.on_progress || (!always && now - reported < kReportEvery)) return;
    reported = now;
    target.on_progress(progress);
  }

  const Target target;
  const Clock& clock;
  const MonoTime begin;
  MonoTime reported = begin;
  Progress progress;
  std::optional<Error> failure;  ///< The first one ends the run.
  Poster poster;
  std::size_t in_flight = 0;
};

async::Task<void> PostBatch(Run* run, std::string body, std::size_t events) {
  Result<void> posted = co_await run->poster.Post(std::move(body), events);
  --run->in_flight;
  if (posted.ok()) {
    run->progress.waiting -= events;
  } else if (posted.error().code() != ErrorCode::kCancelled && !run->failure) {
    run->failure = posted.error();
  }
}

/// Waits for what is under way, `grace` at most, and cancels the rest.
async::Task<void> Drain(Run* run, async::TaskGroup* group) {
  const MonoTime deadline = SystemClock().Mono() + kDrain;
  Result<void> joined = co_await group->Join(run->failure ? SystemClock().Mono() : deadline);
  if (joined.ok()) co_return;
  group->Cancel();
  joined = co_await group->Join();
}

std::string TakeBatch(std::deque<DemoEvent>& pending, std::size_t limit, std::size_t* events) {
  std::string body;
  *events = 0;
  while (!pending.empty() && *events < limit && body.size() < kMaxBodyBytes) {
    body += pending.front().json;
    body += '\n';
    pending.pop_front();
    ++*events;
  }
  return body;
}

/// Generates what is due and hands it out in requests until the run ends by itself or is told to.
async::Task<void> Pump(Run* run, DemoGenerator* generator, std::uint64_t max_events,
                       async::TaskGroup* group) {
  async::Executor executor = co_await async::CurrentExecutor();
  std::deque<DemoEvent> pending;
  std::vector<DemoEvent> fresh;
  std::uint64_t generated = 0;
  while (!run->Stopped()) {
    const Timestamp now = run->clock.Now();
    std::size_t room = kMaxPending - std::min(kMaxPending, pending.size());
    if (max_events > 0)
      room = static_cast<std::size_t>(std::min<std::uint64_t>(room, max_events - generated));
    fresh.clear();
    generator->Generate(now, room, fresh);
    generated += fresh.size();
    run->progress.waiting += fresh.size();
    std::move(fresh.begin(), fresh.end(), std::back_inserter(pending));
    while (!pending.empty() && run->in_flight < run->target.max_in_flight) {
      std::size_t events = 0;
      std::string body = TakeBatch(pending, run->target.batch_events, &events);
      ++run->in_flight;
      group->Spawn(executor, "demo post", PostBatch(run, std::move(body), events));
    }
    const bool all_out = max_events > 0 && generated >= max_events && pending.empty();
    const Timestamp behind = pending.empty() ? std::min(generator->position(), now) : pending.front().time;
    run->progress.lag = all_out ? Duration::zero() : Duration(now - std::min(behind, now));
    run->Report(false);
    if (all_out && run->in_flight == 0) break;
    Result<void> slept = co_await async::SleepFor(kTick);
    if (!slept.ok()) break;
  }
}

/// Reads the file, waits until lines are due and posts them, one request after the other.
class Replay {
 public:
  Replay(Run& run, ReplayOptions options, LineReader reader)
      : run_(run), options_(std::move(options)), reader_(std::move(reader)) {
    name_ = options_.file.substr(options_.file.find_last_of('/') + 1);
  }

  async::Task<Result<void>> Go() {
    while (!run_.Stopped()) {
      Result<bool> more = ReadOne();
      if (!more.ok()) co_return more.error();
      const bool due = next_ && Due(next_->time);
      if (next_ && due) {
        if (!first_) Begin(next_->time);
        body_ += next_->json;
        body_ += '\n';
        ++events_;
        ++run_.progress.waiting;
        next_.reset();
      }
      const bool full = events_ >= run_.target.batch_events || body_.size() >= kMaxBodyBytes;
      if (events_ > 0 && (full || !due)) {
        Result<void> sent = co_await Send();
        if (!sent.ok()) co_return sent.error();
      } else if (!*more) {
        co_return Ok();
      } else if (!due) {
        run_.Report(false);
        Result<void> slept = co_await async::SleepFor(kTick);
        if (!slept.ok()) co_return slept.error();
      }
    }
    co_return Ok();
  }

 private:
  /// Holds the next event ready in next_; false at the end of the file.
  Result<bool> ReadOne() {
    while (!next_) {
      HONRYU_TRY(std::optional<std::string> line, reader_.Next());
      if (!line) return false;
      Result<ReplayedEvent> event = MapLine(options_.mapping, name_, reader_.number(), *line);
      if (event.ok()) {
        next_ = std::move(*event);
      } else {
        ++run_.progress.unreadable;
        run_.progress.last_problem =
            name_ + " line " + std::to_string(reader_.number()) + ": " + event.error().message();
      }
    }
    return true;
  }
  void Begin(Timestamp t) { first_ = t; }
  bool Due(Timestamp t) {
    if (options_.speed <= 0 || !first_) return true;
    const double recorded = std::chrono::duration<double>(t - *first_).count();
    const double passed = std::chrono::duration<double>(run_.clock.Mono() - run_.begin).count();
    const double late = passed - recorded / options_.speed;
    if (late >= 0)
      run_.progress.lag = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(late));
    return late >= 0;
  }
  async::Task<Result<void>> Send() {
    const std::size_t events = std::exchange(events_, 0);
    Result<void> sent = co_await run_.poster.Post(std::exchange(body_, {}), events);
    if (sent.ok()) run_.progress.waiting -= events;
    run_.Report(false);
    co_return sent;
  }

  Run& run_;
  const ReplayOptions options_;
  LineReader reader_;
  std::string name_;
  std::optional<ReplayedEvent> next_;
  std::optional<Timestamp> first_;  ///< Recorded time of the first event, which was sent at once.
  std::string body_;
  std::size_t events_ = 0;
};

Result<void> CheckTarget(const Target& target) {
  if (target.batch_events < 1 || target.batch_events > 10'000)
    return Error(ErrorCode::kInvalidArgument, "events of a request: expected 1 to 10000");
  if (target.max_in_flight < 1)
    return Error(ErrorCode::kInvalidArgument, "requests at a time: expected at least 1");
  return Ok();
}

}  // namespace

async::Task<Result<Progress>> RunDemo(DemoOptions options, Target target, http::Client& client,
                                      const Clock& clock) {
  HONRYU_CO_TRY_VOID(options.generator.Validate());
  HONRYU_CO_TRY_VOID(CheckTarget(target));
  HONRYU_CO_TRY(http::Endpoint endpoint, EventsEndpoint(target.url));
  if (options.generator.start == Timestamp{}) options.generator.start = clock.Now();
  DemoGenerator generator(options.generator);
  Run run(std::move(target), client, std::move(endpoint), clock);
  async::TaskGroup group;
  co_await Pump(&run, &generator, options.max_events, &group);
  const bool cancelled = co_await async::Cancelled();
  if (cancelled) co_await async::ClearCancellation();
  co_await Drain(&run, &group);
  run.Report(true);
  if (run.failure) co_return *run.failure;
  co_return run.progress;
}

async::Task<Result<Progress>> RunReplay(ReplayOptions options, Target target, http::Client& client,
                                        const Clock& clock) {
  HONRYU_CO_TRY_VOID(CheckTarget(target));
  HONRYU_CO_TRY(http::Endpoint endpoint, EventsEndpoint(target.url));
  HONRYU_CO_TRY(LineReader reader, LineReader::Open(options.file));
  Run run(std::move(target), client, std::move(endpoint), clock);
  Replay replay(run, std::move(options), std::move(reader));
  Result<void> gone = co_await replay.Go();
  run.progress.lag = Duration::zero();
  run.Report(true);
  if (!gone.ok()) co_return gone.error();
  co_return run.progress;
}

}  // namespace honryu::demo
