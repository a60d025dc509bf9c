#pragma once

#include "honryu/sqlapp/machine.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::processors::sql_app {

/// Where a packed snapshot is: here, or in records of the state stream.
struct SnapshotPlace {
  std::string here;
  std::string shard;      ///< Of the state stream.
  SequenceNumber marker;  ///< The record before its pieces.
  std::uint64_t id = 0;
  std::uint32_t pieces = 0;  ///< 0: it is here, or there is none.
};

struct Savepoint {
  std::string name;
  std::uint64_t id = 0;
  std::int64_t taken_ms = 0;
  SnapshotPlace place;
};

/// What stands in the lease of an application (docs/formats/sql-application.md): enough for any process to go
/// on.
struct ApplicationState {
  std::uint64_t program = 0;  ///< Of another program, nothing of it counts.
  std::uint64_t version = 0;  ///< Of the deployment.
  std::int64_t from_ms = -1;  ///< Where it began; -1: with all that there is.
  std::int64_t start_ms = 0;  ///< What its clock showed then; 0: not known.
  std::uint64_t emitted = 0;  ///< Rows of cuts up to here are out.
  /// The snapshot after whose taking the positions were told to the workers' leases too.
  std::uint64_t told = 0;
  SnapshotPlace snapshot;
  std::vector<sqlapp::Cut> cuts;  ///< Made since.
  std::vector<Savepoint> savepoints;
  sqlapp::Machine::Counters counters;  ///< For people who look.
  std::uint64_t state_bytes = 0, state_entries = 0;
  std::int64_t saved_ms = 0;
};

std::string EncodeState(const ApplicationState& state);
/// kCorrupt, kFailedPrecondition (a newer version).
Result<ApplicationState> DecodeState(std::string_view bytes);
/// Whether cuts fit to a machine with this many shards, of a program with this many input streams.
bool CutsFit(const std::vector<sqlapp::Cut>& cuts, std::size_t shards, std::size_t streams);

}  // namespace honryu::processors::sql_app
