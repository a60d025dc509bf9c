#pragma once

#include "honryu/sqlapp/machine.h"
#include "honryu/sqlapp/state_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::processors::sql_app {

struct Savepoint {
  std::string name;
  std::uint64_t id = 0;
  std::int64_t taken_ms = 0;
  std::int64_t kept_ms = 0;  ///< When its place was written; what is there expires.
  sqlapp::StatePlace place;
};

/// A content of a reference table, zstd-packed: a repetition joins the same rows, whatever its file has then.
struct KeptTable {
  std::string name;
  std::uint64_t content = 0;  ///< ContentId.
  bool at_snapshot = false;   ///< The table's content when the cuts begin; others come with cuts.
  bool current = false;       ///< The last one.
  std::string declaration;    ///< The table's, for people who look.
  std::int64_t since_ms = 0;  ///< When it was found in the file.
  std::int64_t kept_ms = 0;
  sqlapp::StatePlace place;
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
  sqlapp::StatePlace snapshot;
  std::int64_t snapshot_ms = 0;   ///< When it was taken.
  std::vector<sqlapp::Cut> cuts;  ///< Made since.
  std::vector<Savepoint> savepoints;
  std::uint64_t asked = 0;        ///< The request for a savepoint that was answered last.
  std::uint64_t run = 0;          ///< Differs whenever the application begins anew: part of its rows' ids.
  std::vector<KeptTable> tables;  ///< Those that the snapshot and the cuts need.
  sqlapp::Machine::Counters counters;  ///< For people who look.
  std::uint64_t state_bytes = 0, state_entries = 0;
  std::int64_t saved_ms = 0;
};

std::string EncodeState(const ApplicationState& state);
/// kCorrupt, kFailedPrecondition (a newer version).
Result<ApplicationState> DecodeState(std::string_view bytes);
/// Whether its cuts fit to a machine with this many shards, of this program.
bool CutsFit(const ApplicationState& state, const sqlapp::Program& program, std::size_t shards);

}  // namespace honryu::processors::sql_app
