#include "honryu/processors/alerter/alerter.h"

#include "honryu/alerting/view.h"
#include "honryu/async/task_group.h"
#include "honryu/consumer/follower.h"
#include "honryu/obs/log.h"
#include "pipeline.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace honryu::processors::alerter {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kRetryPause = std::chrono::milliseconds(500);
constexpr Duration kSilencesWait = std::chrono::seconds(5);  // then work begins without knowing them all
constexpr int kFailuresBeforeUnready = 3;
constexpr std::size_t kMostStatus = 1000;

std::string StatusJson(const alerting::Alert& alert) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("type");
  json.String("status");
  json.Key("id");
  json.String(alert.Fingerprint());
  json.Key("from");
  json.String(alerting::AlertStateName(alert.state));
  json.Key("alert");
  alerting::WriteAlert(alert, true, json);
  json.EndObject();
  return text;
}

}  // namespace

Result<void> AlerterConfig::Validate() const {
  const auto wrong = [](const char* message) {
    return Error(ErrorCode::kInvalidArgument, std::string("alerter: ") + message);
  };
  if (application.empty() || application.size() > 100 || application.find('/') != std::string::npos)
    return wrong("application must have 1 to 100 characters and no '/'");
  if (alerts_stream.empty()) return wrong("stream is missing");
  if (alerts_shards < 1) return wrong("shards must be at least 1");
  if (tick <= Duration::zero() || checkpoint_interval <= Duration::zero() ||
      status_interval <= Duration::zero())
    return wrong("tick, checkpoint_interval and status_interval must be above zero");
  if (look_back < Duration::zero() || settle < Duration::zero())
    return wrong("look_back and settle must not be negative");
  return alerting::CheckRules(rules);
}

