#include "honryu/processors/notifier/notifier.h"

#include "honryu/async/retry.h"
#include "honryu/async/task_group.h"
#include "honryu/codec/json.h"
#include "honryu/consumer/worker.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <set>
#include <utility>

namespace honryu::processors::notifier {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr std::size_t kMostRemembered = 500;  // ids delivered

consumer::WorkerConfig WorkerConfigOf(const NotifierConfig& config, const std::string& channel) {
  consumer::WorkerConfig worker;
  worker.application = config.application + "-" + channel;
  worker.stream = config.alerts_stream;
  worker.lease_duration = config.lease_duration;
  worker.sync_interval = config.sync_interval;
  worker.poll_wait = config.poll_wait;
  worker.exclusive = true;  // ids are remembered in one place
  return worker;
}

}  // namespace

Result<void> NotifierConfig::Validate() const {
  const auto wrong = [](const char* message) {
    return Error(ErrorCode::kInvalidArgument, std::string("notifier: ") + message);
  };
  if (application.empty() || application.size() > 30 || application.find('/') != std::string::npos)
    return wrong("application must have 1 to 30 characters and no '/'");
  if (alerts_stream.empty() || dead_letter_stream.empty()) return wrong("a stream is missing");
  if (retry_initial <= Duration::zero() || retry_max < retry_initial)
    return wrong("retry_initial must be above zero and retry_max not below it");
  if (give_up_after < Duration::zero() || look_back < Duration::zero() || wait_step <= Duration::zero())
    return wrong("give_up_after and look_back must not be negative");
  std::set<std::string> names;
  for (const ChannelConfig& channel : channels) {
    HONRYU_TRY_VOID(channel.Validate());
    if (!names.insert(channel.name).second) return wrong("two channels have one name");
  }
  return Ok();
}

/// One channel: an application on the stream of alerts.
struct Delivery final : consumer::Handler {
  Delivery(const NotifierConfig& settings, ChannelConfig channel_settings, std::unique_ptr<Channel> made,
           client::StreamClient& stream_client, const async::Executor& home, const Clock& source,
           obs::Registry& registry, async::Sleeper& time)
      : config(settings),
        channel_config(std::move(channel_settings)),
        channel(std::move(made)),
        client(stream_client),
        clock(source),
        sleeper(time),
        random(async::RetrySeed()),
        delivered(
            registry.MakeCounter("honryu_notifier_delivered_total", "Notifications delivered", Labels())),
        failed(
            registry.MakeCounter("honryu_notifier_failed_attempts_total", "Attempts that failed", Labels())),
        repeated(registry.MakeCounter("honryu_notifier_repeated_total",
                                      "Notifications met again after they were delivered", Labels())),
        dead(registry.MakeCounter("honryu_notifier_dead_letters_total", "Notifications given up", Labels())),
        malformed(registry.MakeCounter("honryu_notifier_malformed_total", "Records that could not be read",
                                       Labels())),
        waiting(registry.MakeGauge("honryu_notifier_waiting",
                                   "1 while a notification waits for its next attempt", Labels())),
        worker(WorkerConfigOf(config, channel_config.name), client, *this, home, clock, registry) {}
  obs::Labels Labels() const { return {{"channel", channel_config.name}}; }

  // consumer::Handler
  async::Task<Result<client::StartPosition>> OnShardStart(consumer::ShardStart start) override {
    TakeState(start.state);
    client::StartPosition otherwise = client::FromTrimHorizon{};
    if (start.shard.parent_id.empty())
      otherwise = client::FromTimestamp{clock.Now() - std::chrono::milliseconds(ToMs(config.look_back))};
    client::StartPosition from = consumer::StartAtCheckpoint(start, std::move(otherwise));
    checkpointers[start.shard.shard_id] = start.checkpointer;
    co_return from;
  }
  async::Task<Result<void>> OnBatch(const consumer::Batch& batch) override {
    const std::shared_ptr<consumer::Checkpointer> checkpointer = checkpointers.at(batch.shard_id);
    bool unsaved = false;
    for (const client::StreamRecord& record : batch.records) {
      const std::optional<alerting::Notification> note = NotificationOf(record);
      if (note.has_value()) {
        Result<void> done = co_await Deliver(*note, record, *checkpointer);
        if (!done.ok()) co_return done;
        Remember(note->id);
        Result<void> saved =
            co_await checkpointer->Save(async::Context::WithTimeout(kCallTimeout), record.sequence, State());
        unsaved = !saved.ok();
        if (unsaved) LOG_LIMITED(debug, "checkpoint not saved", {"error", saved.error()});
      } else {
        unsaved = true;
      }
    }
    if (!unsaved || clock.Mono() - saved_at < std::chrono::seconds(5)) co_return Ok();
    saved_at = clock.Mono();
    const SequenceNumber last = batch.records.back().sequence;
    Result<void> saved =
        co_await checkpointer->Save(async::Context::WithTimeout(kCallTimeout), last, State());
    if (!saved.ok()) LOG_LIMITED(debug, "checkpoint not saved", {"error", saved.error()});
    co_return Ok();
  }
  async::Task<Result<void>> OnShardEnd(const std::string& shard_id) override {
    const std::shared_ptr<consumer::Checkpointer> checkpointer = checkpointers.at(shard_id);
    Result<void> finished = co_await checkpointer->Finish(async::Context::WithTimeout(kCallTimeout));
    co_return finished;
  }
  void OnShardLost(const std::string& shard_id) override { checkpointers.erase(shard_id); }

