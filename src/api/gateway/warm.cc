#include "api/gateway/warm.h"

#include "honryu/obs/log.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

using std::chrono::milliseconds;

/// A slice is about so many records: enough that what a read takes beyond the slice's end is little beside
/// it.
constexpr std::uint64_t kSliceRecords = 400'000;
/// Also how far the broker's clock may lag behind ours without a detour.
constexpr Duration kFirstSlice = std::chrono::seconds(10);
constexpr Duration kLeastSlice = milliseconds(100);

}  // namespace

DedupWarmer::DedupWarmer(client::StreamClient& client, std::string stream, Timestamp since, Timestamp until,
                         DedupWindow& window, std::atomic<std::uint64_t>& progress)
    : client_(client),
      stream_(std::move(stream)),
      since_(since),
      until_(until),
      window_(window),
      progress_(progress),
      upper_(until),
      lower_(until),
      width_(kFirstSlice) {
  JsonLimits limits;
  limits.max_value_bytes = 0;
  scanner_.SetLimits(limits);
}

void DedupWarmer::Visit(const client::StreamRecord& record) {
  ++records_;
  progress_.fetch_add(1, std::memory_order_relaxed);
  const std::optional<UInt128> id = EventIdOf(record.data, &scanner_);
  if (id.has_value()) slice_.emplace_back(record.arrival, *id);
}

void DedupWarmer::Keep() {
  std::sort(slice_.begin(), slice_.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [arrival, id] : slice_) {
    if (window_.Remember(id, until_ - arrival)) ++ids_;
  }
  slice_.clear();
}

/// Records without an id cost time as well.
bool DedupWarmer::Enough() const {
  return ids_ >= window_.warm_capacity() || records_ >= 2 * window_.warm_capacity();
}

async::Task<Result<void>> DedupWarmer::Run(async::Context ctx) {
  const StreamScan::Visitor visit = [this](const client::StreamRecord& record) { Visit(record); };
  while (upper_ > since_ && !Enough()) {
    if (scan_ == nullptr) {
      lower_ = std::max(since_, upper_ - std::chrono::ceil<milliseconds>(width_));
      // The newest records may bear times of a clock that is ahead of ours: the first slice has no end.
      std::optional<Timestamp> end;
      if (upper_ != until_) end = upper_;
      scan_ = std::make_unique<StreamScan>(client_, stream_, lower_, end);
    }
    Result<void> read = co_await scan_->Resume(ctx, visit);
    if (!read.ok() && read.error().code() == ErrorCode::kInvalidArgument && lower_ > since_ &&
        slice_.empty()) {
      // The slice lies in the future of the broker's clock.
      scan_.reset();
      width_ *= 2;
      continue;
    }
    if (!read.ok()) co_return read;
    const std::uint64_t records = scan_->records();
    scan_.reset();
    Keep();
    upper_ = lower_;
    progress_.fetch_add(1, std::memory_order_relaxed);
    if (records < kSliceRecords / 2) width_ *= 2;
    if (records > kSliceRecords * 2) width_ = std::max(kLeastSlice, Duration(width_ / 2));
    if (records == 0) continue;
    LOG_LIMITED(info, "reading the dedup window", {"back_to", FormatTimestamp(upper_)},
                {"begin", FormatTimestamp(since_)}, {"records", records_}, {"ids", ids_});
  }
  if (upper_ > since_) {
    LOG(warn, "the dedup window has no room for all ids of its time: the oldest were left out",
        {"back_to", FormatTimestamp(upper_)}, {"ids", ids_});
  }
  co_return Ok();
}

}  // namespace honryu::api::gateway
