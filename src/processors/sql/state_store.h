#pragma once

#include "honryu/client/stream_client.h"
#include "processors/sql/application_state.h"

#include <string>

namespace honryu::processors::sql_app {

/// Puts packed snapshots away and finds them again: small ones stay in the place itself, others go to the
/// state stream in pieces, behind a marker. Has no state; calls may not overlap for one application.
class StateStore {
 public:
  StateStore(client::StreamClient& client, std::string stream, std::string application)
      : client_(client), stream_(std::move(stream)), application_(std::move(application)) {}

  async::Task<Result<SnapshotPlace>> Put(async::Context ctx, std::string packed, std::uint64_t id);
  /// kNotFound: pieces have expired.
  async::Task<Result<std::string>> Get(async::Context ctx, SnapshotPlace place);

 private:
  async::Task<Result<client::PutPosition>> PutOne(async::Context ctx, std::string data);
  client::StreamClient& client_;
  const std::string stream_, application_;
};

}  // namespace honryu::processors::sql_app
