#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace honryu {

/// What went wrong, for code to branch on. Shared by every module; wire names are mapped
/// from it in one place per protocol. Keep it short: detail belongs in the message.
enum class ErrorCode : std::uint8_t {
  kUnset = 0,           ///< A default-constructed Result; never returned on purpose.
  kInvalidArgument,     ///< The caller's input is wrong; retrying will not help.
  kNotFound,            ///< The named thing does not exist.
  kAlreadyExists,       ///< The named thing exists already.
  kFailedPrecondition,  ///< The system is not in the state that the call needs.
  kConflict,            ///< A compare-and-set lost; read again and decide anew.
  kFenced,              ///< A newer owner has taken over; stop.
  kOverloaded,          ///< A bounded queue is full or a quota is used up. Retryable.
  kUnavailable,         ///< A peer or resource (disk space) is missing for now. Retryable.
  kDeadlineExceeded,    ///< The wait's deadline passed. Retryable if the operation is idempotent.
  kCancelled,           ///< The wait was cancelled (stop, or the peer went away).
  kOutOfRange,          ///< A position before the retained range or past the end.
  kExpired,             ///< A token or iterator is too old.
  kPermissionDenied,    ///< Authenticated but not allowed, or not authenticated.
  kTooLarge,            ///< A size or count limit was passed.
  kCorrupt,             ///< A checksum or structure on disk is wrong. A person must act.
  kIo,                  ///< The operating system or storage library failed.
  kUnimplemented,       ///< The operation is not known here.
  kInternal,            ///< A bug, reported instead of crashing.
};

/// Stable lower-case name, e.g. "not_found". Used in logs and metric labels.
std::string_view ErrorCodeName(ErrorCode code);

/// A failure: a code for programs and a message for people (lower case, no full stop,
/// what was expected and what was found; never a payload or a secret). Value type.
class Error {
 public:
  Error() = default;
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  /// True for failures that may pass if the same call is made again later.
  bool retryable() const {
    return code_ == ErrorCode::kOverloaded || code_ == ErrorCode::kUnavailable ||
           code_ == ErrorCode::kDeadlineExceeded;
  }
  /// The same error with `context` put in front: "context: message".
  Error WithContext(std::string_view context) const&;
  /// "code: message", for logs.
  std::string ToString() const;

 private:
  ErrorCode code_ = ErrorCode::kUnset;
  std::string message_ = "unset result";
};

}  // namespace honryu
