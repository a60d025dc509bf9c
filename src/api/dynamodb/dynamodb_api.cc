#include "honryu/api/dynamodb/dynamodb_api.h"

#include "api/dynamodb/impl.h"
#include "honryu/obs/log.h"

#include <zlib.h>

#include <array>
#include <exception>
#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using wire::Fault;
using wire::FaultName;

namespace {

constexpr std::string_view kTarget = "DynamoDB_20120810.";
constexpr std::string_view kContentType = "application/x-amz-json-1.0";
constexpr std::size_t kMaxJsonValues = 500000;
constexpr const char* kRequestsName = "honryu_dynamodb_requests_total";
constexpr const char* kRequestsHelp =
    "Requests of the DynamoDB API by operation and outcome (ok or the error's name).";

constexpr std::array<std::string_view, 21> kNames = {"BatchGetItem",
                                                     "BatchWriteItem",
                                                     "CreateTable",
                                                     "DeleteItem",
                                                     "DeleteTable",
                                                     "DescribeContinuousBackups",
                                                     "DescribeTable",
                                                     "DescribeTimeToLive",
                                                     "GetItem",
                                                     "ListTables",
                                                     "ListTagsOfResource",
                                                     "PutItem",
                                                     "Query",
                                                     "Scan",
                                                     "TagResource",
                                                     "TransactWriteItems",
                                                     "UntagResource",
                                                     "UpdateContinuousBackups",
                                                     "UpdateItem",
                                                     "UpdateTable",
                                                     "UpdateTimeToLive"};

// The namespace that DynamoDB puts before an error's name.
std::string TypeOf(FaultName name) {
  switch (name) {
    case FaultName::kInternalFailure:
      return "com.amazonaws.dynamodb.v20120810#InternalServerError";
    case FaultName::kValidationException:
      return "com.amazon.coral.validate#ValidationException";
    case FaultName::kSerializationException:
    case FaultName::kUnknownOperationException:
    case FaultName::kAccessDeniedException:
    case FaultName::kUnrecognizedClientException:
    case FaultName::kInvalidSignatureException:
    case FaultName::kIncompleteSignatureException:
    case FaultName::kMissingAuthenticationTokenException:
      return "com.amazon.coral.service#" + std::string(wire::TraitsOf(name).name);
    default:
      return "com.amazonaws.dynamodb.v20120810#" + std::string(wire::TraitsOf(name).name);
  }
}

http::Response Answer(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.Set("Content-Type", std::string(kContentType));
  // SDKs compare it with what they got.
  const uLong checksum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  response.headers.Set("x-amz-crc32", std::to_string(checksum));
  response.body = Bytes(std::move(body));
  return response;
}

http::Response FaultAnswer(const Fault& fault, std::string_view members) {
  std::string body;
  codec::JsonWriter json(body);
  json.BeginObject();
  json.Key("__type");
  json.PlainString(TypeOf(fault.name));
  if (!fault.message.empty()) {
    const bool capital = fault.name == FaultName::kSerializationException ||
                         fault.name == FaultName::kTransactionCanceledException;
    json.Key(capital ? "Message" : "message");
    json.String(fault.message);
  }
  body.append(members);
  json.EndObject();
  const wire::FaultTraits& traits = wire::TraitsOf(fault.name);
  http::Response response = Answer(traits.status, std::move(body));
  response.headers.Set("x-amzn-ErrorType", std::string(traits.name));
  return response;
}

// Without keys a page of any origin could read and write what belongs to this machine's applications.
http::OriginList OriginsOf(const DynamoDbApiConfig& config) {
  const bool any = config.cors_origins.empty() && !config.access_keys.empty();
  return http::OriginList(any ? std::vector<std::string>{"*"} : config.cors_origins);
}

}  // namespace

std::string_view OperationName(Operation operation) { return kNames[static_cast<std::size_t>(operation)]; }

