#pragma once

#include "honryu/async/runtime.h"
#include "honryu/base/units.h"
#include "honryu/client/stream_client.h"
#include "honryu/sqlapp/program.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace honryu::sqlapp {

/// "trim_horizon" (or "earliest"), "latest", a time ("2026-11-21T10:00:00Z"), a span back ("-15m"), "at:<ms>"
/// or "savepoint:<name>", as Deployment::from has it. kInvalidArgument.
Result<std::string> ParseFrom(std::string_view text, Timestamp now);

struct QueryOptions {
  std::string sql;
  std::string from = "latest";  ///< As ParseFrom gives it; not a savepoint.
  bool to_end = false;          ///< Ends, with every window closed, where the streams end now.
  std::uint64_t limit = 0;      ///< Rows; 0: no limit.
  bool files = false;           ///< Reference tables may read files of this machine.
  Duration idle_timeout = std::chrono::seconds(5);
  std::size_t max_groups = 1'000'000;
  ByteSize max_state = ByteSize::MiB(512);  ///< Of groups and sessions; beyond it rows are errors.
  std::size_t lanes = 1;                    ///< Shards that are worked on beside each other.
};

/// A query that is asked once: reads what is there from a position on at full speed and goes on with what
/// comes, without a gap; keeps nothing. Runs on: the executor on which Run is awaited; the engine works on
/// the blocking pool.
class Query {
 public:
  /// Gets lines of JSON, a row each; an error ends the query. "\n" alone: nothing for a while.
  using Writer = std::function<async::Task<Result<void>>(std::string lines)>;

  /// Parses and plans. kInvalidArgument shows the place; kFailedPrecondition: it may not read files.
  static Result<std::unique_ptr<Query>> Prepare(QueryOptions options, client::StreamClient& client,
                                                async::Runtime& runtime, const Clock& clock);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// Ends when the limit or the end is reached, the writer fails or the coroutine is cancelled. Call once.
  async::Task<Result<void>> Run(Writer write);

 private:
  struct Impl;
  explicit Query(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::sqlapp
