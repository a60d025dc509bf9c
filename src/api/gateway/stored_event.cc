#include "api/gateway/stored_event.h"

#include <chrono>

namespace honryu::api::gateway {

namespace {

void AppendDigits(std::uint64_t value, int digits, std::string& out) {
  char buffer[8];
  for (int i = digits - 1; i >= 0; --i) {
    buffer[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(buffer, static_cast<std::size_t>(digits));
}

}  // namespace

void AppendTimestamp(Timestamp time, std::string& out) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto ms = static_cast<std::uint64_t>((time - day).count());
  AppendDigits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.day()), 2, out);
  out += 'T';
  AppendDigits(ms / 3600000, 2, out);
  out += ':';
  AppendDigits(ms / 60000 % 60, 2, out);
  out += ':';
  AppendDigits(ms / 1000 % 60, 2, out);
  out += '.';
  AppendDigits(ms % 1000, 3, out);
  out += 'Z';
}

void AppendStoredEvent(const CheckedEvent& event, Timestamp received, std::string_view received_text,
                       std::string_view made_id, std::string& out) {
  out += "{\"received_at\":\"";
  out += received_text;
  out += "\",\"event_time\":\"";
  if (event.event_time == received) {
    out += received_text;
  } else {
    AppendTimestamp(event.event_time, out);
  }
  out += '"';
  if (event.clock_skew_ms.has_value()) {
    out += ",\"clock_skew_ms\":";
    out += std::to_string(*event.clock_skew_ms);
  }
  if (event.timestamp_clamped) out += ",\"timestamp_clamped\":true";
  if (!made_id.empty() && event.null_event_id.empty()) {
    out += ",\"event_id\":\"";
    out += made_id;
    out += '"';
  }
  out += ',';  // An event has members (event_type is required), so one follows.
  if (made_id.empty() || event.null_event_id.empty()) {
    out += event.text.substr(1);
    return;
  }
  const auto null_at = static_cast<std::size_t>(event.null_event_id.data() - event.text.data());
  out += event.text.substr(1, null_at - 1);
  out += '"';
  out += made_id;
  out += '"';
  out += event.text.substr(null_at + event.null_event_id.size());
}

}  // namespace honryu::api::gateway