std::optional<Operation> FindOperation(std::string_view target) {
  if (!target.starts_with(kTarget)) return std::nullopt;
  target.remove_prefix(kTarget.size());
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == target) return static_cast<Operation>(i);
  return std::nullopt;
}

DynamoDbApi::Impl::Impl(DynamoDbApiConfig config_in, tables::TableStore& store_in, const Clock& clock_in,
                        obs::Registry& registry_in)
    : config(std::move(config_in)),
      store(store_in),
      clock(clock_in),
      registry(registry_in),
      origins(OriginsOf(config)) {
  if (config.access_keys.empty()) return;
  auth::VerifierConfig verify;
  verify.keys = config.access_keys;
  verify.allow_unsigned_payload = config.allow_unsigned_payload;
  verify.services = {"dynamodb"};
  verifier.emplace(std::move(verify));
}

DynamoDbApi::DynamoDbApi(DynamoDbApiConfig config, tables::TableStore& store, const Clock& clock,
                         obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), store, clock, metrics)) {}
DynamoDbApi::~DynamoDbApi() = default;

bool DynamoDbApi::Takes(const http::Request& request) {
  return request.method == "POST" && request.headers.Get("X-Amz-Target").starts_with(kTarget);
}

async::Task<http::Response> DynamoDbApi::Handle(async::Context ctx, const http::Request& request) {
  http::Response response;
  try {
    response = co_await impl_->Handle(std::move(ctx), request);
  } catch (const std::exception& failure) {
    // The request's root: whatever escapes is a bug; it is told, counted and answered as DynamoDB would.
    LOG_LIMITED(error, "dynamodb request failed by an exception", {"what", failure.what()},
                {"request_id", request.request_id});
    impl_->Count(std::nullopt, wire::TraitsOf(FaultName::kInternalFailure).name);
    response = FaultAnswer({FaultName::kInternalFailure, "Internal server error"}, {});
  }
  response.headers.Set("x-amzn-RequestId", request.request_id);
  const std::string_view origin = request.headers.Get("Origin");
  if (!origin.empty() && impl_->origins.Allows(origin)) {
    response.headers.Set("Access-Control-Allow-Origin", impl_->origins.any() ? "*" : std::string(origin));
    response.headers.Set("Access-Control-Expose-Headers", "x-amzn-RequestId,x-amzn-ErrorType,x-amz-crc32");
  }
  co_return response;
}

void DynamoDbApi::Impl::Count(std::optional<Operation> operation, std::string_view status) const {
  const std::string name = operation ? std::string(OperationName(*operation)) : "unknown";
  registry.MakeCounter(kRequestsName, kRequestsHelp, {{"operation", name}, {"status", std::string(status)}})
      .Add();
}

async::Task<http::Response> DynamoDbApi::Impl::Handle(async::Context ctx, const http::Request& request) {
  const std::optional<Operation> operation = FindOperation(request.headers.Get("X-Amz-Target"));
  if (!origins.Allows(request.headers.Get("Origin"))) {
    Count(operation, "protocol");
    http::Response refused =
        FaultAnswer({FaultName::kAccessDeniedException,
                     "Pages of this web origin may not call (setting kinesis.cors_origins)"},
                    {});
    refused.status = 403;
    co_return refused;
  }
  const std::string_view type = request.headers.Get("Content-Type");
  if (!type.starts_with("application/x-amz-json-1.")) {
    Count(operation, "protocol");
    http::Response refused = http::Response::Text(404, "<UnknownOperationException/>\n", "application/xml");
    co_return refused;
  }
  std::optional<Fault> fault;
  auth::Verified identity;
  const auth::RequestView view{request.method, request.target, request.headers.fields(),
                               request.signed_body()};
  if (verifier) {
    fault = verifier->Verify(view, clock.Now(), identity);
  } else if (config.require_auth_header) {
    auth::Claim claim;
    fault = auth::ReadClaim(view, claim);
  }
  Result<Json> body = Json();
  if (!fault && !operation) fault = Fault{FaultName::kUnknownOperationException, ""};
  if (!fault) {
    const BytesView text = identity.body ? BytesView(*identity.body) : request.body.view();
    body = Json::Parse(text, kMaxJsonValues);
    if (!body.ok() || !body->is_object())
      fault = Fault{FaultName::kSerializationException, "the body is no JSON object"};
  }
  if (!fault && identity.key != nullptr) fault = CheckAccess(*identity.key, *operation, *body);
  Outcome outcome;
  if (fault) {
    outcome.fault = std::move(fault);
  } else {
    outcome = co_await Run(std::move(ctx), *operation, *body);
  }
  Count(operation, outcome.fault ? wire::TraitsOf(outcome.fault->name).name : "ok");
  if (outcome.fault) co_return FaultAnswer(*outcome.fault, outcome.fault_members);
  co_return Answer(200, std::move(outcome.body));
}

