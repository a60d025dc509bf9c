#include "api/kinesis/access.h"

#include "api/kinesis/impl.h"
#include "honryu/wire/manage.h"

#include <algorithm>

namespace honryu::api::kinesis {

using codec::Json;
using wire::Fault;
using wire::FaultName;

namespace {

constexpr std::string_view kArnMembers[] = {"StreamARN", "ResourceARN", "ConsumerARN"};

// Operations on the account; the members that would name a stream mean nothing to them.
bool NamesNoStream(wire::Operation operation) {
  using enum wire::Operation;
  return operation == kListStreams || operation == kDescribeLimits || operation == kDescribeAccountSettings ||
         operation == kUpdateAccountSettings;
}

// "arn:aws:kinesis:region:account:stream/NAME" or "…/NAME/consumer/…" -> NAME; what is no such ARN stays
// whole, so that only a rule for all streams fits it.
std::string StreamOfArn(std::string_view arn) {
  const std::optional<wire::ResourceSelector> resource = wire::ParseResourceArn(arn);
  return resource ? resource->stream.name : std::string(arn);
}

std::string_view TextOf(const Json& body, std::string_view name) {
  const Json* value = body.Find(name);
  return value == nullptr ? std::string_view() : value->StringOr("");
}

}  // namespace

std::optional<Fault> Authenticate(const auth::Verifier& verifier, const http::Request& request, Timestamp now,
                                  auth::Verified& out) {
  const auth::RequestView view{request.method, request.target, request.headers.fields(),
                               request.signed_body()};
  return verifier.Verify(view, now, out);
}

std::vector<std::string> KinesisApi::Impl::StreamsOf(wire::Operation operation, const Json& body) const {
  std::vector<std::string> streams;
  if (NamesNoStream(operation)) return streams;
  const auto add = [&streams](std::string name) {
    if (!name.empty() && std::ranges::find(streams, name) == streams.end())
      streams.push_back(std::move(name));
  };
  add(std::string(TextOf(body, "StreamName")));
  for (const std::string_view member : kArnMembers) add(StreamOfArn(TextOf(body, member)));
  add(std::string(TextOf(body, "StreamId")));
  if (std::string_view token = TextOf(body, "ShardIterator"); !token.empty()) {
    if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
      token = token.substr(1, token.size() - 2);
    const Result<broker::ShardPlace> place = broker.DecodeIterator(token);
    if (place.ok()) add(place->stream);
  }
  if (const std::string_view token = TextOf(body, "NextToken"); !token.empty()) {
    PageToken page;
    if (!DecodePageToken(token, clock.Now(), page)) add(page.stream);
  }
  return streams;
}

std::optional<Fault> KinesisApi::Impl::CheckAccess(const auth::AccessKey& key, wire::Operation operation,
                                                   const std::vector<std::string>& streams) const {
  const std::string action(wire::OperationName(operation));
  if (auth::Allows(key, action, streams)) return std::nullopt;
  std::string resource = "*";
  const auto refused = std::ranges::find_if(
      streams, [&](const std::string& stream) { return !auth::Allows(key, action, {&stream, 1}); });
  if (refused != streams.end()) {
    resource = "arn:aws:kinesis:" + config.region + ":" + config.account_id + ":stream/" + *refused;
  }
  return Fault{FaultName::kAccessDeniedException,
               "User: arn:aws:iam::" + config.account_id + ":user/" + key.id +
                   " is not authorized to perform: kinesis:" + action + " on resource: " + resource +
                   " because no identity-based policy allows the kinesis:" + action + " action"};
}

}  // namespace honryu::api::kinesis
