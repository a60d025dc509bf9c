#include "honryu/api/kinesis/kinesis_api.h"

#include "api/kinesis/access.h"
#include "api/kinesis/front_door.h"
#include "api/kinesis/impl.h"
#include "honryu/obs/log.h"

#include <chrono>
#include <exception>

namespace honryu::api::kinesis {

using wire::Fault;
using wire::FaultName;
using wire::Operation;

namespace {
constexpr const char* kRequestsName = "honryu_kinesis_requests_total";
constexpr const char* kRequestsHelp =
    "Requests of the Kinesis API by operation and outcome (ok or the error's name).";

Bytes WithPadding(std::string body) {
  const std::size_t size = body.size();
  body.append(http::kBodyPadding, '\0');
  return Bytes(std::move(body)).Slice(0, size);
}

bool ParsePutFast(BytesView body, wire::Format format, bool single, wire::PutRecordsRequest& out,
                  const wire::Limits& limits) {
  if (format == wire::Format::kCbor) {
    return single ? wire::ParsePutRecordCbor(body, out, limits)
                  : wire::ParsePutRecordsCbor(body, out, limits);
  }
  return single ? wire::ParsePutRecordFast(body, out, limits) : wire::ParsePutRecordsFast(body, out, limits);
}

http::OriginList OriginsOf(const KinesisApiConfig& config) {
  const bool any = config.cors_origins.empty() && !config.access_keys.empty();
  return http::OriginList(any ? std::vector<std::string>{"*"} : config.cors_origins);
}
}  // namespace

Metrics::Metrics(obs::Registry& registry_in) : registry(registry_in) {
  for (std::size_t i = 0; i < wire::kOperationCount; ++i) {
    const std::string operation(wire::OperationName(static_cast<Operation>(i)));
    ok[i] = registry.MakeCounter(kRequestsName, kRequestsHelp, {{"operation", operation}, {"status", "ok"}});
    seconds[i] =
        registry.MakeHistogram("honryu_kinesis_request_seconds", "Time to answer a Kinesis API request.",
                               obs::LatencyBuckets(), {{"operation", operation}});
  }
  const auto put = [this](const char* result) {
    return registry.MakeCounter("honryu_kinesis_put_records_total",
                                "Records given to PutRecord and PutRecords by result.", {{"result", result}});
  };
  put_successful = put("successful");
  put_failed = put("failed");
  put_throttled = put("throttled");
  subscriptions = registry.MakeGauge("honryu_kinesis_subscriptions", "SubscribeToShard: open subscriptions.");
  const auto event = [this](const char* name, const char* help) { return registry.MakeCounter(name, help); };
  subscription_events =
      event("honryu_kinesis_subscription_events_total", "SubscribeToShardEvent.Success: events sent.");
  subscription_records =
      event("honryu_kinesis_subscription_records_total", "SubscribeToShardEvent.Records: records sent.");
  subscription_bytes =
      event("honryu_kinesis_subscription_bytes_total", "SubscribeToShardEvent.Bytes: data bytes sent.");
}

void Metrics::Count(std::optional<Operation> operation, std::string_view status, Duration took) {
  if (operation) {
    const auto index = static_cast<std::size_t>(*operation);
    seconds[index].Observe(std::chrono::duration<double>(took).count());
    if (status == "ok") {
      ok[index].Add();
      return;
    }
  }
  const std::string name = operation ? std::string(wire::OperationName(*operation)) : "unknown";
  registry.MakeCounter(kRequestsName, kRequestsHelp, {{"operation", name}, {"status", std::string(status)}})
      .Add();
}

KinesisApi::Impl::Impl(KinesisApiConfig config_in, broker::Broker& broker_in, const Clock& clock_in,
                       obs::Registry& registry)
    : config(std::move(config_in)),
      broker(broker_in),
      clock(clock_in),
      origins(OriginsOf(config)),
      metrics(registry),
      answer_memory(config.max_answer_memory, registry) {
  limits.max_record_bytes = broker.config().max_record_bytes;
  limits.max_request_bytes = config.max_request_bytes;
  if (broker.config().quotas == broker::QuotaProfile::kAws) operation_quotas.emplace(clock);
  if (config.access_keys.empty()) return;
  auth::VerifierConfig verify;
  verify.keys = config.access_keys;
  verify.allow_unsigned_payload = config.allow_unsigned_payload;
  verifier.emplace(verify);
  verify.services = {"sts"};
  sts_verifier.emplace(std::move(verify));
}

KinesisApi::KinesisApi(KinesisApiConfig config, broker::Broker& broker, const Clock& clock,
                       obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), broker, clock, metrics)) {}
KinesisApi::~KinesisApi() = default;

async::Task<http::Response> KinesisApi::Handle(async::Context ctx, const http::Request& request) {
  http::Response response;
  try {
    response = co_await impl_->Handle(std::move(ctx), request);
  } catch (const std::exception& failure) {
    // The request's root: whatever escapes is a bug; it is told, counted and answered as Kinesis would.
    LOG_LIMITED(error, "kinesis request failed by an exception", {"what", failure.what()},
                {"request_id", request.request_id});
    impl_->metrics.Count(std::nullopt, wire::TraitsOf(FaultName::kInternalFailure).name, Duration::zero());
    response = FaultAnswer({FaultName::kInternalFailure, ""}, FormatOf(request));
  }
  AddCommonHeaders(request, impl_->origins, response);
  co_return response;
}

