// SubscribeToShard: records are sent as they come, as events of one long answer.
#include "api/kinesis/front_door.h"
#include "api/kinesis/impl.h"
#include "honryu/broker/sequence.h"
#include "honryu/wire/event_stream.h"

#include <algorithm>
#include <chrono>

namespace honryu::api::kinesis {

using wire::Fault;
using wire::FaultName;

namespace {

// A second subscription of the same consumer and shard within this time is refused, a later one takes over.
constexpr Duration kLeastAge = std::chrono::seconds(5);
// Something is sent at least this often, with a position that moves on.
constexpr Duration kHeartbeat = std::chrono::seconds(5);
// One event: kept small enough that a slow reader gets whole events without long waits.
constexpr std::uint32_t kMaxEventRecords = 5000;
constexpr std::uint64_t kMaxEventBytes = 1 << 20;
// Of one consumer and shard in a second. What is more waits: nothing is refused.
constexpr double kFanOutBytes = 2 << 20;

// Counts a subscription among the open ones, however its answer ends.
class OpenMark {
 public:
  explicit OpenMark(obs::Gauge& open) : open_(open) { open_.Add(1); }
  ~OpenMark() { open_.Add(-1); }
  OpenMark(const OpenMark&) = delete;
  OpenMark& operator=(const OpenMark&) = delete;

