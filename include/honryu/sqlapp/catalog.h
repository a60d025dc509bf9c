#pragma once

#include "honryu/async/task.h"
#include "honryu/client/stream_client.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sqlapp {

/// An application that is to run.
struct Deployment {
  std::string name;  ///< 1..64 of a-z, A-Z, 0-9, _ and -.
  std::string sql;   ///< Empty in the catalogue: it comes from a file that the aggregators have.
  /// Where it begins: "trim_horizon", "latest", "at:<ms since 1970>", "savepoint:<name>". Looked at once.
  std::string from = "trim_horizon";
  bool running = true;
  std::uint64_t version = 0;       ///< Rises whenever it is applied anew: it then begins anew too.
  std::int64_t changed_ms = 0;     ///< When.
  std::string savepoint;           ///< The last one that was asked for; empty: none.
  std::uint64_t savepoint_id = 0;  ///< Rises with each.

  friend bool operator==(const Deployment&, const Deployment&) = default;
};

/// kInvalidArgument says what a name may be.
Result<void> CheckApplicationName(std::string_view name);

/// The applications that were applied by hand, shared by all processes: kept as the state of a lease, which
/// the broker stores durably and hands to one writer at a time. At most about 1 MiB, packed, in all.
/// Thread-safe: has no state of its own.
class Catalog {
 public:
  /// `client` must outlive it. `state_stream` carries the lease; it is made if need be.
  Catalog(client::StreamClient& client, std::string state_stream)
      : client_(client), state_stream_(std::move(state_stream)) {}

  /// By name. kUnavailable and others of the client; kCorrupt.
  async::Task<Result<std::map<std::string, Deployment>>> List(async::Context ctx);
  /// Puts in an application in place of one of that name; gives the version.
  async::Task<Result<std::uint64_t>> Apply(async::Context ctx, Deployment deployment);
  /// Puts it in if there is none of that name.
  async::Task<Result<void>> Register(async::Context ctx, Deployment deployment);
  /// Stops one, or lets it go on. kNotFound.
  async::Task<Result<void>> SetRunning(async::Context ctx, std::string name, bool running);
  /// Takes one out. kNotFound.
  async::Task<Result<void>> Remove(async::Context ctx, std::string name);
  /// Asks the owner of an application for a savepoint.
  async::Task<Result<void>> AskSavepoint(async::Context ctx, std::string name, std::string savepoint);

 private:
  struct Change {
    std::optional<Deployment> apply;
    std::string name;
    std::optional<bool> running;
    bool remove = false;
    std::string savepoint;
    bool if_absent = false;
  };
  async::Task<Result<std::uint64_t>> Edit(async::Context ctx, Change change);
  client::StreamClient& client_;
  const std::string state_stream_;
};

/// The lease under which an application's state stands, on the state stream.
std::string ApplicationLease(std::string_view name);

}  // namespace honryu::sqlapp