async::Task<http::Response> KinesisApi::Impl::Handle(async::Context ctx, const http::Request& request) {
  const MonoTime began = clock.Mono();
  const std::optional<Operation> operation = wire::FindOperation(request.headers.Get("X-Amz-Target"));
  if (std::optional<http::Response> identity = CallerIdentity(request)) {
    metrics.Count(operation, identity->status < 300 ? "ok" : "protocol", clock.Mono() - began);
    co_return std::move(*identity);
  }
  if (std::optional<http::Response> refused = JudgeProtocol(request, origins, operation.has_value())) {
    metrics.Count(operation, refused->status < 300 ? "ok" : "protocol", clock.Mono() - began);
    co_return std::move(*refused);
  }
  // Verified first, because the body of signed chunks must be opened; told after faults of the body, as
  // Kinesis does.
  std::optional<Fault> unauthorized;
  auth::Verified identity;
  if (verifier || config.require_auth_header) unauthorized = JudgeAuthorization(request);
  if (verifier && !unauthorized) unauthorized = Authenticate(*verifier, request, clock.Now(), identity);
  const Bytes content = identity.body ? WithPadding(std::move(*identity.body)) : request.body;
  // Puts take the fast parser; what it does not take goes the same way as all other operations.
  wire::PutRecordsRequest put;
  const bool puts = operation == Operation::kPutRecords || operation == Operation::kPutRecord;
  const wire::Format format = FormatOf(request);
  const bool fast = puts && ParsePutFast(content, format, operation == Operation::kPutRecord, put, limits);
  Result<codec::Json> body = codec::Json();
  if (!fast) body = wire::ParseBody(content, format);

  Outcome outcome;
  if (!fast && (!body.ok() || !body->is_object())) {
    outcome.fault = Fault{FaultName::kSerializationException, ""};
  } else if (!operation) {
    outcome.fault = Fault{FaultName::kUnknownOperationException, ""};
  } else if (unauthorized) {
    outcome.fault = std::move(unauthorized);
  } else if (identity.key != nullptr) {
    outcome.fault =
        CheckAccess(*identity.key, *operation,
                    fast ? std::vector<std::string>{put.stream.name} : StreamsOf(*operation, *body));
  }
  if (!outcome.fault && puts && !fast) {
    put = wire::PutRecordsRequest();
    outcome.fault = operation == Operation::kPutRecords ? wire::ParsePutRecords(*body, put, limits)
                                                        : wire::ParsePutRecord(*body, put, limits);
  }
  std::string scope;
  if (!outcome.fault && operation_quotas && !fast) {
    scope = QuotaScope(*operation, *body);
    if (!operation_quotas->Take(*operation, scope))
      outcome.fault = Fault{FaultName::kLimitExceededException, "Rate exceeded for " + scope + "."};
  }
  if (!outcome.fault && *operation == Operation::kSubscribeToShard) {
    http::Response response = co_await SubscribeToShard(std::move(ctx), *body, format);
    metrics.Count(operation, response.stream ? "ok" : response.headers.Get("x-amzn-ErrorType"),
                  clock.Mono() - began);
    co_return response;
  }
  if (!outcome.fault) {
    if (puts) {
      outcome = co_await Put(std::move(ctx), std::move(put), operation == Operation::kPutRecord);
    } else {
      outcome = co_await Run(std::move(ctx), *operation, *body);
      if (outcome.fault && operation_quotas && OperationQuotas::CountsSuccess(*operation))
        operation_quotas->Return(*operation, scope);
    }
  }
  metrics.Count(operation, outcome.fault ? wire::TraitsOf(outcome.fault->name).name : "ok",
                clock.Mono() - began);
  if (outcome.fault) co_return FaultAnswer(*outcome.fault, format);
  http::Response response = Answer(std::move(outcome.body), format);
  if (outcome.memory != nullptr)
    response.body = AnswerMemory::With(std::move(outcome.memory), std::move(response.body));
  co_return response;
}

// As it stands in the message, too.
std::string KinesisApi::Impl::QuotaScope(Operation operation, const codec::Json& body) const {
  const auto text = [&body](std::string_view name) {
    const codec::Json* value = body.Find(name);
    // Not yet judged: no longer than what may name anything.
    return std::string((value == nullptr ? std::string_view() : value->StringOr("")).substr(0, 2048));
  };
  switch (OperationQuotas::ScopeOf(operation)) {
    case OperationQuotas::Scope::kNone:
      break;
    case OperationQuotas::Scope::kAccount:
      return "account " + config.account_id;
    case OperationQuotas::Scope::kStream: {
      const std::vector<std::string> streams = StreamsOf(operation, body);
      return "stream " + (streams.empty() ? std::string() : streams.front().substr(0, 128)) + Account();
    }
    case OperationQuotas::Scope::kConsumerAndShard:
      return "consumer " + text("ConsumerARN") + " of shard " + text("ShardId");
  }
  return {};
}