 private:
  obs::Gauge& open_;
};

// "After everything before `place`": valid for the shard although there may be no record of that number.
SequenceNumber Continuation(const Subscription& s, const broker::ShardPlace& place, Timestamp now) {
  const Result<broker::SequenceParts> start = broker::DecodeSequence(s.shard.starting);
  broker::SequenceParts parts;
  parts.shard_created_s = start.ok() ? start->shard_created_s : 0;
  parts.counter = place.offset > 0 ? place.offset - 1 : 0;
  parts.record_time_s = std::max(ToMs(now) / 1000, parts.shard_created_s);
  parts.shard = s.shard.index;
  return broker::EncodeSequence(parts);
}

}  // namespace

async::Task<http::Response> KinesisApi::Impl::SubscribeToShard(async::Context ctx, const codec::Json& body,
                                                               wire::Format format) {
  wire::SubscribeRequest request;
  std::optional<Fault> fault = wire::ParseSubscribeRequest(body, request);
  if (!fault) fault = CheckAccount(request.consumer.stream);
  if (fault) co_return FaultAnswer(*fault, format);
  const std::string name = request.consumer.stream.name;
  const Result<broker::StreamSnapshot> stream = broker.Snapshot(name);
  if (!stream.ok()) co_return FaultAnswer(FaultOf(stream.error(), name), format);
  const broker::StreamConsumer* consumer = FindConsumer((*stream)->attributes, request.consumer);
  if (consumer == nullptr) co_return FaultAnswer(ConsumerNotFound(request.consumer.consumer), format);
  wire::ResourceSelector living = request.consumer;
  living.created = consumer->created;

  StartPlace start = co_await FindStart(std::move(ctx), std::move(request.start), false);
  if (start.fault) co_return FaultAnswer(*start.fault, format);
  auto subscription = std::make_shared<Subscription>();
  subscription->stream = name;
  subscription->incarnation = (*stream)->incarnation;
  subscription->consumer = std::move(living);
  subscription->shard = start.shard;
  subscription->place = start.place;
  subscription->format = format;
  subscription->began = clock.Mono();
  if (!subscriptions.Begin(subscription, kLeastAge))
    co_return FaultAnswer(AnotherActive(*subscription), format);
  http::Response response;
  response.headers.Add("Content-Type", std::string(wire::kEventStreamType));
  response.stream = [this, subscription](http::BodyWriter& writer) { return Deliver(subscription, writer); };
  co_return response;
}

async::Task<Result<ShardEventPtr>> KinesisApi::Impl::NextEvent(std::shared_ptr<Subscription> subscription,
                                                               Duration wait) {
  Subscription& s = *subscription;
  SharedEvents::Ticket ticket = events.Take(s.place, s.format, clock.Mono());
  if (ticket.event != nullptr) co_return ticket.event;
  if (ticket.made) {
    Result<ShardEventPtr> made = co_await ticket.made->Wait(std::chrono::steady_clock::now() + wait);
    if (!made.ok() && made.error().code() == ErrorCode::kDeadlineExceeded) co_return ShardEventPtr();
    co_return made;
  }
  async::Context ctx = async::Context::WithTimeout(wait + std::chrono::seconds(10));
  Result<broker::ReadResult> read =
      co_await broker.Read(std::move(ctx), s.place, kMaxEventRecords, kMaxEventBytes, wait);
  if (!read.ok()) co_return read.error();
  std::optional<SequenceNumber> continuation;
  if (read->next) continuation = Continuation(s, *read->next, clock.Now());
  auto event = std::make_shared<ShardEvent>();
  {
    Result<std::string> frame = wire::SubscribeToShardEventFrame(
        wire::SubscriptionEventBody(AnswerOf(*read), continuation), s.format);
    if (!frame.ok()) co_return frame.error();
    event->frame = Bytes(std::move(*frame));
  }
  event->next = std::move(read->next);
  event->records = read->records.size();
  for (const broker::ReadRecord& record : read->records) event->bytes += record.data.size();
  ticket.claim->Publish(event, clock.Mono());
  co_return event;
}

async::Task<void> KinesisApi::Impl::Deliver(std::shared_ptr<Subscription> subscription,
                                            http::BodyWriter& writer) {
  Subscription& s = *subscription;
  const OpenMark open(metrics.subscriptions);
  const MonoTime end = s.began + config.subscription_life;
  std::optional<TokenBucket> budget;  // under the quotas of AWS
  if (operation_quotas) budget.emplace(kFanOutBytes, s.began);
  Result<void> written = co_await writer.Write(Bytes(wire::InitialResponseFrame(s.format)));
  while (written.ok()) {
    if (const std::optional<Fault> over = WhyOver(s)) {
      written = co_await writer.Write(Bytes(wire::ExceptionFrame(*over, s.format)));
      break;
    }
    const Duration left = end - clock.Mono();
    if (left <= Duration::zero()) break;
    if (const Duration pause = budget ? budget->Until(1, clock.Mono()) : Duration::zero();
        pause > Duration::zero()) {
      Result<void> slept = co_await async::SleepFor(std::min(left, pause));
      if (!slept.ok()) break;
      continue;
    }
    Result<ShardEventPtr> event = co_await NextEvent(subscription, std::min(left, kHeartbeat));
    if (!event.ok()) {
      const ErrorCode code = event.error().code();
      if (code == ErrorCode::kCancelled) break;
      const Fault fault = code == ErrorCode::kNotFound
                              ? ShardMissing(wire::ShardIdOf(s.shard.index), s.stream)
                              : FaultOf(event.error(), s.stream);
      written = co_await writer.Write(Bytes(wire::ExceptionFrame(fault, s.format)));
      break;
    }
    if (*event == nullptr || WhyOver(s)) continue;  // nothing more for one that is over
    written = co_await writer.Write((*event)->frame);
    if (!written.ok()) break;
    metrics.subscription_events.Add();
    metrics.subscription_records.Add(static_cast<double>((*event)->records));
    metrics.subscription_bytes.Add(static_cast<double>((*event)->bytes));
    if (budget) budget->Take(static_cast<double>((*event)->bytes));
    if (!(*event)->next) break;
    s.place = *(*event)->next;
  }
  subscriptions.End(s);
}

std::optional<Fault> KinesisApi::Impl::WhyOver(const Subscription& s) const {
  if (s.replaced) return AnotherActive(s);
  const Result<broker::StreamSnapshot> stream = broker.Snapshot(s.stream);
  if (!stream.ok() || (*stream)->incarnation != s.incarnation) return std::nullopt;  // reading says so
  if (FindConsumer((*stream)->attributes, s.consumer) != nullptr) return std::nullopt;
  return ConsumerNotFound(s.consumer.consumer);
}

Fault KinesisApi::Impl::AnotherActive(const Subscription& s) const {
  return {FaultName::kResourceInUseException,
          "Another active subscription exists for this consumer: " + config.account_id + ":" + s.stream +
              ":" + s.consumer.consumer + ":" + wire::ShardIdOf(s.shard.index)};
}

}  // namespace honryu::api::kinesis