  // What this channel is to deliver; nothing for other records.
  std::optional<alerting::Notification> NotificationOf(const client::StreamRecord& record) {
    if (record.data.view().find("\"type\":\"notification\"") == BytesView::npos) return std::nullopt;
    Result<codec::Json> json = codec::Json::Parse(record.data.view());
    if (json.ok() && alerting::RecordType(*json) != "notification") return std::nullopt;
    Result<alerting::Notification> note = json.ok() ? alerting::ParseNotification(*json) : json.error();
    if (!note.ok()) {
      malformed.Add();
      LOG_LIMITED(warn, "a notification cannot be read", {"channel", channel_config.name},
                  {"error", note.error()});
      return std::nullopt;
    }
    const auto& names = note->channels;
    if (!names.empty() && std::find(names.begin(), names.end(), channel_config.name) == names.end())
      return std::nullopt;
    if (note->severity < channel_config.least && !note->test) return std::nullopt;
    if (known.contains(note->id)) {
      repeated.Add();
      return std::nullopt;
    }
    return std::move(*note);
  }

  /// Ends when it is delivered or a dead letter; else the shard is lost.
  async::Task<Result<void>> Deliver(const alerting::Notification& note, const client::StreamRecord& record,
                                    const consumer::Checkpointer& checkpointer) {
    const Timestamp give_up = record.arrival + std::chrono::milliseconds(ToMs(config.give_up_after));
    for (int attempts = 1;; ++attempts) {
      Result<void> sent =
          co_await channel->Send(async::Context::WithTimeout(channel_config.timeout + kCallTimeout), note);
      if (sent.ok()) {
        delivered.Add();
        waiting.Set(0);
        co_return sent;
      }
      const bool cancelled = co_await async::Cancelled();
      if (cancelled) co_return Error(ErrorCode::kCancelled, "stopped");
      failed.Add();
      LOG_LIMITED(warn, "notification not delivered", {"channel", channel_config.name}, {"id", note.id},
                  {"attempt", attempts}, {"error", sent.error()});
      const Timestamp next = clock.Now() + Pause(attempts);
      if (!sent.error().retryable() || next > give_up) {
        waiting.Set(0);
        Result<void> buried = co_await Bury(note, record, attempts, sent.error(), checkpointer);
        co_return buried;
      }
      waiting.Set(1);
      while (clock.Now() < next) {
        if (checkpointer.ending()) co_return Error(ErrorCode::kCancelled, "the shard is lost");
        const Duration left = next - clock.Now();
        Result<void> slept = co_await sleeper.Sleep(std::min<Duration>(config.wait_step, left));
        if (!slept.ok()) co_return slept;
      }
    }
  }
  // Doubles from retry_initial to retry_max; half to the whole of it, so that receivers are not met in step.
  std::chrono::milliseconds Pause(int attempts) {
    const double whole =
        std::min(static_cast<double>(ToMs(config.retry_max)),
                 static_cast<double>(ToMs(config.retry_initial)) * std::exp2(std::min(attempts - 1, 40)));
    return std::chrono::milliseconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(whole * (0.5 + random.Unit() / 2))));
  }
  async::Task<Result<void>> Bury(const alerting::Notification& note, const client::StreamRecord& record,
                                 int attempts, Error reason, const consumer::Checkpointer& checkpointer) {
    std::string text;
    codec::JsonWriter json(text);
    json.BeginObject();
    json.Key("channel");
    json.String(channel_config.name);
    json.Key("id");
    json.String(note.id);
    json.Key("attempts");
    json.Int(attempts);
    json.Key("reason");
    json.String(reason.ToString());
    json.Key("notification");
    json.Raw(record.data.view());
    json.EndObject();
    const Bytes data(std::move(text));
    for (;;) {
      client::StreamSettings settings;
      settings.shards = 1;
      Result<void> made = co_await client.EnsureStream(async::Context::WithTimeout(kCallTimeout),
                                                       config.dead_letter_stream, settings);
      Result<void> written = made;
      if (made.ok()) {
        std::vector<client::PutEntry> entries;
        client::PutEntry entry;
        entry.partition_key = note.rule.empty() ? "test" : note.rule;
        entry.data = data;
        entries.push_back(std::move(entry));
        Result<std::vector<Result<client::PutPosition>>> put = co_await client.Put(
            async::Context::WithTimeout(kCallTimeout), config.dead_letter_stream, std::move(entries));
        if (!put.ok()) {
          written = put.error();
        } else if (!(*put)[0].ok()) {
          written = (*put)[0].error();
        }
      }
      if (written.ok()) break;
      stuck = true;
      LOG_LIMITED(error, "a dead letter cannot be written", {"channel", channel_config.name}, {"id", note.id},
                  {"error", written.error()});
      if (checkpointer.ending()) co_return Error(ErrorCode::kCancelled, "the shard is lost");
      Result<void> slept = co_await sleeper.Sleep(config.wait_step);
      if (!slept.ok()) co_return slept;
    }
    stuck = false;
    dead.Add();
    LOG(error, "a notification was given up", {"channel", channel_config.name}, {"id", note.id},
        {"attempts", attempts}, {"reason", reason});
    co_return Ok();
  }

  // ---- ids delivered, saved with each place ----
  void Remember(const std::string& id) {
    if (!known.insert(id).second) return;
    order.push_back(id);
    if (order.size() <= kMostRemembered) return;
    known.erase(order.front());
    order.pop_front();
  }
  std::string State() const {
    std::string text;
    codec::JsonWriter json(text);
    json.BeginObject();
    json.Key("v");
    json.Int(1);
    json.Key("delivered");
    json.BeginArray();
    for (const std::string& id : order) json.String(id);
    json.EndArray();
    json.EndObject();
    return text;
  }
  void TakeState(const std::string& state) {
    if (state.empty()) return;
    const Result<codec::Json> json = codec::Json::Parse(state);
    const codec::Json* list = json.ok() ? json->Find("delivered") : nullptr;
    if (list == nullptr) {
      LOG(error, "saved state of deliveries cannot be read", {"channel", channel_config.name});
      return;
    }
    for (const codec::Json& id : list->array()) Remember(std::string(id.StringOr("")));
  }

  const NotifierConfig& config;
  const ChannelConfig channel_config;
  const std::unique_ptr<Channel> channel;
  client::StreamClient& client;
  const Clock& clock;
  async::Sleeper& sleeper;
  Random random;
  obs::Counter delivered, failed, repeated, dead, malformed;
  obs::Gauge waiting;
  std::map<std::string, std::shared_ptr<consumer::Checkpointer>> checkpointers;
  std::set<std::string> known;
  std::deque<std::string> order;
  MonoTime saved_at{};
  std::atomic<bool> stuck{false};
  consumer::Worker worker;
};

