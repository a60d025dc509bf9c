#pragma once

#include "api/gateway/event.h"
#include "honryu/obs/metrics.h"

#include <array>

namespace honryu::api::gateway {

/// The gateway's metrics. Thread-safe.
struct GatewayMetrics {
  explicit GatewayMetrics(obs::Registry& registry)
      : accepted(Events(registry, "accepted")),
        duplicate(Events(registry, "duplicate")),
        rejected(Events(registry, "rejected")),
        failed(Events(registry, "failed")),
        bytes(registry.MakeCounter("honryu_gateway_request_bytes_total",
                                   "Bytes of request bodies, decompressed")),
        rate_limited(registry.MakeCounter("honryu_gateway_rate_limited_events_total",
                                          "Events turned away by the rate limit of an API key")),
        overloaded(registry.MakeCounter("honryu_gateway_overloaded_requests_total",
                                        "Requests turned away because too many bytes were being worked on")),
        unauthorized(registry.MakeCounter("honryu_gateway_unauthorized_requests_total",
                                          "Requests without a valid key, scope or origin")),
        dead_letters(registry.MakeCounter("honryu_gateway_dead_letters_total", "Refused events put aside",
                                          {{"result", "stored"}})),
        dead_letters_lost(registry.MakeCounter("honryu_gateway_dead_letters_total",
                                               "Refused events put aside", {{"result", "lost"}})),
        skewed(registry.MakeCounter("honryu_gateway_corrected_events_total",
                                    "Events whose time was corrected", {{"kind", "clock_skew"}})),
        clamped(registry.MakeCounter("honryu_gateway_corrected_events_total",
                                     "Events whose time was corrected", {{"kind", "clamped"}})),
        request_seconds(registry.MakeHistogram("honryu_gateway_request_seconds",
                                               "Time from a complete request to its answer",
                                               obs::LatencyBuckets())),
        request_events(registry.MakeHistogram("honryu_gateway_request_events", "Events of a request",
                                              obs::SizeBuckets())),
        dedup_entries(registry.MakeGauge("honryu_gateway_dedup_entries", "Event ids remembered")),
        dedup_early_turns(
            registry.MakeGauge("honryu_gateway_dedup_early_turns",
                               "Times that ids were forgotten before the window's end for lack of room")),
        uncertain(registry.MakeGauge("honryu_gateway_uncertain_ids",
                                     "Event ids whose last write ended without a known outcome")),
        uncertain_found(
            registry.MakeCounter("honryu_gateway_uncertain_stored_total",
                                 "Events that turned out to be stored although their write had no answer")),
        uncertain_dropped(registry.MakeCounter(
            "honryu_gateway_uncertain_dropped_total",
            "Event ids with an unknown outcome that were not remembered for lack of room")),
        in_flight_bytes(
            registry.MakeGauge("honryu_gateway_in_flight_bytes", "Bytes of bodies being worked on")) {
    for (std::size_t i = 0; i < kRejectReasons; ++i) {
      rejected_by[i] =
          registry.MakeCounter("honryu_gateway_rejected_events_total", "Events refused, by reason",
                               {{"reason", std::string(RejectReasonName(static_cast<RejectReason>(i)))}});
    }
  }

  obs::Counter accepted, duplicate, rejected, failed;
  obs::Counter bytes, rate_limited, overloaded, unauthorized, dead_letters, dead_letters_lost, skewed,
      clamped;
  obs::Histogram request_seconds, request_events;
  obs::Gauge dedup_entries, dedup_early_turns, uncertain;
  obs::Counter uncertain_found, uncertain_dropped;
  obs::Gauge in_flight_bytes;
  std::array<obs::Counter, kRejectReasons> rejected_by;

 private:
  static obs::Counter Events(obs::Registry& registry, const char* result) {
    return registry.MakeCounter("honryu_gateway_events_total", "Events received, by what became of them",
                                {{"result", result}});
  }
};

}  // namespace honryu::api::gateway
