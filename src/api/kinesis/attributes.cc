#include "api/kinesis/impl.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace honryu::api::kinesis {

using broker::StreamAttributes;
using broker::StreamConsumer;
using wire::Fault;
using wire::FaultName;
using wire::ManageRequest;
using wire::Operation;

namespace {

constexpr std::size_t kMaxTags = 50;
constexpr std::size_t kMaxConsumers = 20;
constexpr std::size_t kDefaultConsumerPage = 100;
constexpr std::size_t kDefaultTagPage = 10;

Fault Invalid(std::string message) { return Fault{FaultName::kInvalidArgumentException, std::move(message)}; }

// Letters, digits, blanks and _ . / = + - % @ : as Kinesis says; beyond ASCII everything from U+00C0 on.
bool IsTagText(std::string_view text) {
  static constexpr std::string_view kMarks = "_./=+-%@: ";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (plain || c >= 0xC3 || (c & 0xC0) == 0x80 || kMarks.find(text[i]) != std::string_view::npos) continue;
    return false;
  }
  return true;
}

std::optional<Fault> CheckTagTexts(const ManageRequest& request, const std::string& stream_account,
                                   bool remove) {
  const auto each = [&request](const auto& test) {
    return std::any_of(request.tags.begin(), request.tags.end(),
                       [&](const auto& tag) { return test(tag.first) || test(tag.second); }) ||
           std::any_of(request.tag_keys.begin(), request.tag_keys.end(), test);
  };
  if (each([](const std::string& text) { return !IsTagText(text); })) {
    return Invalid(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / "
        "= + "
        "- % @.");
  }
  if (each([](const std::string& text) { return text.find('%') != std::string::npos; })) {
    return Invalid(
        std::string("Failed to ") + (remove ? "remove tags from" : "add tags to") + " stream " +
        stream_account +
        " because some tags contained illegal characters. The allowed characters are Unicode letters, "
        "white-spaces, '_',',','/','=','+','-','@'.");
  }
  return std::nullopt;
}

}  // namespace

Fault KinesisApi::Impl::ConsumerNotFound(std::string_view consumer) const {
  return Fault{FaultName::kResourceNotFoundException,
               "Consumer " + std::string(consumer) + ", account " + config.account_id + " not found."};
}

wire::ConsumerShape KinesisApi::Impl::ShapeOf(const StreamConsumer& consumer, std::string_view stream) const {
  wire::ConsumerShape shape;
  shape.name = consumer.name;
  shape.created = consumer.created;
  shape.arn = "arn:aws:kinesis:" + config.region + ":" + config.account_id + ":stream/" +
              std::string(stream) + "/consumer/" + consumer.name + ":" +
              std::to_string(ToMs(consumer.created) / 1000);
  return shape;
}

async::Task<std::optional<Fault>> KinesisApi::Impl::Change(
    async::Context ctx, std::string stream, std::function<std::optional<Fault>(StreamAttributes&)> change) {
  const auto refused = std::make_shared<std::optional<Fault>>();
  const auto apply = [refused, change = std::move(change)](StreamAttributes& attributes) -> Result<void> {
    *refused = change(attributes);
    if (*refused) return Error(ErrorCode::kInvalidArgument, (*refused)->message);
    return Ok();
  };
  const Result<void> changed = co_await broker.ChangeAttributes(std::move(ctx), stream, apply);
  if (*refused) co_return *refused;
  if (!changed.ok()) co_return FaultOf(changed.error(), stream);
  co_return std::nullopt;
}

