#pragma once

#include "api/gateway/dedup_window.h"
#include "api/gateway/event.h"
#include "api/gateway/stream_scan.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace honryu::api::gateway {

/// Fills a dedup window from the stream after a start: reads it backwards in slices of time, each in all
/// shards, until the window's begin or until the newest ids fill the room. Records that are no events (other
/// producers may write to the stream) are passed over. Keeps its place: after an error Run() goes on where it
/// stopped.
///
///   since        slice 3      slice 2   slice 1  until
///   |............|------------|---------|--------|     each is read forwards
class DedupWarmer {
 public:
  /// `progress` rises with everything that is read. The references must outlive the warmer.
  DedupWarmer(client::StreamClient& client, std::string stream, Timestamp since, Timestamp until,
              DedupWindow& window, std::atomic<std::uint64_t>& progress);

  async::Task<Result<void>> Run(async::Context ctx);

  /// Ids remembered so far.
  std::uint64_t ids() const { return ids_; }
  /// Records read so far.
  std::uint64_t records() const { return records_; }
  /// Begin of what has been read in whole.
  Timestamp reached() const { return upper_; }

 private:
  void Visit(const client::StreamRecord& record);
  /// Remembers what the slice had, the newest first: when room is short, they are the ones that stay.
  void Keep();
  bool Enough() const;

  client::StreamClient& client_;
  const std::string stream_;
  const Timestamp since_, until_;
  DedupWindow& window_;
  std::atomic<std::uint64_t>& progress_;
  JsonScanner scanner_;
  Timestamp upper_;                                   // everything from here to until_ has been read
  Timestamp lower_;                                   // begin of the slice being read
  Duration width_;                                    // of the next slice
  std::unique_ptr<StreamScan> scan_;                  // the slice being read
  std::vector<std::pair<Timestamp, UInt128>> slice_;  // arrival and id of what it has brought so far
  std::uint64_t ids_ = 0;
  std::uint64_t records_ = 0;
};

}  // namespace honryu::api::gateway
