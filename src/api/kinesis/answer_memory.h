#pragma once

#include "honryu/base/bytes.h"
#include "honryu/obs/metrics.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace honryu::api::kinesis {

/// Bounds the memory of answers with records, from reading them to their last byte on the wire: the more
/// there is already, the fewer records a further answer brings, as every reader must expect of Kinesis.
/// Nothing is refused, for one record always goes; so readers that catch up together slow down instead of
/// taking a multiple of their largest answer. Thread-safe.
class AnswerMemory {
 public:
  /// `metrics` must outlive this.
  AnswerMemory(std::uint64_t limit, obs::Registry& metrics)
      : limit_(limit),
        gauge_(metrics.MakeGauge("honryu_kinesis_answer_memory_bytes",
                                 "Memory held by answers with records until they are sent.")) {}
  AnswerMemory(const AnswerMemory&) = delete;
  AnswerMemory& operator=(const AnswerMemory&) = delete;

  /// What one answer holds; given back when it goes. Not thread-safe by itself.
  class Share {
   public:
    /// `of` must outlive the share.
    explicit Share(AnswerMemory& of) : of_(of) {}
    ~Share() { Hold(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    /// Holds so many bytes instead of those before.
    void Hold(std::uint64_t bytes) {
      of_.used_ += bytes - held_;  // modulo 2^64, and so right when it is less, too
      of_.gauge_.Add(static_cast<double>(bytes) - static_cast<double>(held_));
      held_ = bytes;
    }

   private:
    AnswerMemory& of_;
    std::uint64_t held_ = 0;
  };

  /// Bytes of records for one answer, at most `most`: an eighth of what is free, so that there is always
  /// some.
  std::uint64_t Room(std::uint64_t most) const {
    const std::uint64_t used = used_;
    const std::uint64_t free = limit_ > used ? limit_ - used : 0;
    return std::clamp(free / 8, std::min(kLeast, most), most);
  }

  /// The same bytes, which hold the share until they are gone.
  static Bytes With(std::shared_ptr<Share> share, Bytes body) {
    share->Hold(body.size());
    const BytesView view = body.view();
    auto owner =
        std::make_shared<const std::pair<Bytes, std::shared_ptr<Share>>>(std::move(body), std::move(share));
    return Bytes(std::move(owner), view);
  }

 private:
  static constexpr std::uint64_t kLeast = 64 << 10;  // below, answers cost more than their records

  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
  obs::Gauge gauge_;
};

}  // namespace honryu::api::kinesis
