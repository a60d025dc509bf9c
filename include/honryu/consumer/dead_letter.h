#pragma once

#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Records that could not be processed, set aside in a stream of their own
// (docs/formats/consumer-dead-letter.md).
namespace honryu::consumer {

struct DeadLetterConfig {
  bool enabled = false;  ///< False: a record that cannot be processed halts its shard.
  std::string stream;    ///< Empty: DeadLetterStreamOf(application). Made at need, with one shard.
  int retention_hours = 168;
};

enum class DeadLetterReason : std::uint8_t {
  kHandler,     ///< The handler kept failing on it.
  kExpired,     ///< It grew older than the application accepts before it could be processed.
  kUnopenable,  ///< It begins as something that holds records, and could not be opened.
};
/// "handler", "expired", "unopenable".
std::string_view DeadLetterReasonName(DeadLetterReason reason);

struct DeadLetter {
  std::string application, stream, shard_id;
  client::StreamRecord record;
  DeadLetterReason reason = DeadLetterReason::kHandler;
  std::string message;  ///< For people; cut to 1,024 bytes.
  int attempts = 0;     ///< Times that the handler was given it.
  Timestamp first_failure, last_failure;

  /// 16 hexadecimal digits, always the same for the same record and application.
  std::string Id() const;
};

/// "<application>-dead-letters", characters that no stream name may have replaced by '-'.
std::string DeadLetterStreamOf(std::string_view application);

/// The letter as entries for its stream: one, or more where the data is longer than `part_bytes`. They have
/// the record's partition key, so that letters of one key stay in order.
std::vector<client::PutEntry> EncodeDeadLetter(const DeadLetter& letter, std::size_t part_bytes);

/// One record of a dead-letter stream: part of a letter, or an entry of the ledger of redrives.
struct DeadLetterPart {
  std::string id;
  DeadLetter letter;   ///< `record.data` is this part of it.
  std::string reason;  ///< As written, also by a later version.
  std::uint32_t part = 0, parts = 1;
  std::size_t size = 0;  ///< Of the data of all parts.
};
struct RedriveMark {
  enum class State : std::uint8_t { kStarted, kDone, kNotDone };
  std::string redrive;  ///< Which call of redrive.
  State state = State::kStarted;
  Timestamp at;
  std::vector<std::string> ids;
};
struct DeadLetterEntry {
  std::optional<DeadLetterPart> part;
  std::optional<RedriveMark> mark;
};
/// kInvalidArgument: not of this format.
Result<DeadLetterEntry> DecodeDeadLetter(BytesView json);
client::PutEntry EncodeRedriveMark(const RedriveMark& mark);

/// Puts letters of one application and stream aside. Runs on: one executor at a time; several calls of Write
/// may wait side by side.
class DeadLetterWriter {
 public:
  /// References must outlive it.
  DeadLetterWriter(DeadLetterConfig config, const std::string& application, const std::string& stream,
                   client::StreamClient& client, obs::Registry& metrics);

  bool enabled() const { return config_.enabled; }
  const std::string& stream() const { return config_.stream; }

  /// Stores all letters, durably, trying again a few times; after an error some may be stored (again with the
  /// same id, when the call is repeated). kTooLarge: the stream takes not even 4 KiB of data.
  async::Task<Result<void>> Write(async::Context ctx, std::vector<DeadLetter> letters);

 private:
  async::Task<Result<void>> WriteOnce(async::Context ctx, std::vector<DeadLetter>& letters);

  DeadLetterConfig config_;
  client::StreamClient& client_;
  bool ensured_ = false;
  std::size_t part_bytes_ = 512 << 10;
  std::map<DeadLetterReason, obs::Counter> written_;
  obs::Counter errors_;
};

}  // namespace honryu::consumer
