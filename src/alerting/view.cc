#include "honryu/alerting/view.h"

#include <algorithm>

namespace honryu::alerting {

namespace {
constexpr std::size_t kMostAlerts = 20000;  // of all states; beyond it those that are over make room
}

Result<void> AlertView::Apply(BytesView record) {
  HONRYU_TRY(const codec::Json json, codec::Json::Parse(record));
  const std::string_view type = RecordType(json);
  if (type == "silence") {
    HONRYU_TRY(Silence silence, ParseSilence(json));
    silences_[silence.id] = std::move(silence);
    return Ok();
  }
  if (type == "notification") return Ok();
  if (type != "change" && type != "status")
    return Error(ErrorCode::kInvalidArgument,
                 "no record of alerts: its type is \"" + std::string(type) + "\"");
  HONRYU_TRY(Change change, ParseChange(json));
  const std::string fingerprint = change.alert.Fingerprint();
  const auto known = alerts_.find(fingerprint);
  if (known != alerts_.end() && change.alert.at < known->second.at) return Ok();  // read again after a crash
  if (type == "change" && std::none_of(history_.begin(), history_.end(),
                                       [&](const Change& other) { return other.id == change.id; })) {
    history_.push_front(change);
    if (history_.size() > most_history_) history_.pop_back();
  }
  if (known == alerts_.end() && alerts_.size() >= kMostAlerts)
    std::erase_if(alerts_, [](const auto& entry) { return entry.second.state == AlertState::kOk; });
  if (known == alerts_.end() && alerts_.size() >= kMostAlerts) return Ok();
  alerts_[fingerprint] = std::move(change.alert);
  return Ok();
}

std::vector<Alert> AlertView::Active() const {
  std::vector<Alert> active;
  for (const auto& [fingerprint, alert] : alerts_) {
    if (alert.state != AlertState::kOk) active.push_back(alert);
  }
  return active;
}

std::vector<Silence> AlertView::Silences(Timestamp now) const {
  std::vector<Silence> living;
  for (const auto& [id, silence] : silences_) {
    if (silence.until > now) living.push_back(silence);
  }
  return living;
}

const Alert* AlertView::Find(const std::string& fingerprint) const {
  const auto found = alerts_.find(fingerprint);
  return found == alerts_.end() ? nullptr : &found->second;
}

}  // namespace honryu::alerting
