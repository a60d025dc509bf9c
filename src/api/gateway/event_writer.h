#pragma once

#include "api/gateway/dedup_window.h"
#include "api/gateway/uncertain_ids.h"
#include "honryu/async/task_group.h"
#include "honryu/client/stream_client.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace honryu::api::gateway {

/// An event on its way to the log.
struct WriteItem {
  std::optional<UInt128> event_id;  ///< Absent: cannot be a repetition (the server made the id).
  client::PutEntry entry;
};

enum class WriteOutcome : std::uint8_t {
  kStored,
  kDuplicate,
  kFailed,   ///< Not stored, or not known to be: may be tried again.
  kRefused,  ///< The log will never take this record.
};
struct WriteResult {
  WriteOutcome outcome = WriteOutcome::kFailed;
  Error error;  ///< With kFailed and kRefused.
};

/// Writes events, each event_id once: a repetition within the window is kDuplicate, one that meets its twin
/// on the way waits for the twin's fate and shares it (or takes its place when the twin failed). A write that
/// has begun goes on when the caller is cancelled or out of time, so that its ids are decided. An event whose
/// write ended without a known outcome is looked for in the stream before it is written again (UncertainIds).
/// Thread-safe.
class EventWriter {
 public:
  /// `window` null: no deduplication; `uncertain` null: an unknown outcome counts as a failure. The
  /// references must outlive the writer.
  EventWriter(client::StreamClient& client, std::string stream, Duration put_timeout, DedupWindow* window,
              UncertainIds* uncertain = nullptr);

  /// Result i belongs to item i.
  async::Task<std::vector<WriteResult>> Write(async::Context ctx, std::vector<WriteItem> items);
  /// Waits for begun writes until the deadline, then cancels them. Call once.
  async::Task<void> Stop(MonoTime deadline);

 private:
  class Batch;
  using Results = std::vector<Result<client::PutPosition>>;
  struct Round;

  static async::Task<void> Store(client::StreamClient& client, std::string stream, Duration timeout,
                                 std::shared_ptr<Batch> batch);
  void Sort(const std::vector<WriteItem>& items, Round* round, std::vector<WriteResult>* results) const;
  async::Task<void> SettleDoubtful(async::Context ctx, Round& round, const std::vector<WriteItem>& items,
                                   std::vector<WriteResult>& results);
  async::Task<void> PutMine(async::Context ctx, Round& round, std::vector<WriteItem>& items,
                            std::vector<WriteResult>& results);

  client::StreamClient& client_;
  const std::string stream_;
  const Duration put_timeout_;
  DedupWindow* const window_;
  UncertainIds* const uncertain_;
  async::TaskGroup group_;
};

}  // namespace honryu::api::gateway