async::Task<Outcome> KinesisApi::Impl::Manage(async::Context ctx, const codec::Json& body,
                                              Operation operation) {
  ManageRequest request;
  std::optional<Fault> fault = wire::ParseManageRequest(body, operation, request);
  if (!fault) fault = CheckAccount(request.resource.stream);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  Outcome outcome;
  switch (operation) {
    case Operation::kSplitShard:
    case Operation::kMergeShards:
    case Operation::kUpdateShardCount:
      outcome = co_await Reshard(std::move(ctx), std::move(request), operation);
      break;
    case Operation::kListTagsForStream:
    case Operation::kListTagsForResource:
    case Operation::kDescribeStreamConsumer:
    case Operation::kListStreamConsumers:
    case Operation::kGetResourcePolicy:
    case Operation::kDescribeLimits:
    case Operation::kDescribeAccountSettings:
    case Operation::kUpdateAccountSettings:
      outcome = Show(request, operation);
      break;
    case Operation::kRegisterStreamConsumer:
      outcome = co_await RegisterConsumer(std::move(ctx), std::move(request));
      break;
    default:
      outcome = co_await Attribute(std::move(ctx), std::move(request), operation);
      break;
  }
  co_return outcome;
}

// Operations that only look, and those that can only say that there is nothing to change.
Outcome KinesisApi::Impl::Show(const ManageRequest& request, Operation operation) const {
  if (operation == Operation::kDescribeLimits) {
    std::size_t on_demand = 0;
    for (const broker::StreamSnapshot& stream : broker.Snapshots()) {
      on_demand += stream->attributes.mode == broker::StreamMode::kOnDemand ? 1 : 0;
    }
    const auto most_streams = static_cast<std::size_t>(broker.config().max_streams);
    const auto most_shards = static_cast<std::size_t>(broker.config().max_shards_per_stream);
    return Outcome::Of(wire::LimitsBody(most_streams * most_shards, OpenShards(), on_demand, most_streams));
  }
  if (operation == Operation::kUpdateAccountSettings && request.commitment)
    return Outcome::Failed(Invalid("There is no billing here, so there is no commitment to enable."));
  if (operation == Operation::kDescribeAccountSettings || operation == Operation::kUpdateAccountSettings)
    return Outcome::Of(wire::AccountSettingsBody(false));

  const std::string& name = request.resource.stream.name;
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  const StreamAttributes& attributes = stream.attributes;
  const StreamConsumer* consumer = nullptr;
  if (!request.resource.consumer.empty()) {
    consumer = FindConsumer(attributes, request.resource);
    if (consumer == nullptr) return Outcome::Failed(ConsumerNotFound(request.resource.consumer));
  }
  if (operation == Operation::kDescribeStreamConsumer)
    return Outcome::Of(wire::DescribedConsumerBody(ShapeOf(*consumer, name), ShapeOf(stream).arn));
  if (operation == Operation::kListStreamConsumers) return ShowConsumers(request, stream);
  if (operation == Operation::kGetResourcePolicy)
    return Outcome::Of(wire::PolicyBody(consumer != nullptr ? consumer->policy : attributes.policy));
  // Tags: a page of them for the older operation, all for the newer.
  std::vector<std::pair<std::string, std::string>> tags;
  std::optional<bool> more;
  const bool paged = operation == Operation::kListTagsForStream;
  if (paged) more = false;
  const std::size_t most = request.limit > 0 ? static_cast<std::size_t>(request.limit) : kDefaultTagPage;
  for (const auto& [key, value] : consumer != nullptr ? consumer->tags : attributes.tags) {
    if (paged && key <= request.exclusive_start_tag_key && !request.exclusive_start_tag_key.empty()) continue;
    if (paged && tags.size() == most) {
      more = true;
      break;
    }
    tags.emplace_back(key, value);
  }
  return Outcome::Of(wire::TagsBody(tags, more));
}

Outcome KinesisApi::Impl::ShowConsumers(const ManageRequest& request, const broker::Stream& stream) const {
  PageToken token;
  if (!request.next_token.empty()) {
    if (auto fault = DecodePageToken(request.next_token, clock.Now(), token))
      return Outcome::Failed(std::move(*fault));
    if (token.stream != stream.name) return Outcome::Failed(Invalid("Invalid NextToken."));
  }
  const std::size_t most = request.limit > 0 ? static_cast<std::size_t>(request.limit) : kDefaultConsumerPage;
  std::vector<wire::ConsumerShape> shapes;
  std::string next;
  for (const StreamConsumer& consumer : stream.attributes.consumers) {
    if (consumer.name <= token.after) continue;
    if (shapes.size() == most) {
      token.issued = clock.Now();
      token.stream = stream.name;
      token.incarnation = stream.incarnation;
      token.after = shapes.back().name;
      next = EncodePageToken(token);
      break;
    }
    shapes.push_back(ShapeOf(consumer, stream.name));
  }
  return Outcome::Of(wire::ConsumersBody(shapes, next));
}

