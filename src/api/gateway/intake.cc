#include "api/gateway/intake.h"

#include "api/gateway/stored_event.h"
#include "honryu/base/random.h"

#include <algorithm>

namespace honryu::api::gateway {

namespace {

/// Reused by all requests of a thread; nothing in it is used across slices.
JsonScanner& ThreadScanner() {
  thread_local JsonScanner scanner;
  return scanner;
}

std::string ShownEventId(const JsonScanner& scanner) {
  constexpr std::size_t kMaxShown = 64;
  for (const JsonMember& member : scanner.members()) {
    if (member.key != "event_id" || member.kind != JsonKind::kString) continue;
    std::string buffer;
    const BytesView id = JsonStringView(member.value, &buffer);
    if (id.size() <= kMaxShown) return std::string(id);
  }
  return {};
}

}  // namespace

std::string FormatUuid(const UInt128& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
    const std::uint64_t half = i < 16 ? id.high : id.low;
    text += kDigits[half >> (60 - 4 * (i % 16)) & 0xf];
  }
  return text;
}

Intake::Intake(const GatewayConfig& config, const EventChecker& checker, BytesView body,
               std::string_view content_type, const EventContext& context)
    : config_(config),
      checker_(checker),
      body_(body),
      context_(context),
      received_text_(FormatTimestamp(context.received)),
      reader_(body, DetectForm(content_type, body)) {
  // Events of a kilobyte grow by about a tenth.
  arena_.reserve(body.size() + body.size() / 8 + kStoredOverhead);
}

bool Intake::Advance(std::size_t slice_bytes) {
  JsonScanner& scanner = ThreadScanner();
  JsonLimits limits;
  limits.max_depth = config_.max_depth;
  limits.max_value_bytes = config_.max_record.bytes;
  scanner.SetLimits(limits);
  const std::size_t stop = reader_.work() + slice_bytes;
  while (reader_.work() < stop) {
    const EventReader::Step step = reader_.Next(&scanner);
    if (step == EventReader::Step::kEnd) return false;
    if (++count_ > config_.max_events) return false;
    if (step == EventReader::Step::kValue) {
      TakeValue(reader_.raw(), scanner);
    } else {
      rejected_.push_back(
          {count_ - 1, Reject{RejectReason::kSyntax, "", reader_.message()}, "", reader_.raw()});
    }
  }
  return true;
}

void Intake::TakeValue(BytesView raw, const JsonScanner& scanner) {
  const std::uint32_t index = count_ - 1;
  CheckedEvent event;
  std::optional<Reject> reject;
  if (raw.size() > config_.max_record.bytes) {
    reject = Reject{RejectReason::kTooLarge, "",
                    "event too large: " + std::to_string(raw.size()) + " bytes, limit " +
                        std::to_string(config_.max_record.bytes)};
  } else {
    reject = checker_.Check(body_, scanner, context_, &event);
  }
  if (!reject.has_value()) {
    std::string made_id;
    if (!event.event_id.has_value()) made_id = RandomUuid();
    const UInt128 id = event.event_id.has_value() ? *event.event_id : ParseUuid(made_id);
    if (event.partition_key.empty()) event.partition_key = FormatUuid(id);
    const std::size_t offset = arena_.size();
    AppendStoredEvent(event, context_.received, received_text_, made_id, arena_);
    const std::size_t length = arena_.size() - offset;
    if (length + event.partition_key.size() <= config_.max_record.bytes) {
      taken_.push_back({index, id, raw});
      skewed_ += event.clock_skew_ms.has_value() ? 1 : 0;
      clamped_ += event.timestamp_clamped ? 1 : 0;
      slots_.push_back({std::move(event.partition_key), offset, length, made_id.empty()});
      return;
    }
    arena_.resize(offset);
    reject = Reject{RejectReason::kTooLarge, "",
                    "event too large: " + std::to_string(length + event.partition_key.size()) +
                        " bytes with the server's members and the partition key, limit " +
                        std::to_string(config_.max_record.bytes)};
  }
  rejected_.push_back({index, std::move(*reject), ShownEventId(scanner), raw});
}

void Intake::RefuseTaken(std::size_t i, const Error& error) {
  const RejectReason reason =
      error.code() == ErrorCode::kTooLarge ? RejectReason::kTooLarge : RejectReason::kValue;
  Rejected refused{taken_[i].index,
                   Reject{reason, "", "the log does not take this event: " + error.message()},
                   FormatUuid(taken_[i].event_id), taken_[i].raw};
  const auto place =
      std::upper_bound(rejected_.begin(), rejected_.end(), refused.index,
                       [](std::uint32_t index, const Rejected& other) { return index < other.index; });
  rejected_.insert(place, std::move(refused));
}

std::vector<WriteItem> Intake::TakeItems() {
  const auto arena = std::make_shared<const std::string>(std::move(arena_));
  std::vector<WriteItem> items;
  items.reserve(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    WriteItem item;
    if (slots_[i].has_own_id) item.event_id = taken_[i].event_id;
    item.entry.partition_key = std::move(slots_[i].partition_key);
    item.entry.data = Bytes(arena, BytesView(*arena).substr(slots_[i].offset, slots_[i].length));
    items.push_back(std::move(item));
  }
  slots_.clear();
  return items;
}

}  // namespace honryu::api::gateway
