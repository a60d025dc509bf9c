#pragma once

#include "honryu/base/result.h"
#include "honryu/base/time.h"
#include "honryu/base/units.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace honryu::processors::sql_app {

struct SqlConfig {
  /// Folder of applications, *.sql; empty: the key figures that are built in.
  std::string apps_dir;
  /// Stream that large states are kept in, and whose leases say who runs what.
  std::string state_stream = "sql-state";
  /// A shard that is caught up and silent for this long does not hold back event time.
  Duration idle_timeout = std::chrono::seconds(5);
  /// Between two looks at what has come: early rows, final rows.
  Duration emit_interval = std::chrono::milliseconds(500);
  /// The state is saved at least this often while there are rows.
  Duration checkpoint_interval = std::chrono::seconds(5);
  /// Large states are saved less often, so that this much a second is written.
  ByteSize state_rate = ByteSize::KiB(64);
  /// Rows that are further ahead of their arrival than this are set back to it.
  Duration max_future = std::chrono::minutes(5);
  /// Groups that one operator of a query may hold.
  std::uint64_t max_groups = 10'000'000;
  /// Memory of an application's state; beyond it what was not used lately goes to disk. 0: no bound.
  ByteSize max_state = ByteSize::GiB(1);
  std::string spill_path;                  ///< Folder for that; empty: rows beyond go to the error stream.
  ByteSize max_spill = ByteSize::GiB(64);  ///< Of an application on disk.
  /// Of an application: records that were read and wait to be processed.
  ByteSize max_buffer = ByteSize::MiB(64);
  /// Threads that work on the shards of one application beside each other; 0: as LaneCount says.
  std::uint64_t lanes = 0;
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
  /// `lanes`, or the number of cores, at most 4.
  std::size_t LaneCount() const;
};

}  // namespace honryu::processors::sql_app