async::Task<Outcome> KinesisApi::Impl::Run(async::Context ctx, Operation operation, const codec::Json& body) {
  Outcome outcome;
  switch (operation) {
    case Operation::kCreateStream:
      outcome = co_await CreateStream(std::move(ctx), body);
      break;
    case Operation::kDeleteStream:
      outcome = co_await DeleteStream(std::move(ctx), body);
      break;
    case Operation::kDescribeStream:
      outcome = DescribeStream(body);
      break;
    case Operation::kDescribeStreamSummary:
      outcome = DescribeStreamSummary(body);
      break;
    case Operation::kListStreams:
      outcome = ListStreams(body);
      break;
    case Operation::kListShards:
      outcome = ListShards(body);
      break;
    case Operation::kGetShardIterator:
      outcome = co_await GetShardIterator(std::move(ctx), body);
      break;
    case Operation::kGetRecords:
      outcome = co_await GetRecords(std::move(ctx), body);
      break;
    case Operation::kIncreaseStreamRetentionPeriod:
    case Operation::kDecreaseStreamRetentionPeriod:
      outcome = co_await SetRetention(std::move(ctx), body, operation);
      break;
    case Operation::kAcquireLease:
    case Operation::kRenewLease:
    case Operation::kSaveCheckpoint:
    case Operation::kReleaseLease:
    case Operation::kListLeases:
      outcome = co_await Lease(std::move(ctx), body, operation);
      break;
    case Operation::kSubscribeToShard:
    case Operation::kPutRecord:
    case Operation::kPutRecords:  // have their own way in Handle
      outcome.fault = Fault{FaultName::kInternalFailure, ""};
      break;
    default:
      outcome = co_await Manage(std::move(ctx), body, operation);
      break;
  }
  co_return outcome;
}

std::optional<Fault> KinesisApi::Impl::CheckAccount(const wire::StreamSelector& stream) const {
  if (stream.account.empty() || stream.account == config.account_id) return std::nullopt;
  return Fault{FaultName::kResourceNotFoundException,
               "Stream " + stream.name + " under account " + stream.account + " not found."};
}

Fault KinesisApi::Impl::StreamNotFound(std::string_view stream) const {
  return Fault{FaultName::kResourceNotFoundException,
               "Stream " + std::string(stream) + Account() + " not found."};
}

Fault KinesisApi::Impl::ShardMissing(std::string_view shard_id, std::string_view stream) const {
  return Fault{
      FaultName::kResourceNotFoundException,
      "Shard " + std::string(shard_id) + " in stream " + std::string(stream) + Account() + " does not exist"};
}

Fault KinesisApi::Impl::NotActive(std::string_view stream, broker::StreamStatus status) const {
  return Fault{FaultName::kResourceInUseException, "Stream " + std::string(stream) + Account() +
                                                       " not ACTIVE, instead in state " +
                                                       std::string(StatusName(status))};
}

std::string KinesisApi::Impl::RateExceeded(const Error& error, std::string_view stream) const {
  // Kinesis knows shards only; the second form is our own, for a full queue.
  if (const std::optional<std::uint32_t> shard = broker::ShardOfQuotaError(error)) {
    return "Rate exceeded for shard " + wire::ShardIdOf(*shard) + " in stream " + std::string(stream) +
           Account() + ".";
  }
  return "Rate exceeded for stream " + std::string(stream) + Account() + ": " + error.message();
}

Fault KinesisApi::Impl::FaultOf(const Error& error, std::string_view stream) const {
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return StreamNotFound(stream);
    case ErrorCode::kAlreadyExists:
      return {FaultName::kResourceInUseException,
              "Stream " + std::string(stream) + Account() + " already exists."};
    case ErrorCode::kFailedPrecondition: {
      const Result<broker::StreamSnapshot> now = broker.Snapshot(stream);
      if (now.ok() && (*now)->status != broker::StreamStatus::kActive)
        return NotActive(stream, (*now)->status);
      return {FaultName::kResourceInUseException, error.message()};
    }
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfRange:
      return {FaultName::kInvalidArgumentException, error.message()};
    case ErrorCode::kTooLarge:
      return {FaultName::kLimitExceededException, error.message()};
    case ErrorCode::kOverloaded:
      return {FaultName::kProvisionedThroughputExceededException, RateExceeded(error, stream)};
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return {FaultName::kServiceUnavailable, error.message()};
    case ErrorCode::kExpired:
      return {FaultName::kExpiredIteratorException, error.message()};
    case ErrorCode::kConflict:
      return {FaultName::kConflictException, error.message()};
    case ErrorCode::kFenced:
      return {FaultName::kFencedException, error.message()};
    case ErrorCode::kPermissionDenied:
      return {FaultName::kAccessDeniedException, error.message()};
    default:
      LOG_LIMITED(error, "kinesis operation failed", {"stream", stream}, {"error", error});
      return {FaultName::kInternalFailure, ""};
  }
}

}  // namespace honryu::api::kinesis
