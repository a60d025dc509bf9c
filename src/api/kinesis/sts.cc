#include "api/kinesis/access.h"
#include "api/kinesis/impl.h"

// One operation of another AWS service: GetCallerIdentity of the Security Token Service (AWS STS API
// reference, query protocol, version 2011-06-15). The Kinesis Producer Library asks it for the account when
// it starts, to make the stream's ARN, and does not start without an answer.
namespace honryu::api::kinesis {

using wire::Fault;
using wire::FaultName;

namespace {

constexpr std::string_view kNamespace = "https://sts.amazonaws.com/doc/2011-06-15/";

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

http::Response Xml(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.Set("Content-Type", "text/xml");
  response.body = Bytes(std::move(body));
  return response;
}

// Names of the query protocol, as this service gives them.
std::string_view CodeOf(FaultName name) {
  if (name == FaultName::kMissingAuthenticationTokenException) return "MissingAuthenticationToken";
  if (name == FaultName::kIncompleteSignatureException) return "IncompleteSignature";
  if (name == FaultName::kUnrecognizedClientException) return "InvalidClientTokenId";
  return "SignatureDoesNotMatch";
}

bool AsksForIdentity(BytesView form) {
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    if (form.substr(0, end) == "Action=GetCallerIdentity") return true;
    form.remove_prefix(end == BytesView::npos ? form.size() : end + 1);
  }
  return false;
}

}  // namespace

std::optional<http::Response> KinesisApi::Impl::CallerIdentity(const http::Request& request) const {
  const std::string_view type = request.headers.Get("Content-Type");
  if (request.method != "POST" || !type.starts_with("application/x-www-form-urlencoded") ||
      request.headers.Has("X-Amz-Target") || !AsksForIdentity(request.body)) {
    return std::nullopt;
  }
  auth::Verified identity;
  std::optional<Fault> fault;
  if (sts_verifier) fault = Authenticate(*sts_verifier, request, clock.Now(), identity);
  if (fault) {
    std::string body = "<ErrorResponse xmlns=\"";
    body.append(kNamespace).append("\"><Error><Type>Sender</Type><Code>").append(CodeOf(fault->name));
    body.append("</Code><Message>").append(Escaped(fault->message)).append("</Message></Error><RequestId>");
    body.append(request.request_id).append("</RequestId></ErrorResponse>");
    return Xml(403, std::move(body));
  }
  const std::string who = identity.key != nullptr ? "user/" + identity.key->id : "root";
  std::string body = "<GetCallerIdentityResponse xmlns=\"";
  body.append(kNamespace).append("\"><GetCallerIdentityResult><Arn>arn:aws:iam::").append(config.account_id);
  body.append(":").append(who).append("</Arn><UserId>");
  body.append(identity.key != nullptr ? identity.key->id : config.account_id).append("</UserId><Account>");
  body.append(config.account_id).append("</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>");
  body.append(request.request_id).append("</RequestId></ResponseMetadata></GetCallerIdentityResponse>");
  return Xml(200, std::move(body));
}

}  // namespace honryu::api::kinesis
