#include "honryu/api/cloudwatch/cloudwatch_api.h"

#include "api/cloudwatch/metric_data.h"
#include "api/cloudwatch/series.h"
#include "honryu/auth/sigv4.h"
#include "honryu/codec/cbor.h"
#include "honryu/codec/json.h"
#include "honryu/http/origin_list.h"
#include "honryu/obs/log.h"
#include "honryu/wire/fault.h"

#include <exception>
#include <optional>
#include <string_view>
#include <utility>

// The three protocols of CloudWatch's service model: "query" (forms in, XML out), AWS JSON 1.0, and Smithy
// RPC v2 CBOR (https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html); the latter two with the
// query protocol's error code in x-amzn-query-error.
namespace honryu::api::cloudwatch {

using wire::Fault;
using wire::FaultName;

namespace {

constexpr std::string_view kTarget = "GraniteServiceVersion20100801.";
constexpr std::string_view kCborPath = "/service/GraniteServiceVersion20100801/operation/";
constexpr std::string_view kOperation = "PutMetricData";
constexpr std::string_view kXmlNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/";
constexpr std::size_t kMaxJsonValues = 200000;

enum class Protocol { kQuery, kJson, kCbor };

bool IsForm(const http::Request& request) {
  return request.headers.Get("Content-Type").starts_with("application/x-www-form-urlencoded");
}

std::string_view FormField(BytesView form, std::string_view name) {
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const BytesView field = form.substr(0, end);
    if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=')
      return field.substr(name.size() + 1);
    form.remove_prefix(end == BytesView::npos ? form.size() : end + 1);
  }
  return {};
}

std::optional<Protocol> ProtocolOf(const http::Request& request) {
  if (request.method != "POST") return std::nullopt;
  if (request.headers.Get("X-Amz-Target").starts_with(kTarget)) return Protocol::kJson;
  if (request.path.starts_with(kCborPath)) return Protocol::kCbor;
  const bool other = request.headers.Has("X-Amz-Target");
  if (!other && IsForm(request) && FormField(request.body, "Version") == "2010-08-01")
    return Protocol::kQuery;
  return std::nullopt;
}

std::string OperationOf(Protocol protocol, const http::Request& request) {
  if (protocol == Protocol::kJson)
    return std::string(request.headers.Get("X-Amz-Target").substr(kTarget.size()));
  if (protocol == Protocol::kCbor) return request.path.substr(kCborPath.size());
  return std::string(FormField(request.body, "Action"));
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&') {
      out.append(c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

// The query protocol has its own names.
std::string_view QueryCode(FaultName name) {
  switch (name) {
    case FaultName::kInvalidParameterValueException:
      return "InvalidParameterValue";
    case FaultName::kUnknownOperationException:
      return "InvalidAction";
    case FaultName::kSerializationException:
      return "MalformedInput";
    case FaultName::kAccessDeniedException:
      return "AccessDenied";
    case FaultName::kMissingAuthenticationTokenException:
      return "MissingAuthenticationToken";
    case FaultName::kIncompleteSignatureException:
      return "IncompleteSignature";
    case FaultName::kUnrecognizedClientException:
      return "InvalidClientTokenId";
    case FaultName::kInvalidSignatureException:
      return "SignatureDoesNotMatch";
    default:
      return "InternalFailure";
  }
}

http::Response Answer(Protocol protocol, int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.Set("Content-Type", protocol == Protocol::kQuery  ? "text/xml"
                                       : protocol == Protocol::kJson ? "application/x-amz-json-1.0"
                                                                     : "application/cbor");
  if (protocol == Protocol::kCbor) response.headers.Set("smithy-protocol", "rpc-v2-cbor");
  response.body = Bytes(std::move(body));
  return response;
}

http::Response Success(Protocol protocol, const std::string& request_id) {
  if (protocol == Protocol::kJson) return Answer(protocol, 200, "{}");
  if (protocol == Protocol::kCbor) return Answer(protocol, 200, "\xa0");  // an empty map
  std::string body = "<PutMetricDataResponse xmlns=\"";
  body.append(kXmlNamespace).append("\"><ResponseMetadata><RequestId>").append(request_id);
  body.append("</RequestId></ResponseMetadata></PutMetricDataResponse>");
  return Answer(protocol, 200, std::move(body));
}

http::Response FaultAnswer(Protocol protocol, const Fault& fault, const std::string& request_id) {
  const wire::FaultTraits& traits = wire::TraitsOf(fault.name);
  const bool sender = traits.status < 500;
  const std::string_view code = QueryCode(fault.name);
  std::string body;
  if (protocol == Protocol::kQuery) {
    body = "<ErrorResponse xmlns=\"";
    body.append(kXmlNamespace).append("\"><Error><Type>").append(sender ? "Sender" : "Receiver");
    body.append("</Type><Code>").append(code).append("</Code><Message>").append(Escaped(fault.message));
    body.append("</Message></Error><RequestId>").append(request_id).append("</RequestId></ErrorResponse>");
    return Answer(protocol, traits.status, std::move(body));
  }
  const std::string type = "com.amazonaws.cloudwatch#" + std::string(traits.name);
  if (protocol == Protocol::kJson) {
    codec::JsonWriter json(body);
    json.BeginObject();
    json.Key("__type");
    json.PlainString(type);
    json.Key("message");
    json.String(fault.message);
    json.EndObject();
  } else {
    codec::CborWriter cbor(body);
    cbor.BeginMap(2);
    cbor.Text("__type");
    cbor.Text(type);
    cbor.Text("message");
    cbor.Text(fault.message);
  }
  http::Response response = Answer(protocol, traits.status, std::move(body));
  response.headers.Set("x-amzn-ErrorType", std::string(traits.name));
  response.headers.Set("x-amzn-query-error", std::string(code) + (sender ? ";Sender" : ";Receiver"));
  return response;
}

http::OriginList OriginsOf(const CloudWatchApiConfig& config) {
  const bool any = config.cors_origins.empty() && !config.access_keys.empty();
  return http::OriginList(any ? std::vector<std::string>{"*"} : config.cors_origins);
}

Fault InvalidValue(const Error& error) {
  return Fault{FaultName::kInvalidParameterValueException, error.message()};
}

}  // namespace

struct CloudWatchApi::Impl {
  Impl(CloudWatchApiConfig config_in, const Clock& clock_in, obs::Registry& registry_in)
      : config(std::move(config_in)),
        clock(clock_in),
        registry(registry_in),
        origins(OriginsOf(config)),
        series(std::make_shared<Series>(config.max_series, config.series_life, clock, registry)) {
    // The registry may render after this object is gone.
    registry.OnCollect([weak = std::weak_ptr<Series>(series)] {
      if (const std::shared_ptr<Series> alive = weak.lock()) alive->DropStale();
    });
    if (config.access_keys.empty()) return;
    auth::VerifierConfig verify;
    verify.keys = config.access_keys;
    verify.allow_unsigned_payload = config.allow_unsigned_payload;
    verify.services = {"monitoring"};
    verifier.emplace(std::move(verify));
  }

  std::optional<Fault> Judge(Protocol protocol, const http::Request& request) const;
  std::optional<Fault> Take(Protocol protocol, BytesView body) const;
  void Count(std::string_view status) const {
    registry
        .MakeCounter("honryu_cloudwatch_requests_total",
                     "Requests of PutMetricData by outcome (ok or the error's name).",
                     {{"status", std::string(status)}})
        .Add();
  }

  const CloudWatchApiConfig config;
  const Clock& clock;
  obs::Registry& registry;
  const http::OriginList origins;
  std::shared_ptr<Series> series;  // shared with a render that may be under way
  std::optional<auth::Verifier> verifier;
};

std::optional<Fault> CloudWatchApi::Impl::Judge(Protocol protocol, const http::Request& request) const {
  if (!origins.Allows(request.headers.Get("Origin"))) {
    return Fault{FaultName::kAccessDeniedException,
                 "Pages of this web origin may not call (setting kinesis.cors_origins)"};
  }
  auth::Verified identity;
  const auth::RequestView view{request.method, request.target, request.headers.fields(),
                               request.signed_body()};
  if (verifier) {
    if (std::optional<Fault> fault = verifier->Verify(view, clock.Now(), identity)) return fault;
  } else if (config.require_auth_header) {
    auth::Claim claim;
    if (std::optional<Fault> fault = auth::ReadClaim(view, claim)) return fault;
  }
  if (OperationOf(protocol, request) != kOperation)
    return Fault{FaultName::kUnknownOperationException, "only PutMetricData is served here"};
  if (identity.key != nullptr && !auth::Allows(*identity.key, "cloudwatch:PutMetricData", {})) {
    return Fault{FaultName::kAccessDeniedException,
                 "User: " + identity.key->id + " is not authorized to perform: cloudwatch:PutMetricData"};
  }
  return Take(protocol, identity.body ? BytesView(*identity.body) : request.body.view());
}

std::optional<Fault> CloudWatchApi::Impl::Take(Protocol protocol, BytesView body) const {
  Result<MetricData> data;
  if (protocol == Protocol::kQuery) {
    data = ReadMetricForm(body);
  } else {
    const Result<codec::Json> tree =
        protocol == Protocol::kJson ? codec::Json::Parse(body, kMaxJsonValues) : codec::ParseCbor(body);
    if (!tree.ok() || !tree->is_object())
      return Fault{FaultName::kSerializationException, "the body cannot be read"};
    data = ReadMetricData(*tree);
  }
  if (!data.ok()) return InvalidValue(data.error());
  series->Add(*data);
  return std::nullopt;
}

CloudWatchApi::CloudWatchApi(CloudWatchApiConfig config, const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), clock, metrics)) {}
CloudWatchApi::~CloudWatchApi() = default;

bool CloudWatchApi::Takes(const http::Request& request) { return ProtocolOf(request).has_value(); }

async::Task<http::Response> CloudWatchApi::Handle(async::Context /*ctx*/, const http::Request& request) {
  const Protocol protocol = ProtocolOf(request).value_or(Protocol::kQuery);
  std::optional<Fault> fault;
  try {
    fault = impl_->Judge(protocol, request);
  } catch (const std::exception& failure) {
    // The request's root: whatever escapes is a bug; it is told, counted and answered.
    LOG_LIMITED(error, "cloudwatch request failed by an exception", {"what", failure.what()},
                {"request_id", request.request_id});
    fault = Fault{FaultName::kInternalFailure, "Internal server error"};
  }
  impl_->Count(fault ? wire::TraitsOf(fault->name).name : "ok");
  http::Response response =
      fault ? FaultAnswer(protocol, *fault, request.request_id) : Success(protocol, request.request_id);
  response.headers.Set("x-amzn-RequestId", request.request_id);
  co_return response;
}

}  // namespace honryu::api::cloudwatch