async::Task<Outcome> KinesisApi::Impl::RegisterConsumer(async::Context ctx, ManageRequest request) {
  const std::string stream = request.resource.stream.name;
  StreamConsumer consumer;
  consumer.name = request.resource.consumer;
  // Whole seconds, as in its ARN.
  consumer.created = TimestampFromMs(ToMs(clock.Now()) / 1000 * 1000);
  consumer.tags.insert(request.tags.begin(), request.tags.end());
  const std::string account = Account();
  std::optional<Fault> fault = co_await Change(
      std::move(ctx), stream,
      [consumer, stream, account](StreamAttributes& attributes) -> std::optional<Fault> {
        const auto place = std::lower_bound(
            attributes.consumers.begin(), attributes.consumers.end(), consumer.name,
            [](const StreamConsumer& have, const std::string& name) { return have.name < name; });
        if (place != attributes.consumers.end() && place->name == consumer.name) {
          return Fault{FaultName::kResourceInUseException, "Consumer " + consumer.name + " under stream " +
                                                               stream + account + " already exists."};
        }
        if (attributes.consumers.size() >= kMaxConsumers) {
          return Fault{FaultName::kLimitExceededException, "Stream " + stream + account + " has " +
                                                               std::to_string(kMaxConsumers) +
                                                               " consumers, and may not have more."};
        }
        attributes.consumers.insert(place, consumer);
        return std::nullopt;
      });
  if (fault) co_return Outcome::Failed(std::move(*fault));
  co_return Outcome::Of(wire::RegisteredConsumerBody(ShapeOf(consumer, stream)));
}

// A key by its id, by the ARN of it, or by the alias that AWS gives its own key, which stands for the first.
std::optional<Fault> KinesisApi::Impl::FindKey(std::string_view asked, std::string* id) const {
  const std::vector<std::string> known =
      broker.config().keys == nullptr ? std::vector<std::string>() : broker.config().keys->ids();
  if (known.empty()) {
    return Invalid(
        "This server has no keys to encrypt with: configure storage.encryption_keys, or put its data "
        "directory "
        "on an encrypted file system.");
  }
  std::string_view wanted = asked;
  if (wanted.starts_with("arn:")) {
    wanted.remove_prefix(wanted.rfind(':') + 1);
    if (wanted.starts_with("key/")) wanted.remove_prefix(4);
  }
  for (const std::string& one : known) {
    if (one != asked && one != wanted) continue;
    *id = one;
    return std::nullopt;
  }
  if (wanted != "alias/aws/kinesis")
    return Fault{FaultName::kKMSNotFoundException, "Key '" + std::string(asked) + "' does not exist"};
  *id = known.front();
  return std::nullopt;
}