struct Notifier::Impl {
  explicit Impl(NotifierConfig settings) : config(std::move(settings)) {}
  const NotifierConfig config;
  std::vector<std::unique_ptr<Delivery>> deliveries;
};

Notifier::Notifier(NotifierConfig config, client::StreamClient& client, http::Client& http,
                   async::Runtime& runtime, async::Executor executor, const Clock& clock,
                   obs::Registry& metrics, async::Sleeper& sleeper)
    : impl_(std::make_unique<Impl>(std::move(config))) {
  const ChannelTools tools{http, runtime, clock, impl_->config.public_url};
  for (const ChannelConfig& channel : impl_->config.channels)
    impl_->deliveries.push_back(std::make_unique<Delivery>(
        impl_->config, channel, MakeChannel(channel, tools), client, executor, clock, metrics, sleeper));
}

Notifier::Notifier(NotifierConfig config, std::map<std::string, std::unique_ptr<Channel>> channels,
                   client::StreamClient& client, async::Executor executor, const Clock& clock,
                   obs::Registry& metrics, async::Sleeper& sleeper)
    : impl_(std::make_unique<Impl>(std::move(config))) {
  for (auto& [name, channel] : channels) {
    ChannelConfig channel_config;
    channel_config.name = name;
    impl_->deliveries.push_back(std::make_unique<Delivery>(impl_->config, channel_config, std::move(channel),
                                                           client, executor, clock, metrics, sleeper));
  }
}

Notifier::~Notifier() = default;

void Notifier::Start() {
  for (const auto& delivery : impl_->deliveries) delivery->worker.Start();
}

async::Task<void> Notifier::Stop(MonoTime deadline) {
  for (const auto& delivery : impl_->deliveries) co_await delivery->worker.Stop(deadline);
}

Result<void> Notifier::Ready() const {
  for (const auto& delivery : impl_->deliveries) {
    if (delivery->stuck)
      return Error(ErrorCode::kUnavailable,
                   "dead letters of " + delivery->channel_config.name + " cannot be written");
    if (const Result<void> ready = delivery->worker.Ready(); !ready.ok()) return ready;
  }
  return Ok();
}

}  // namespace honryu::processors::notifier
