#pragma once

#include "honryu/client/stream_client.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace honryu::codec {
class Json;
class JsonWriter;
}  // namespace honryu::codec

namespace honryu::sqlapp {

/// Where something packed is that belongs to an application's state (a snapshot, the content of a reference
/// table): here, or in records of the state stream. docs/formats/sql-application.md.
struct StatePlace {
  std::string here;
  std::string shard;      ///< Of the state stream.
  SequenceNumber marker;  ///< The record before its pieces.
  std::uint64_t id = 0;
  std::uint32_t pieces = 0;  ///< 0: it is here, or there is none.

  bool empty() const { return pieces == 0 && here.empty(); }
};

void WritePlace(codec::JsonWriter& json, const StatePlace& place);
/// kInvalidArgument.
Result<StatePlace> ReadPlace(const codec::Json& json);

/// Puts packed bytes away and finds them again: few stay in the place itself, others go to the state stream
/// in pieces, behind a marker. Has no state; calls may not overlap for one application.
class StateStore {
 public:
  /// `client` must outlive it.
  StateStore(client::StreamClient& client, std::string stream, std::string application)
      : client_(client), stream_(std::move(stream)), application_(std::move(application)) {}

  /// At most `most_here` bytes stay in the place. Each record may take 10 s, all of it until `until`.
  async::Task<Result<StatePlace>> Put(MonoTime until, std::string packed, std::uint64_t id,
                                      std::size_t most_here);
  /// kNotFound: pieces have expired.
  async::Task<Result<std::string>> Get(MonoTime until, StatePlace place);

 private:
  async::Task<Result<client::PutPosition>> PutOne(MonoTime until, std::string data);
  client::StreamClient& client_;
  const std::string stream_, application_;
};

}  // namespace honryu::sqlapp