async::Task<Outcome> KinesisApi::Impl::Attribute(async::Context ctx, ManageRequest request,
                                                 Operation operation) {
  const std::string name = request.resource.stream.name;
  const Result<broker::StreamSnapshot> found = broker.Snapshot(name);
  if (!found.ok()) co_return Outcome::Failed(FaultOf(found.error(), name));
  const broker::Stream& stream = **found;
  const std::string stream_account = name + Account();
  const bool adds_tags = operation == Operation::kAddTagsToStream || operation == Operation::kTagResource;
  const bool removes_tags =
      operation == Operation::kRemoveTagsFromStream || operation == Operation::kUntagResource;
  std::optional<Fault> fault;
  if (adds_tags || removes_tags) fault = CheckTagTexts(request, stream_account, removes_tags);
  if (operation == Operation::kUpdateMaxRecordSize &&
      static_cast<std::uint64_t>(request.max_record_kib) * 1024 > limits.max_record_bytes) {
    fault = Invalid("MaxRecordSizeInKiB may be at most " + std::to_string(limits.max_record_bytes / 1024) +
                    ", the record size that this server is configured for.");
  }
  if (operation == Operation::kUpdateStreamWarmThroughput &&
      stream.attributes.mode != broker::StreamMode::kOnDemand) {
    fault = Fault{FaultName::kValidationException,
                  "Request is invalid. Stream " + stream_account + " is not in On-Demand mode."};
  }
  std::string encryption_key;
  if (operation == Operation::kStartStreamEncryption) fault = FindKey(request.key_id, &encryption_key);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  const Fault missing = ConsumerNotFound(request.resource.consumer);
  const auto before = std::make_shared<std::pair<std::uint32_t, std::uint32_t>>();
  const auto change = [request, operation, missing, stream_account, adds_tags, removes_tags, before,
                       encryption_key](StreamAttributes& attributes) -> std::optional<Fault> {
    StreamConsumer* consumer = nullptr;
    if (!request.resource.consumer.empty()) {
      consumer = FindConsumer(attributes, request.resource);
      if (consumer == nullptr) return missing;
    }
    std::map<std::string, std::string>& tags = consumer != nullptr ? consumer->tags : attributes.tags;
    std::string& policy = consumer != nullptr ? consumer->policy : attributes.policy;
    if (adds_tags) {
      for (const auto& [key, value] : request.tags) tags[key] = value;
      if (tags.size() > kMaxTags) {
        return Invalid("Failed to add tags to stream " + stream_account +
                       " because a given stream cannot have more than " + std::to_string(kMaxTags) +
                       " tags associated with it.");
      }
    }
    if (removes_tags) {
      for (const std::string& key : request.tag_keys) tags.erase(key);
    }
    before->first = attributes.monitored;
    if (operation == Operation::kEnableEnhancedMonitoring) attributes.monitored |= request.metrics;
    if (operation == Operation::kDisableEnhancedMonitoring) attributes.monitored &= ~request.metrics;
    before->second = attributes.monitored;
    if (operation == Operation::kUpdateStreamMode) {
      attributes.mode = request.on_demand ? broker::StreamMode::kOnDemand : broker::StreamMode::kProvisioned;
    }
    if (request.warm_mibps)
      attributes.warm_throughput_mibps = static_cast<std::uint32_t>(*request.warm_mibps);
    if (operation == Operation::kUpdateMaxRecordSize)
      attributes.max_record_kib = static_cast<std::uint32_t>(request.max_record_kib);
    if (operation == Operation::kStartStreamEncryption || operation == Operation::kStopStreamEncryption)
      attributes.encryption_key = encryption_key;
    if (operation == Operation::kPutResourcePolicy) policy = request.policy;
    if (operation == Operation::kDeleteResourcePolicy) {
      if (policy.empty()) return Fault{FaultName::kResourceNotFoundException, "No resource policy is set."};
      policy.clear();
    }
    if (operation == Operation::kDeregisterStreamConsumer) {
      std::erase_if(attributes.consumers,
                    [&request](const StreamConsumer& one) { return one.name == request.resource.consumer; });
    }
    return std::nullopt;
  };
  fault = co_await Change(std::move(ctx), name, change);
  if (fault) co_return Outcome::Failed(std::move(*fault));
  if (operation == Operation::kEnableEnhancedMonitoring || operation == Operation::kDisableEnhancedMonitoring)
    co_return Outcome::Of(wire::MonitoringBody(ShapeOf(stream), before->first, before->second));
  if (operation == Operation::kUpdateStreamWarmThroughput)
    co_return Outcome::Of(wire::WarmThroughputBody(ShapeOf(stream), request.warm_mibps.value_or(0)));
  co_return Outcome();
}

}  // namespace honryu::api::kinesis
