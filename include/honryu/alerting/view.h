#pragma once

#include "honryu/alerting/alert.h"
#include "honryu/base/bytes.h"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace honryu::alerting {

/// What is known from reading the stream `alerts` from its beginning: how things stand, and the last steps.
/// Not thread-safe.
class AlertView {
 public:
  explicit AlertView(std::size_t history = 1000) : most_history_(history) {}

  /// A record of the stream; what is none is refused with kInvalidArgument and changes nothing. Records may
  /// come again.
  Result<void> Apply(BytesView record);
  /// Those not OK, by rule and key.
  std::vector<Alert> Active() const;
  /// The newest first.
  const std::deque<Change>& history() const { return history_; }
  /// Those that have not ended at `now`, by id.
  std::vector<Silence> Silences(Timestamp now) const;
  /// By fingerprint: the alert as last told of; null pointer if unknown.
  const Alert* Find(const std::string& fingerprint) const;

 private:
  std::size_t most_history_;
  std::map<std::string, Alert> alerts_;
  std::deque<Change> history_;
  std::map<std::string, Silence> silences_;
};

}  // namespace honryu::alerting
