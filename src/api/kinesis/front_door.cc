#include "api/kinesis/front_door.h"

#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"
#include "honryu/obs/log.h"

#include <string>

namespace honryu::api::kinesis {

namespace {

constexpr std::string_view kAccessDenied =
    "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be "
    "authorized</Message>\n</AccessDeniedException>\n";

constexpr std::string_view kOriginRefused =
    "<AccessDeniedException>\n  <Message>Pages of this web origin may not call (setting "
    "kinesis.cors_origins)</Message>\n</AccessDeniedException>\n";

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

http::Response Raw(int status, std::string body, std::string_view content_type) {
  http::Response response;
  response.status = status;
  response.body = Bytes(std::move(body));
  if (!content_type.empty()) response.headers.Set("Content-Type", std::string(content_type));
  return response;
}

// "application/json" is a content type that Kinesis knows and never serves.
http::Response PlainJsonAnswer(const http::Request& request) {
  const Result<codec::Json> body_read = wire::ParseBody(request.body, wire::Format::kJson);
  const bool readable = body_read.ok() && (body_read->is_object() || body_read->is_array());
  std::string body = R"({"Output":{"__type":"com.amazon.coral.service#)";
  body.append(readable ? "UnknownOperationException" : "SerializationException")
      .append(R"("},"Version":"1.0"})");
  return Raw(readable ? 404 : 400, body, "application/json");
}

// Both parts of "Service.Operation" are there, known or not.
bool HasTarget(const http::Request& request) {
  const std::string_view target = request.headers.Get("X-Amz-Target");
  const std::size_t dot = target.find('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < target.size();
}

}  // namespace

void AddCommonHeaders(const http::Request& request, const http::OriginList& origins,
                      http::Response& response) {
  response.headers.Set("x-amzn-RequestId", request.request_id);
  const bool cross_origin = request.headers.Has("Origin");
  if (request.method != "OPTIONS" || !cross_origin) {
    char random[72];
    SecureRandomBytes(random, sizeof random);
    response.headers.Set("x-amz-id-2", codec::Base64Encode(std::string_view(random, sizeof random)));
  }
  if (!cross_origin) return;
  const std::string_view origin = request.headers.Get("Origin");
  if (!origins.any()) response.headers.Set("Vary", "Origin");
  if (!origins.Allows(origin)) return;
  response.headers.Set("Access-Control-Allow-Origin", origins.any() ? "*" : std::string(origin));
  if (request.method == "OPTIONS") return;
  response.headers.Set(
      "Access-Control-Expose-Headers",
      "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date");
}

std::optional<http::Response> JudgeProtocol(const http::Request& request, const http::OriginList& origins,
                                            bool known_operation) {
  // Not only hidden from the page: a name that its owner points at this machine needs no preflight.
  if (!origins.Allows(request.headers.Get("Origin"))) return Raw(403, std::string(kOriginRefused), "");
  if (request.method == "OPTIONS" && request.headers.Has("Origin")) {
    http::Response response;
    response.headers.Set("Access-Control-Max-Age", "172800");
    const std::string_view headers = request.headers.Get("Access-Control-Request-Headers");
    if (!headers.empty()) response.headers.Set("Access-Control-Allow-Headers", std::string(headers));
    const std::string_view method = request.headers.Get("Access-Control-Request-Method");
    if (!method.empty()) response.headers.Set("Access-Control-Allow-Methods", std::string(method));
    return response;
  }
  if (request.method != "POST") return Raw(403, std::string(kAccessDenied), "");
  std::string_view type = request.headers.Get("Content-Type");
  type = Trim(type.substr(0, type.find(';')));
  if (request.body.empty()) {
    return FaultAnswer({known_operation ? wire::FaultName::kSerializationException
                                        : wire::FaultName::kUnknownOperationException,
                        ""},
                       FormatOf(request));
  }
  if (wire::FindFormat(type)) return std::nullopt;
  if (type == "application/json") return PlainJsonAnswer(request);
  if (!HasTarget(request)) return Raw(403, std::string(kAccessDenied), "");
  return Raw(404, "<UnknownOperationException/>\n", "");
}

std::optional<wire::Fault> JudgeAuthorization(const http::Request& request) {
  using enum wire::FaultName;
  const std::string_view header = Trim(request.headers.Get("Authorization"));
  const bool by_query = request.Query("X-Amz-Algorithm") != nullptr;
  if (!header.empty() && by_query) {
    return wire::Fault{
        kInvalidSignatureException,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."};
  }
  if (by_query) {
    std::string missing;
    for (const char* name :
         {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"}) {
      const std::string* value = request.Query(name);
      if (value == nullptr || value->empty()) {
        missing.append("AWS query-string parameters must include '").append(name).append("'. ");
      }
    }
    if (missing.empty()) return std::nullopt;
    return wire::Fault{kIncompleteSignatureException, missing + "Re-examine the query-string parameters."};
  }
  if (header.empty()) {
    return wire::Fault{kMissingAuthenticationTokenException, "Missing Authentication Token"};
  }
  std::string missing;
  for (const char* name : {"Credential", "Signature", "SignedHeaders"}) {
    // "Signature=" must not be found inside another word.
    const std::string parameter = std::string(name) + "=";
    bool found = false;
    for (std::size_t at = header.find(parameter); at != std::string_view::npos && !found;
         at = header.find(parameter, at + 1)) {
      found = at > 0 && (header[at - 1] == ' ' || header[at - 1] == ',');
    }
    if (!found) missing.append("Authorization header requires '").append(name).append("' parameter. ");
  }
  if (!request.headers.Has("X-Amz-Date") && !request.headers.Has("Date")) {
    missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
  }
  if (missing.empty()) return std::nullopt;
  return wire::Fault{kIncompleteSignatureException, missing.append("Authorization=").append(header)};
}

wire::Format FormatOf(const http::Request& request) {
  return wire::FindFormat(request.headers.Get("Content-Type")).value_or(wire::Format::kCbor);
}

http::Response Answer(std::string json, wire::Format format) {
  Result<std::string> body = wire::EncodeBody(std::move(json), format);
  if (!body.ok()) {
    LOG_LIMITED(error, "answer cannot be encoded", {"error", body.error()});
    return FaultAnswer({wire::FaultName::kInternalFailure, ""}, format);
  }
  return Raw(200, std::move(*body), wire::ContentType(format));
}

http::Response FaultAnswer(const wire::Fault& fault, wire::Format format) {
  const wire::FaultTraits& traits = wire::TraitsOf(fault.name);
  http::Response response = Raw(traits.status, wire::FaultBody(fault, format), wire::ContentType(format));
  response.headers.Set("x-amzn-ErrorType", std::string(traits.name));
  return response;
}

}  // namespace honryu::api::kinesis
