#pragma once

#include "honryu/obs/metrics.h"

#include <array>
#include <string>

namespace honryu::http {

/// Counters of one listener.
struct ServerMetrics {
  ServerMetrics(obs::Registry& registry, const std::string& listener)
      : connections(
            registry.MakeGauge("honryu_http_connections", "Open connections.", {{"listener", listener}})),
        request_seconds(registry.MakeHistogram("honryu_http_request_seconds",
                                               "Time from the whole request to the whole answer.",
                                               obs::LatencyBuckets(), {{"listener", listener}})),
        bytes_in(registry.MakeCounter("honryu_http_received_bytes_total", "Request body bytes, as sent.",
                                      {{"listener", listener}})),
        bytes_out(registry.MakeCounter("honryu_http_sent_bytes_total", "Response body bytes.",
                                       {{"listener", listener}})) {
    for (int i = 1; i <= 5; ++i) {
      by_class[static_cast<std::size_t>(i)] =
          registry.MakeCounter("honryu_http_requests_total", "Requests by status class.",
                               {{"listener", listener}, {"status_class", std::to_string(i) + "xx"}});
    }
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
      refused[i] =
          registry.MakeCounter("honryu_http_rejected_total", "Requests refused before any handler saw them.",
                               {{"listener", listener}, {"reason", kReasons[i]}});
    }
  }
  void Refused(std::string_view reason) {
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
      if (reason == kReasons[i]) refused[i].Add();
    }
  }

  static constexpr std::array<const char*, 10> kReasons = {"tls",
                                                           "bad_request",
                                                           "timeout",
                                                           "header_too_large",
                                                           "body_too_large",
                                                           "unsupported_encoding",
                                                           "not_implemented",
                                                           "too_many_connections",
                                                           "handler_failed",
                                                           "overloaded"};
  obs::Gauge connections;
  obs::Histogram request_seconds;
  obs::Counter bytes_in, bytes_out;
  std::array<obs::Counter, 6> by_class;
  std::array<obs::Counter, 10> refused;
};

}  // namespace honryu::http
