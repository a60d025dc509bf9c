#pragma once

#include "honryu/async/task.h"
#include "honryu/demo/generator.h"
#include "honryu/demo/replay.h"
#include "honryu/http/client.h"

#include <cstdint>
#include <functional>
#include <string>

namespace honryu::demo {

/// What has happened so far. Counts of events, unless said otherwise.
struct Progress {
  std::uint64_t sent = 0;        ///< Taken from the source and posted at least once.
  std::uint64_t accepted = 0;    ///< Durable at the server.
  std::uint64_t duplicates = 0;  ///< The server had them already.
  std::uint64_t rejected = 0;    ///< The server will never take them; see last_problem.
  std::uint64_t retried = 0;     ///< Posted again after 429, 503 or a broken connection.
  std::uint64_t unreadable = 0;  ///< Lines of a replayed file that are no event.
  std::uint64_t waiting = 0;     ///< Generated but not settled yet.
  Duration lag{};                ///< How far the sending is behind the plan.
  Duration elapsed{};
  std::string last_problem;  ///< Empty, or the last refusal or failure in one line.
};

/// "12.0 s  sent 2400  accepted 2390 (+199/s)  duplicates 0  rejected 0  retried 10  lag 0.0 s". The rate is
/// that since `before`.
std::string FormatProgress(const Progress& now, const Progress& before);

/// Where events go and how.
struct Target {
  std::string url = "http://127.0.0.1:8080";  ///< Of the gateway; /v1/events is put behind it.
  std::string api_key;                        ///< Sent as a bearer token unless empty.
  bool gzip = true;
  std::size_t batch_events = 500;  ///< Of a request, at most.
  std::size_t max_in_flight = 8;   ///< Requests at a time (a replay has one, which keeps the order).
  /// Ends with the last error when nothing came through for this long; 0: never.
  Duration give_up_after{};
  /// Asked several times a second; true ends the run as its natural end would. May be empty.
  std::function<bool()> stop;
  /// Called about once a second, on the run's executor. May be empty.
  std::function<void(const Progress&)> on_progress;
};

struct DemoOptions {
  GeneratorOptions generator;    ///< Its `start` is set by RunDemo when it is zero.
  std::uint64_t max_events = 0;  ///< Ends after so many; 0: never.
};

/// Sends generated events as they fall due (open loop: a slow server does not slow the plan down, the lag
/// shows; nothing is left out). A batch that is pushed back (429, 503, connection lost) is sent again, the
/// same bytes, until it is settled. Stops by target.stop, max_events or cancellation: then what is under way
/// gets five seconds. kInvalidArgument for bad options; kPermissionDenied or kFailedPrecondition when the
/// server answers with what waiting does not heal. Runs on: the caller's executor.
async::Task<Result<Progress>> RunDemo(DemoOptions options, Target target, http::Client& client,
                                      const Clock& clock);

struct ReplayOptions {
  std::string file;  ///< NDJSON, gzip-compressed or not.
  ReplayMapping mapping;
  double speed = 1;  ///< Times as fast as it was recorded; 0: as fast as the server takes it.
};

/// Sends a file's events in the order of its lines, one request at a time. Lines that are no event are
/// counted and passed over. Otherwise as RunDemo.
async::Task<Result<Progress>> RunReplay(ReplayOptions options, Target target, http::Client& client,
                                        const Clock& clock);

}  // namespace honryu::demo