async::Task<Outcome> DynamoDbApi::Impl::Run(async::Context ctx, Operation operation, const Json& body) {
  Outcome outcome;
  switch (operation) {
    case Operation::kCreateTable:
      outcome = co_await CreateTable(std::move(ctx), body);
      break;
    case Operation::kUpdateTable:
      outcome = co_await UpdateTable(std::move(ctx), body);
      break;
    case Operation::kDeleteTable:
      outcome = co_await DeleteTable(std::move(ctx), body);
      break;
    case Operation::kDescribeTable:
      outcome = DescribeTable(body);
      break;
    case Operation::kListTables:
      outcome = ListTables(body);
      break;
    case Operation::kTagResource:
    case Operation::kUntagResource:
    case Operation::kUpdateContinuousBackups:
    case Operation::kUpdateTimeToLive:
      outcome = co_await ChangeSetting(std::move(ctx), operation, body);
      break;
    case Operation::kDescribeContinuousBackups:
    case Operation::kDescribeTimeToLive:
    case Operation::kListTagsOfResource:
      outcome = ShowSetting(operation, body);
      break;
    case Operation::kPutItem:
    case Operation::kUpdateItem:
    case Operation::kDeleteItem:
      outcome = co_await WriteOne(std::move(ctx), operation, body);
      break;
    case Operation::kBatchWriteItem:
      outcome = co_await BatchWriteItem(std::move(ctx), body);
      break;
    case Operation::kTransactWriteItems:
      outcome = co_await TransactWriteItems(std::move(ctx), body);
      break;
    case Operation::kGetItem:
      outcome = GetItem(body);
      break;
    case Operation::kBatchGetItem:
      outcome = BatchGetItem(body);
      break;
    case Operation::kQuery:
    case Operation::kScan:
      outcome = ReadPage(operation, body);
      break;
  }
  co_return outcome;
}

std::string DynamoDbApi::Impl::TableArn(std::string_view table) const {
  return "arn:aws:dynamodb:" + config.region + ":" + config.account_id + ":table/" + std::string(table);
}

Fault DynamoDbApi::Impl::FaultOf(const Error& error) const {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kFailedPrecondition:
      return {FaultName::kValidationException, error.message()};
    case ErrorCode::kOutOfRange:
      return {FaultName::kSerializationException, error.message()};
    case ErrorCode::kNotFound:
      return {FaultName::kResourceNotFoundException, error.message()};
    case ErrorCode::kAlreadyExists:
      return {FaultName::kResourceInUseException, error.message()};
    case ErrorCode::kConflict:
      return {FaultName::kConditionalCheckFailedException, error.message()};
    case ErrorCode::kTooLarge:
      return {FaultName::kLimitExceededException, error.message()};
    case ErrorCode::kOverloaded:
      return {FaultName::kProvisionedThroughputExceededException, error.message()};
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return {FaultName::kServiceUnavailable, error.message()};
    default:
      LOG_LIMITED(error, "dynamodb operation failed", {"error", error});
      return {FaultName::kInternalFailure, "Internal server error"};
  }
}

}  // namespace honryu::api::dynamodb
