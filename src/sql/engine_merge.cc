#include "honryu/base/crc32c.h"
#include "sql/engine_impl.h"

#include <algorithm>

// docs/formats/sql-shipment.md
namespace honryu::sql {
namespace {

constexpr std::size_t kHashesKept = 64;

Error Corrupt() { return Error(ErrorCode::kCorrupt, "the shipment is damaged"); }

}  // namespace

Result<MergeReply> EngineImpl::Merge(std::string_view shipment) {
  HONRYU_TRY_VOID(Status());
  HONRYU_TRY(StateReader in, OpenShipment(shipment, plan_->fingerprint));
  const std::string name(in.Text());
  MergeReply reply;
  reply.sequence = in.U64();
  if (!in.ok() || reply.sequence == 0) return Corrupt();
  Partial& partial = partials_[name];
  const std::uint64_t hash = Hash64(shipment);
  if (reply.sequence <= partial.last) {
    const std::uint64_t age = partial.last - reply.sequence;
    if (age >= partial.hashes.size() || partial.hashes[partial.hashes.size() - 1 - age] != hash)
      return Error(ErrorCode::kFailedPrecondition,
                   "shipment " + std::to_string(reply.sequence) + " of partial engine '" + name +
                       "' is another than the one taken under this number: a new engine needs a new name");
  } else if (reply.sequence != partial.last + 1) {
    return Error(ErrorCode::kFailedPrecondition, "expected shipment " + std::to_string(partial.last + 1) +
                                                     " of partial engine '" + name + "', found " +
                                                     std::to_string(reply.sequence));
  } else {
    partial.last = reply.sequence;
    partial.hashes.push_back(hash);
    if (partial.hashes.size() > kHashesKept) partial.hashes.pop_front();
    HONRYU_TRY_VOID(TakeShipment(in));
  }
  for (const auto& source : sources_) reply.watermarks_ms.push_back(source->clock().watermark());
  return reply;
}

// ROWTIME never goes back, also not where a worker was idle and its rows came late.
void EngineImpl::LiftTime(const std::vector<std::size_t>& arrival_sources, Row& row) const {
  std::int64_t least = kEndOfTime;
  for (const std::size_t source : arrival_sources)
    least = std::min(least, sources_[source]->clock().watermark());
  if (least != kEndOfTime) row.time = std::max(row.time, least);
}

// Rows and states first, then the clocks: nothing in a shipment is late because of it.
Result<void> EngineImpl::TakeShipment(StateReader& in) {
  counters_.rows_in += in.U64();
  counters_.clamped_times += in.U64();
  if (!TakeFindings(in)) return Corrupt();
  if (in.U64() != sources_.size()) return Corrupt();
  for (const auto& source : sources_)
    if (!source->clock().TakeShards(in, runtime_.now_ms)) return Corrupt();
  if (!in.ok() || !in.AtEnd()) return Corrupt();
  for (const auto& source : sources_) source->UpdateClock();
  Relieve();
  return Status();
}

bool EngineImpl::TakeFindings(StateReader& in) {
  const std::uint64_t rows = in.U64();
  StateReader of_rows(in.Text());
  for (std::uint64_t left = rows; left > 0 && of_rows.ok(); --left) {
    const auto place = static_cast<RowPlace>(of_rows.U8());
    const std::size_t number = of_rows.U64(), input = of_rows.U64();
    Row row;
    of_rows.Take(row);
    if (!of_rows.ok()) break;
    if (place == RowPlace::kOperator) {
      const auto found = by_number_.find(number);
      if (found == by_number_.end()) return false;
      LiftTime(arrival_of_operator_[number], row);
      found->second->OnRow(input, row);
    } else {
      if (number >= streams_.size()) return false;
      LiftTime(arrival_of_stream_[number], row);
      if (place == RowPlace::kStream) {
        streams_[number]->OnShipped(row);
      } else {
        streams_[number]->OnRow(input, row);
      }
    }
  }
  if (!of_rows.ok() || !of_rows.AtEnd()) return false;
  const std::uint64_t errors = in.U64();
  StateReader of_errors(in.Text());
  for (std::uint64_t left = errors; left > 0 && of_errors.ok(); --left) {
    const std::string name(of_errors.Text());
    RowError error{name, std::string(of_errors.Text()), std::string(of_errors.Text()), 0, {}};
    error.row_time = of_errors.I64();
    error.row = of_errors.Text();
    if (of_errors.ok()) OnError(error);
  }
  if (!of_errors.ok() || !of_errors.AtEnd()) return false;
  for (std::uint64_t left = in.Count(16); left > 0 && in.ok(); --left) {
    const auto found = by_number_.find(in.U64());
    StateReader state(in.Text());
    if (!in.ok() || found == by_number_.end()) return false;
    found->second->MergeState(state);
    if (!state.ok() || !state.AtEnd()) return false;
  }
  return in.ok();
}

Result<StateReader> OpenShipment(std::string_view shipment, std::uint64_t fingerprint) {
  if (shipment.size() < kShipmentMagic.size() + 24 || !shipment.starts_with(kShipmentMagic)) return Corrupt();
  const std::string_view body = shipment.substr(0, shipment.size() - 8);
  StateReader sum(shipment.substr(body.size()));
  if (sum.U64() != Crc32c(body)) return Corrupt();
  StateReader in(body.substr(kShipmentMagic.size()));
  if (const std::uint64_t format = in.U64(); format != kShipmentFormat)
    return Error(ErrorCode::kFailedPrecondition, "the shipment has format " + std::to_string(format) +
                                                     ", this engine reads " +
                                                     std::to_string(kShipmentFormat));
  if (in.U64() != fingerprint)
    return Error(ErrorCode::kFailedPrecondition, "the shipment is of another program");
  return in;
}

}  // namespace honryu::sql
