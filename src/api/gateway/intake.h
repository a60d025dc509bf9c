#pragma once

#include "api/gateway/event.h"
#include "api/gateway/event_reader.h"
#include "api/gateway/event_writer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::gateway {

/// A refused event of a request.
struct Rejected {
  std::uint32_t index = 0;
  Reject reject;
  std::string event_id;  ///< As the client wrote it, when that is a string of at most 64 bytes.
  BytesView raw;         ///< Into the request's body.
};

/// An event of a request that passed and goes to the log.
struct Taken {
  std::uint32_t index = 0;
  UInt128 event_id;  ///< The client's or the server's.
  BytesView raw;     ///< Into the request's body.
};

/// "1b4e28ba-2fa1-4d3b-883f-0016d3cca427" of ParseUuid's number.
std::string FormatUuid(const UInt128& id);

/// Reads the events of one request: checks each and builds the records of the good ones in one buffer. Works
/// in slices, so that a large body does not hold up the event loop. Not thread-safe.
class Intake {
 public:
  /// `body` must outlive the intake; the references too.
  Intake(const GatewayConfig& config, const EventChecker& checker, BytesView body,
         std::string_view content_type, const EventContext& context);

  /// Reads about `slice_bytes` more; false when the end is reached or there are more events than allowed.
  bool Advance(std::size_t slice_bytes);
  /// Events seen so far, good and bad.
  std::uint32_t count() const { return count_; }
  bool too_many() const { return count_ > config_.max_events; }
  const std::string& received_text() const { return received_text_; }
  const std::vector<Rejected>& rejected() const { return rejected_; }
  const std::vector<Taken>& taken() const { return taken_; }
  /// Taken events whose time was corrected by sent_at, and those whose time lay in the future.
  std::uint64_t skewed() const { return skewed_; }
  std::uint64_t clamped() const { return clamped_; }
  /// Refuses a taken event after all: the log will not have it.
  void RefuseTaken(std::size_t i, const Error& error);
  /// The records, item i belonging to taken()[i]. Call once, at the end.
  std::vector<WriteItem> TakeItems();

 private:
  struct Slot {
    std::string partition_key;
    std::size_t offset;
    std::size_t length;
    bool has_own_id;
  };
  void TakeValue(BytesView raw, const JsonScanner& scanner);

  const GatewayConfig& config_;
  const EventChecker& checker_;
  const BytesView body_;
  const EventContext context_;
  const std::string received_text_;
  EventReader reader_;
  std::uint32_t count_ = 0;
  std::uint64_t skewed_ = 0;
  std::uint64_t clamped_ = 0;
  std::vector<Rejected> rejected_;
  std::vector<Taken> taken_;
  std::vector<Slot> slots_;
  std::string arena_;
};

}  // namespace honryu::api::gateway
