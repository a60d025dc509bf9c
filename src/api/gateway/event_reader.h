#pragma once

#include "api/gateway/json_scan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace honryu::api::gateway {

/// How a body holds its events.
enum class BodyForm : std::uint8_t {
  kArray,         ///< [ {…}, {…} ]
  kLines,         ///< One value a line (NDJSON); blank lines do not count.
  kConcatenated,  ///< {…} {…}, with or without line ends between and inside.
};
/// By Content-Type (application/x-ndjson and its like), else by the first byte that is not blank.
BodyForm DetectForm(std::string_view content_type, BytesView body);

/// Takes a body apart into events, one per call, so that the caller can pause between them.
///
/// After a broken value: lines go on at the next line; concatenated objects at the next line that begins with
/// '{' (the text skipped belongs to the broken value); in an array nothing tells where the next element
/// begins, so reading ends.
///
/// Broken concatenated values may be scanned far beyond where reading goes on, again and again. What is
/// scanned in vain is bounded: beyond four times the body reading ends, and the rest is one broken value.
class EventReader {
 public:
  enum class Step : std::uint8_t {
    kValue,   ///< The scanner holds a well-formed value.
    kBroken,  ///< raw() is no JSON value; message() tells where and why.
    kEnd,
  };

  /// `body` must outlive the reader. A leading byte order mark is skipped.
  EventReader(BytesView body, BodyForm form);
  Step Next(JsonScanner* scanner);
  /// The value's text as sent.
  BytesView raw() const { return raw_; }
  const std::string& message() const { return message_; }
  /// Bytes of the body read so far.
  std::size_t position() const { return position_; }
  /// Work done so far: bytes read, and those scanned in vain.
  std::size_t work() const { return position_ + wasted_; }

 private:
  static std::optional<std::size_t> ObjectEnd(BytesView body, std::size_t begin);
  Step NextElement(JsonScanner* scanner);
  Step NextLine(JsonScanner* scanner);
  Step NextConcatenated(JsonScanner* scanner);
  Step Broken(std::size_t begin, std::size_t end, std::size_t at, std::string_view reason);
  void SkipBlanks();

  BytesView body_;
  BodyForm form_;
  std::size_t position_ = 0;
  std::size_t wasted_ = 0;
  bool first_ = true;
  bool ended_ = false;
  BytesView raw_;
  std::string message_;
};

}  // namespace honryu::api::gateway