struct Alerter::Impl {
  Impl(AlerterConfig settings, client::StreamClient& stream_client, async::Executor home, const Clock& source,
       obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        executor(std::move(home)),
        clock(source),
        metrics(registry),
        follower(FollowerOf(config), client, executor,
                 [this](const client::StreamRecord& record) { OnAlertRecord(record); }) {
    std::map<std::string, std::vector<alerting::Rule>> by_stream;
    for (const alerting::Rule& rule : config.rules) {
      if (rule.enabled) by_stream[rule.stream].push_back(rule);
    }
    for (auto& [stream, rules] : by_stream)
      pipelines.push_back(std::make_unique<Pipeline>(config, stream, std::move(rules), client, executor,
                                                     clock, registry, metrics));
  }
  static consumer::FollowerConfig FollowerOf(const AlerterConfig& config) {
    consumer::FollowerConfig follower;
    follower.stream = config.alerts_stream;
    follower.poll_wait = config.poll_wait;
    follower.sync_interval = config.sync_interval;
    return follower;
  }

  void OnAlertRecord(const client::StreamRecord& record) {
    if (record.data.view().find("\"type\":\"silence\"") == BytesView::npos) return;
    if (const Result<void> taken = view.Apply(record.data.view()); !taken.ok()) {
      LOG_LIMITED(warn, "a silence cannot be read", {"error", taken.error()});
      return;
    }
    silences_changed = true;
  }
  void TellSilences() {
    if (!silences_changed) return;
    silences_changed = false;
    for (const auto& pipeline : pipelines) pipeline->SetSilences(view.Silences(clock.Now()));
  }
  async::Task<void> Run();
  async::Task<void> EnsureStream();
  async::Task<void> StartThoseThatExist();
  async::Task<void> WriteStatus();
  async::Task<void> StopOnHome(MonoTime deadline);
  async::Task<void> AbandonOnHome();

  const AlerterConfig config;
  client::StreamClient& client;
  const async::Executor executor;
  const Clock& clock;
  AlerterMetrics metrics;
  std::vector<std::unique_ptr<Pipeline>> pipelines;
  alerting::AlertView view{1};
  bool silences_changed = false;
  std::atomic<int> failures{0};
  std::uint64_t told_evicted = 0;
  MonoTime look_again{};
  consumer::Follower follower;
  async::TaskGroup background;
  async::TaskGroup closing;
};

async::Task<void> Alerter::Impl::EnsureStream() {
  for (;;) {
    client::StreamSettings settings;
    settings.shards = config.alerts_shards;
    Result<void> made = co_await client.EnsureStream(async::Context::WithTimeout(kCallTimeout),
                                                     config.alerts_stream, settings);
    if (made.ok()) co_return;
    LOG_LIMITED(info, "the stream of alerts cannot be made yet", {"error", made.error()});
    Result<void> slept = co_await async::SleepFor(kRetryPause);
    if (!slept.ok()) co_return;
  }
}

// A rule may be there before the stream that it is about: that is looked for in silence.
async::Task<void> Alerter::Impl::StartThoseThatExist() {
  const MonoTime now = std::chrono::steady_clock::now();
  if (now < look_again) co_return;
  look_again = now + config.sync_interval;
  for (const auto& pipeline : pipelines) {
    if (pipeline->started()) continue;
    Result<std::vector<client::ShardDescription>> found =
        co_await client.ListShards(async::Context::WithTimeout(kCallTimeout), pipeline->stream());
    if (found.ok()) pipeline->Start();
  }
}

async::Task<void> Alerter::Impl::WriteStatus() {
  std::vector<client::PutEntry> entries;
  for (const auto& pipeline : pipelines) {
    const std::vector<alerting::Alert> active = pipeline->Active();
    for (const alerting::Alert& alert : active) {
      if (entries.size() >= kMostStatus) break;
      client::PutEntry entry;
      entry.partition_key = alert.rule;
      entry.data = Bytes(StatusJson(alert));
      entries.push_back(std::move(entry));
    }
  }
  // Silences too live longer than records, and only the owner of the work tells of them.
  const bool owner = std::any_of(pipelines.begin(), pipelines.end(), [](const auto& p) { return p->owns(); });
  if (owner) {
    const std::vector<alerting::Silence> silences = view.Silences(clock.Now());
    for (const alerting::Silence& silence : silences) {
      if (entries.size() >= 2 * kMostStatus) break;
      client::PutEntry entry;
      entry.partition_key = silence.id;
      entry.data = Bytes(alerting::ToJson(silence));
      entries.push_back(std::move(entry));
    }
  }
  for (std::size_t at = 0; at < entries.size(); at += 500) {
    const std::size_t end = std::min(entries.size(), at + 500);
    std::vector<client::PutEntry> part(entries.begin() + static_cast<std::ptrdiff_t>(at),
                                       entries.begin() + static_cast<std::ptrdiff_t>(end));
    Result<std::vector<Result<client::PutPosition>>> put =
        co_await client.Put(async::Context::WithTimeout(kCallTimeout), config.alerts_stream, std::move(part));
    if (!put.ok()) LOG_LIMITED(info, "status of alerts not written", {"error", put.error()});
  }
}

async::Task<void> Alerter::Impl::Run() {
  co_await EnsureStream();
  follower.Start();
  const MonoTime latest = std::chrono::steady_clock::now() + kSilencesWait;
  while (!follower.caught_up() && std::chrono::steady_clock::now() < latest) {
    Result<void> slept = co_await async::SleepFor(config.tick);
    if (!slept.ok()) co_return;
  }
  TellSilences();
  const bool cancelled = co_await async::Cancelled();
  if (cancelled) co_return;
  MonoTime status_at = std::chrono::steady_clock::now() + config.status_interval;
  for (;;) {
    Result<void> slept = co_await async::SleepFor(config.tick);
    if (!slept.ok()) co_return;
    TellSilences();
    co_await StartThoseThatExist();
    bool failed = false;
    double active = 0, series = 0;
    std::uint64_t evicted = 0;
    for (const auto& pipeline : pipelines) {
      Result<void> ticked = co_await pipeline->Tick(false);
      if (!ticked.ok() && ticked.error().code() != ErrorCode::kCancelled) {
        failed = true;
        metrics.write_errors.Add();
        LOG_LIMITED(warn, "alerts not stored, trying again", {"stream", pipeline->stream()},
                    {"error", ticked.error()});
      }
      active += static_cast<double>(pipeline->Active().size());
      series += static_cast<double>(pipeline->series());
      evicted += pipeline->evicted();
    }
    failures = failed ? failures + 1 : 0;
    metrics.active.Set(active);
    metrics.series.Set(series);
    if (evicted > told_evicted) metrics.evicted.Add(static_cast<double>(evicted - told_evicted));
    told_evicted = evicted;
    if (std::chrono::steady_clock::now() < status_at) continue;
    status_at = std::chrono::steady_clock::now() + config.status_interval;
    co_await WriteStatus();
  }
}

async::Task<void> Alerter::Impl::StopOnHome(MonoTime deadline) {
  background.Cancel();
  Result<void> joined = co_await background.Join();
  for (const auto& pipeline : pipelines) co_await pipeline->Stop(deadline);
  co_await follower.Stop();
}

async::Task<void> Alerter::Impl::AbandonOnHome() {
  background.Cancel();
  Result<void> joined = co_await background.Join();
  for (const auto& pipeline : pipelines) co_await pipeline->Abandon();
  co_await follower.Stop();
}

Alerter::Alerter(AlerterConfig config, client::StreamClient& client, async::Executor executor,
                 const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, std::move(executor), clock, metrics)) {}
Alerter::~Alerter() = default;

void Alerter::Start() { impl_->background.Spawn(impl_->executor, "alerter", impl_->Run()); }

async::Task<void> Alerter::Stop(MonoTime deadline) {
  impl_->closing.Spawn(impl_->executor, "stop the alerter", impl_->StopOnHome(deadline));
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the stop of the alerter was not waited for", {"error", stopped.error()});
}

async::Task<void> Alerter::Abandon() {
  impl_->closing.Spawn(impl_->executor, "abandon the alerter", impl_->AbandonOnHome());
  Result<void> stopped = co_await impl_->closing.Join();
  if (!stopped.ok()) LOG(error, "the end of the alerter was not waited for", {"error", stopped.error()});
}

Result<void> Alerter::Ready() const {
  if (impl_->failures > kFailuresBeforeUnready)
    return Error(ErrorCode::kUnavailable, "the alerter cannot store alerts");
  for (const auto& pipeline : impl_->pipelines) {
    if (!pipeline->started()) continue;
    if (const Result<void> ready = pipeline->Ready(); !ready.ok()) return ready;
  }
  return Ok();
}

}  // namespace honryu::processors::alerter
