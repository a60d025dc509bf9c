#pragma once

#include "honryu/consumer/dead_letter.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Looking at the dead letters of an application, and putting them back where they came from.
namespace honryu::consumer {

enum class LetterStatus : std::uint8_t {
  kWaiting,    ///< Never put back.
  kRedriven,   ///< Put back.
  kUncertain,  ///< A redrive began with it and was cut off: it may have been put back.
};
/// "waiting", "redriven", "uncertain".
std::string_view LetterStatusName(LetterStatus status);

/// Which letters are meant; what is empty asks nothing.
struct LetterFilter {
  std::set<std::string> ids;  ///< Whole or the beginning of one.
  std::string application, stream, shard, reason;
  std::optional<Timestamp> from, to;  ///< Of the last failure; `to` excluded.

  bool Matches(const DeadLetterPart& letter) const;
};

struct StoredLetter {
  DeadLetterPart
      letter;  ///< All of it: `record.data` is joined. Empty data in a list (LetterScan::with_data).
  LetterStatus status = LetterStatus::kWaiting;
};

/// What is in a dead-letter stream. Letters stored twice (a consumer crashed between writing and
/// checkpointing) count once.
struct LetterSummary {
  std::map<std::string, std::size_t> by_reason, by_application, by_status;
  std::size_t letters = 0;                  ///< That match the filter.
  std::size_t bytes = 0;                    ///< Of their data.
  std::size_t foreign = 0;                  ///< Records of the stream that are no dead letters.
  std::optional<Timestamp> oldest, newest;  ///< Failure.
};

struct LetterScan {
  std::string stream;  ///< Of dead letters.
  LetterFilter filter;
  std::size_t limit = 1000;  ///< Letters kept, the newest ones.
  bool with_data = false;
};
struct LetterList {
  std::vector<StoredLetter> letters;  ///< In the order of the stream.
  LetterSummary summary;              ///< Of all that match, also beyond the limit.
};
/// Reads the whole stream.
async::Task<Result<LetterList>> ListDeadLetters(client::StreamClient& client, LetterScan scan);

struct RedriveRequest {
  std::string stream;  ///< Of dead letters.
  LetterFilter filter;
  bool again = false;       ///< Also those that are redriven or uncertain.
  std::string destination;  ///< Empty: each letter's own stream.
};
struct RedriveProgress {
  std::size_t chosen = 0;     ///< To be put back.
  std::size_t done = 0;       ///< Put back, durably.
  std::size_t refused = 0;    ///< The stream will not take it (for its size or key).
  std::size_t skipped = 0;    ///< Match the filter, but were put back before.
  std::size_t uncertain = 0;  ///< Match the filter, and may have been put back before.
};
/// Puts letters back with their data and partition key, in order. What is put back is noted in the
/// dead-letter stream before and after, so that the next redrive leaves it out. Stops at the first failure
/// (other than a refused record); nothing is lost then, and calling it again goes on. One redrive of a stream
/// at a time (kConflict). `progress` is called after each step; false: stop.
async::Task<Result<RedriveProgress>> Redrive(client::StreamClient& client, RedriveRequest request,
                                             const Clock& clock,
                                             std::function<bool(const RedriveProgress&)> progress);

}  // namespace honryu::consumer
