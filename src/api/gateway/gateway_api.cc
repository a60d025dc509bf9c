#include "honryu/api/gateway/gateway_api.h"

#include "api/gateway/answer.h"
#include "api/gateway/cors.h"
#include "api/gateway/dead_letter.h"
#include "api/gateway/event_writer.h"
#include "api/gateway/gateway_metrics.h"
#include "api/gateway/intake.h"
#include "api/gateway/upkeep.h"
#include "api/gateway/warm.h"
#include "honryu/obs/log.h"

#include <atomic>

namespace honryu::api::gateway {

namespace {

/// Checking this much takes a quarter to half a millisecond; then others get their turn on the event loop.
constexpr std::size_t kSliceBytes = 128 << 10;
/// Dead letters of all requests together that may be on their way to the log.
constexpr std::uint64_t kMaxDeadLetterBytes = 64 << 20;
constexpr Duration kDeadLetterTimeout = std::chrono::seconds(5);

/// Counts bytes being worked on, up to a limit. One request is always let in, however large.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t limit) : limit_(limit) {}

  /// Gives its share back at its end.
  class Share {
   public:
    Share(ByteBudget& budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {
      const std::uint64_t before = budget_.used_.fetch_add(bytes_);
      granted_ = before == 0 || before + bytes_ <= budget_.limit_;
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { budget_.used_.fetch_sub(bytes_); }
    bool granted() const { return granted_; }

   private:
    ByteBudget& budget_;
    const std::uint64_t bytes_;
    bool granted_ = false;
  };
  std::uint64_t used() const { return used_.load(); }

 private:
  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

enum class Phase : int { kStarting, kReady, kStopping };

}  // namespace

struct GatewayApi::Impl {
  Impl(GatewayConfig settings, client::StreamClient& stream_client, const Clock& source,
       obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        clock(source),
        metrics(registry),
        checker(config),
        api_keys(config.api_keys, clock),
        cors(config.cors_origins, api_keys.in_use(), config.cors_max_age),
        budget(std::make_shared<ByteBudget>(config.max_in_flight.bytes)),
        window(config.dedup_window > Duration::zero()
                   ? std::make_shared<DedupWindow>(DedupConfig{config.dedup_window, config.dedup_max_entries},
                                                   clock)
                   : nullptr),
        uncertain(
            client, config.stream, clock, UncertainConfig(config),
            UncertainIds::Metrics{metrics.uncertain, metrics.uncertain_found, metrics.uncertain_dropped}),
        upkeep(client, WatchedStreams(config), config.probe_interval),
        events(client, config.stream, config.put_timeout, window.get(), &uncertain),
        dead_letters(client, config.dead_letter_stream, kDeadLetterTimeout, nullptr) {
    // The registry may outlive the gateway: what it refreshes is shared with it.
    registry.OnCollect([shared_window = window, shared_budget = budget, gauges = metrics]() mutable {
      gauges.in_flight_bytes.Set(static_cast<double>(shared_budget->used()));
      if (shared_window == nullptr) return;
      gauges.dedup_entries.Set(static_cast<double>(shared_window->entries()));
      gauges.dedup_early_turns.Set(static_cast<double>(shared_window->early_turns()));
    });
  }

  static UncertainIds::Config UncertainConfig(const GatewayConfig& config) {
    UncertainIds::Config uncertain;
    uncertain.keep = std::min(uncertain.keep, config.dedup_window);
    return uncertain;
  }
  static std::vector<Upkeep::Stream> WatchedStreams(const GatewayConfig& config) {
    client::StreamSettings events;
    events.shards = config.shards;
    events.retention_hours = config.retention_hours;
    client::StreamSettings letters;
    letters.shards = config.dead_letter_shards;
    letters.retention_hours = config.dead_letter_retention_hours;
    return {{config.stream, events}, {config.dead_letter_stream, letters}};
  }

  /// Whether requests are looked at: the phase alone.
  Result<void> Open() const;
  Result<void> Ready() const;
  async::Task<Result<void>> Warm(async::Context ctx);
  void Note(const std::string& stream, const std::vector<WriteResult>& results);
  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Preflight(const http::Request& request);
  async::Task<http::Response> Post(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Settle(async::Context ctx, const http::Request& request, Intake& intake);
  async::Task<std::uint64_t> PutDeadLetters(async::Context ctx, const http::Request& request,
                                            const Intake& intake);
  std::optional<http::Response> TurnAway(const http::Request& request, keys::ApiKeys::Caller* caller);

  const GatewayConfig config;
  client::StreamClient& client;
  const Clock& clock;
  GatewayMetrics metrics;
  const EventChecker checker;
  const keys::ApiKeys api_keys;
  const CorsPolicy cors;
  const std::shared_ptr<ByteBudget> budget;   // shared with the registry's refresh
  const std::shared_ptr<DedupWindow> window;  // the same; null: no deduplication
  ByteBudget dead_letter_budget{kMaxDeadLetterBytes};
  std::atomic<Phase> phase{Phase::kStarting};
  std::atomic<std::uint64_t> progress{0};
  std::unique_ptr<DedupWarmer> warmer;  // while starting
  UncertainIds uncertain;
  Upkeep upkeep;
  EventWriter events;
  EventWriter dead_letters;
  async::Executor executor;  // of the upkeep
  async::TaskGroup group;
};

Result<void> GatewayApi::Impl::Ready() const {
  HONRYU_TRY_VOID(Open());
  return upkeep.Health();
}

Result<void> GatewayApi::Impl::Open() const {
  switch (phase.load()) {
    case Phase::kReady:
      return Ok();
    case Phase::kStarting:
      return Error(ErrorCode::kUnavailable, "the gateway is still starting");
    case Phase::kStopping:
      break;
  }
  return Error(ErrorCode::kUnavailable, "the gateway is stopping");
}

/// What can be said without looking at the body.
std::optional<http::Response> GatewayApi::Impl::TurnAway(const http::Request& request,
                                                         keys::ApiKeys::Caller* caller) {
  if (const Result<void> open = Open(); !open.ok()) {
    return MakeError(503, "unavailable", open.error().message(), request.request_id, config.retry_after);
  }
  if (upkeep.missing()) {
    return MakeError(503, "unavailable", "the stream " + config.stream + " is missing and being made anew",
                     request.request_id, config.retry_after);
  }
  if (!cors.Allows(request.headers.Get("Origin"))) {
    metrics.unauthorized.Add();
    return MakeError(403, "forbidden", "web pages of this origin may not post here", request.request_id);
  }
  *caller = api_keys.Identify(request, "write");
  if (caller->verdict != keys::ApiKeys::Verdict::kAllowed) {
    metrics.unauthorized.Add();
    if (caller->verdict == keys::ApiKeys::Verdict::kForbidden) {
      return MakeError(403, "forbidden", "the API key lacks the scope \"write\"", request.request_id);
    }
    http::Response response = MakeError(
        401, "unauthorized",
        caller->verdict == keys::ApiKeys::Verdict::kMissing ? "an API key is required" : "unknown API key",
        request.request_id);
    response.headers.Set("WWW-Authenticate", "Bearer");
    return response;
  }
  if (request.body.size() > config.max_body.bytes) {
    return MakeError(413, "too_large",
                     "body too large: " + std::to_string(request.body.size()) + " bytes, limit " +
                         std::to_string(config.max_body.bytes),
                     request.request_id);
  }
  return std::nullopt;
}

async::Task<http::Response> GatewayApi::Impl::Post(async::Context ctx, const http::Request& request) {
  keys::ApiKeys::Caller caller;
  if (std::optional<http::Response> refusal = TurnAway(request, &caller); refusal.has_value())
    co_return *refusal;

  EventContext context;
  context.received = clock.Now();
  if (const std::string_view sent = request.headers.Get("X-Sent-At"); !sent.empty()) {
    Result<Timestamp> parsed = ParseHeaderTime(sent);
    if (!parsed.ok()) {
      co_return MakeError(400, "bad_request", "header X-Sent-At: " + parsed.error().message(),
                          request.request_id);
    }
    context.sent = *parsed;
  }

  // The body and the records made of it.
  const ByteBudget::Share share(*budget, request.body.size() * 2);
  if (!share.granted()) {
    metrics.overloaded.Add();
    co_return MakeError(429, "overloaded", "too many bytes are being worked on", request.request_id,
                        config.retry_after);
  }
  metrics.bytes.Add(static_cast<double>(request.body.size()));
  Intake intake(config, checker, request.body, request.headers.Get("Content-Type"), context);
  while (intake.Advance(kSliceBytes)) {
    co_await async::Yield();
  }
  if (intake.too_many()) {
    co_return MakeError(413, "too_large",
                        "more than " + std::to_string(config.max_events) + " events in one request",
                        request.request_id);
  }
  if (intake.count() == 0 && request.body.view().find_first_not_of(" \t\r\n") == BytesView::npos) {
    co_return MakeError(400, "bad_request", "expected events, found an empty body", request.request_id);
  }
  metrics.request_events.Observe(intake.count());
  if (caller.limit != nullptr && intake.count() > 0) {
    const Duration wait = caller.limit->Take(intake.count(), clock.Mono());
    if (wait > Duration::zero()) {
      metrics.rate_limited.Add(intake.count());
      co_return MakeError(429, "rate_limited", "the rate limit of this API key is used up",
                          request.request_id, wait);
    }
  }
  http::Response response = co_await Settle(ctx, request, intake);
  co_return response;
}

/// Tells the upkeep what came of a write.
void GatewayApi::Impl::Note(const std::string& stream, const std::vector<WriteResult>& results) {
  const Error* failure = nullptr;
  for (const WriteResult& result : results) {
    if (result.outcome == WriteOutcome::kStored) {
      upkeep.Note(stream, nullptr);
      return;
    }
    if (result.outcome == WriteOutcome::kFailed && failure == nullptr) failure = &result.error;
  }
  if (failure != nullptr) upkeep.Note(stream, failure);
}

async::Task<http::Response> GatewayApi::Impl::Settle(async::Context ctx, const http::Request& request,
                                                     Intake& intake) {
  Outcome outcome;
  std::vector<WriteItem> items = intake.TakeItems();
  std::vector<WriteResult> results = co_await events.Write(ctx, std::move(items));
  Note(config.stream, results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    switch (results[i].outcome) {
      case WriteOutcome::kStored:
        ++outcome.accepted;
        break;
      case WriteOutcome::kDuplicate:
        ++outcome.duplicates;
        break;
      case WriteOutcome::kRefused:
        intake.RefuseTaken(i, results[i].error);
        break;
      case WriteOutcome::kFailed: {
        const Taken& taken = intake.taken()[i];
        outcome.failed.push_back({taken.index, taken.event_id, std::move(results[i].error)});
        break;
      }
    }
  }
  outcome.rejected = &intake.rejected();
  if (!intake.rejected().empty()) outcome.dead_letters_lost = co_await PutDeadLetters(ctx, request, intake);

  metrics.accepted.Add(static_cast<double>(outcome.accepted));
  metrics.duplicate.Add(static_cast<double>(outcome.duplicates));
  metrics.rejected.Add(static_cast<double>(intake.rejected().size()));
  metrics.failed.Add(static_cast<double>(outcome.failed.size()));
  metrics.skewed.Add(static_cast<double>(intake.skewed()));
  metrics.clamped.Add(static_cast<double>(intake.clamped()));
  for (const Rejected& event : intake.rejected()) {
    metrics.rejected_by[static_cast<std::size_t>(event.reject.reason)].Add();
  }
  if (!outcome.failed.empty()) {
    LOG_LIMITED(warn, "events were not stored", {"failed", outcome.failed.size()},
                {"error", outcome.failed.front().error}, {"request_id", request.request_id});
  }
  co_return MakeAnswer(outcome, request.request_id, config.retry_after);
}

/// Returns how many refused events could not be put aside.
async::Task<std::uint64_t> GatewayApi::Impl::PutDeadLetters(async::Context ctx, const http::Request& request,
                                                            const Intake& intake) {
  const DeadLetterOrigin origin{request.request_id, request.peer, intake.received_text()};
  std::uint64_t bytes = 0;
  for (const Rejected& event : intake.rejected()) bytes += event.raw.size();
  const std::size_t count = intake.rejected().size();
  std::uint64_t lost = 0;
  const ByteBudget::Share share(dead_letter_budget, bytes);
  if (!share.granted()) {
    lost = count;
    LOG_LIMITED(warn, "dead letters were dropped: too many are on their way", {"events", count});
  } else {
    std::vector<client::PutEntry> entries;
    std::vector<std::size_t> ends;  // entries of event i end at ends[i]
    for (const Rejected& event : intake.rejected()) {
      AppendDeadLetters(origin, event.index, event.reject, event.raw, config.max_record, &entries);
      ends.push_back(entries.size());
    }
    std::vector<WriteItem> items(entries.size());
    for (std::size_t i = 0; i < items.size(); ++i) items[i].entry = std::move(entries[i]);
    std::vector<WriteResult> results = co_await dead_letters.Write(ctx, std::move(items));
    Note(config.dead_letter_stream, results);
    for (std::size_t i = 0, part = 0; i < count; ++i) {
      bool whole = true;
      for (; part < ends[i]; ++part) {
        if (results[part].outcome == WriteOutcome::kStored) continue;
        whole = false;
        LOG_LIMITED(warn, "a dead letter could not be stored", {"error", results[part].error});
      }
      if (!whole) ++lost;
    }
  }
  metrics.dead_letters_lost.Add(static_cast<double>(lost));
  metrics.dead_letters.Add(static_cast<double>(count - lost));
  co_return lost;
}

async::Task<http::Response> GatewayApi::Impl::Handle(async::Context ctx, const http::Request& request) {
  const MonoTime begin = clock.Mono();
  http::Response response = co_await Post(std::move(ctx), request);
  cors.Decorate(request.headers.Get("Origin"), &response);
  response.headers.Set("X-Request-Id", request.request_id);
  metrics.request_seconds.Observe(std::chrono::duration<double>(clock.Mono() - begin).count());
  co_return response;
}

async::Task<http::Response> GatewayApi::Impl::Preflight(const http::Request& request) {
  co_return cors.Preflight(request.headers.Get("Origin"));
}

GatewayApi::GatewayApi(GatewayConfig config, client::StreamClient& client, const Clock& clock,
                       async::Runtime& runtime, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, clock, metrics)) {
  impl_->executor = runtime.NextExecutor();
}

GatewayApi::~GatewayApi() = default;

async::Task<Result<void>> GatewayApi::Impl::Warm(async::Context ctx) {
  if (window == nullptr) co_return Ok();
  if (warmer == nullptr) {
    const Timestamp now = clock.Now();
    const Timestamp since = now - std::chrono::ceil<std::chrono::milliseconds>(config.dedup_window);
    warmer = std::make_unique<DedupWarmer>(client, config.stream, since, now, *window, progress);
  }
  Result<void> read = co_await warmer->Run(ctx);
  if (!read.ok()) co_return read.error().WithContext("read the dedup window");
  LOG(info, "dedup window read", {"ids", warmer->ids()}, {"records", warmer->records()},
      {"back_to", FormatTimestamp(warmer->reached())});
  warmer.reset();
  co_return Ok();
}

async::Task<Result<void>> GatewayApi::Start(async::Context ctx) {
  Impl& impl = *impl_;
  Result<void> done = co_await impl.upkeep.EnsureAll(ctx);
  if (!done.ok()) co_return done;
  done = co_await impl.Warm(ctx);
  if (!done.ok()) co_return done;
  Phase expected = Phase::kStarting;
  if (impl.phase.compare_exchange_strong(expected, Phase::kReady)) {
    impl.group.Spawn(impl.executor, "gateway upkeep", impl.upkeep.Run());
  }
  co_return impl.Open();
}

std::uint64_t GatewayApi::start_progress() const { return impl_->progress.load(); }

void GatewayApi::Register(http::Router& router) {
  Impl* const impl = impl_.get();
  const http::Handler post = [impl](async::Context ctx, const http::Request& request) {
    return impl->Handle(std::move(ctx), request);
  };
  const http::Handler preflight = [impl](async::Context /*ctx*/, const http::Request& request) {
    return impl->Preflight(request);
  };
  for (const char* path : {"/v1/events", "/events"}) {
    router.Add("POST", path, post);
    router.Add("OPTIONS", path, preflight);
  }
}

Result<void> GatewayApi::Ready() const { return impl_->Ready(); }

void GatewayApi::BeginStop() { impl_->phase.store(Phase::kStopping); }

async::Task<void> GatewayApi::Stop(MonoTime deadline) {
  BeginStop();
  impl_->group.Cancel();
  co_await impl_->events.Stop(deadline);
  co_await impl_->dead_letters.Stop(deadline);
  co_await impl_->uncertain.Stop();
  Result<void> joined = co_await impl_->group.Join();
  (void)joined;
}

}  // namespace honryu::api::gateway
