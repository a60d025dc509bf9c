#pragma once

#include "honryu/base/bytes.h"
#include "honryu/base/result.h"
#include "honryu/base/time.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace honryu::demo {

/// How a line of somebody's NDJSON becomes an event. Fields may go down with dots: "request.user".
struct ReplayMapping {
  std::string time_field = "timestamp";  ///< Text as ParseTimestamp takes it, or seconds or ms since 1970.
  std::string type_field;                ///< Empty, or absent in a line: event_type is `event_type`.
  std::string event_type = "replay";
  std::string user_field;     ///< Empty: events have no user_id.
  std::string session_field;  ///< Empty: events have no session_id.
};

struct ReplayedEvent {
  Timestamp time;
  std::string json;  ///< The event; the whole line stands unchanged under "properties".
};

/// Maps line `number` (from 1) of the file called `name`. event_id depends on name and number alone, so that
/// a file that is sent twice within the gateway's window is stored once. kInvalidArgument when the line is no
/// JSON object or its time is missing or unreadable.
Result<ReplayedEvent> MapLine(const ReplayMapping& mapping, std::string_view name, std::uint64_t number,
                              BytesView line);

/// Reads lines one by one from a file, gzip-compressed or not. Not thread-safe; blocks on the disk.
class LineReader {
 public:
  /// kNotFound or kIo.
  static Result<LineReader> Open(const std::string& path);
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  ~LineReader();

  /// The next line without its end, or nothing at the end of the file; blank lines are passed over. kCorrupt
  /// for broken compression, kTooLarge for a line over 4 MiB.
  Result<std::optional<std::string>> Next();
  /// Of the line that Next() gave last, from 1; blank lines count.
  std::uint64_t number() const;

 private:
  LineReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::demo
