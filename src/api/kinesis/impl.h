#pragma once

#include "api/kinesis/answer_memory.h"
#include "api/kinesis/operation_quotas.h"
#include "api/kinesis/shared_events.h"
#include "api/kinesis/subscriptions.h"
#include "honryu/api/kinesis/kinesis_api.h"
#include "honryu/auth/sigv4.h"
#include "honryu/codec/json.h"
#include "honryu/http/origin_list.h"
#include "honryu/wire/format.h"
#include "honryu/wire/kinesis.h"
#include "honryu/wire/manage.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::kinesis {

/// A finished operation: a body (empty: the empty result) or a fault.
struct Outcome {
  std::string body;
  std::optional<wire::Fault> fault;
  std::shared_ptr<AnswerMemory::Share> memory = nullptr;  ///< Of the body; null: it is small.

  static Outcome Of(std::string json) { return Outcome{std::move(json), std::nullopt}; }
  static Outcome Failed(wire::Fault fault) { return Outcome{{}, std::move(fault)}; }
};

/// The page of a listing that a NextToken stands for. Text outside; it reveals nothing and permits nothing
/// that the caller could not ask for by name, so it is not authenticated.
struct PageToken {
  Timestamp issued;
  std::string stream;             ///< ListShards: the stream. ListStreams: empty.
  std::uint64_t incarnation = 0;  ///< ListShards.
  std::string after;              ///< The last name or shard id given out.
  wire::ShardFilter filter;       ///< ListShards.
};
std::string EncodePageToken(const PageToken& token);
/// The place, or the fault for a token that is broken or older than 300 s.
std::optional<wire::Fault> DecodePageToken(std::string_view text, Timestamp now, PageToken& out);

struct Metrics {
  explicit Metrics(obs::Registry& registry);
  /// `operation`: nullopt for requests that name none. `status`: "ok" or a fault's name.
  void Count(std::optional<wire::Operation> operation, std::string_view status, Duration took);

  obs::Registry& registry;
  std::array<obs::Counter, wire::kOperationCount> ok;
  std::array<obs::Histogram, wire::kOperationCount> seconds;
  obs::Counter put_successful, put_failed, put_throttled;
  obs::Gauge subscriptions;
  obs::Counter subscription_events, subscription_records, subscription_bytes;
};

struct KinesisApi::Impl {
  Impl(KinesisApiConfig config_in, broker::Broker& broker_in, const Clock& clock_in, obs::Registry& registry);

  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);
  async::Task<Outcome> Run(async::Context ctx, wire::Operation operation, const codec::Json& body);
  std::string QuotaScope(wire::Operation operation, const codec::Json& body) const;

  // streams.cc
  async::Task<Outcome> CreateStream(async::Context ctx, const codec::Json& body);
  async::Task<Outcome> DeleteStream(async::Context ctx, const codec::Json& body);
  Outcome DescribeStream(const codec::Json& body) const;
  Outcome DescribeStreamSummary(const codec::Json& body) const;
  Outcome ListStreams(const codec::Json& body) const;
  Outcome ListShards(const codec::Json& body) const;
  async::Task<Outcome> SetRetention(async::Context ctx, const codec::Json& body, wire::Operation operation);
  /// What Kinesis says when there would be too many shards, `more` of them new.
  wire::Fault ShardLimit(std::int64_t more) const;
  std::size_t OpenShards() const;
  // records.cc
  async::Task<Outcome> Put(async::Context ctx, wire::PutRecordsRequest request, bool single);
  std::optional<wire::Fault> CheckRecordSizes(const wire::PutRecordsRequest& request) const;
  async::Task<Outcome> GetShardIterator(async::Context ctx, const codec::Json& body);
  async::Task<Outcome> GetRecords(async::Context ctx, const codec::Json& body);
  struct StartPlace {
    broker::ShardPlace place;
    broker::Shard shard;
    std::optional<wire::Fault> fault;
    static StartPlace Failed(wire::Fault why) { return StartPlace{{}, {}, std::move(why)}; }
  };
  /// Where a reader that asks so begins; `counts` against the quota of asking for iterators.
  async::Task<StartPlace> FindStart(async::Context ctx, wire::GetShardIteratorRequest request, bool counts);
  // subscribe.cc
  async::Task<http::Response> SubscribeToShard(async::Context ctx, const codec::Json& body,
                                               wire::Format format);
  /// Sends events until the subscription ends; runs while its response is being streamed.
  async::Task<void> Deliver(std::shared_ptr<Subscription> subscription, http::BodyWriter& writer);
  /// Why the subscription sends nothing more: a newer one has taken its place, or its consumer is gone.
  std::optional<wire::Fault> WhyOver(const Subscription& subscription) const;
  wire::Fault AnotherActive(const Subscription& subscription) const;
  /// The event at the subscription's place, made here or by another subscriber; waits for records up to
  /// `wait`. Null: nothing is there yet, ask again.
  async::Task<Result<ShardEventPtr>> NextEvent(std::shared_ptr<Subscription> subscription, Duration wait);
  // resharding.cc
  async::Task<Outcome> Reshard(async::Context ctx, wire::ManageRequest request, wire::Operation operation);
  async::Task<Outcome> SplitShard(async::Context ctx, wire::ManageRequest request);
  async::Task<Outcome> MergeShards(async::Context ctx, wire::ManageRequest request);
  async::Task<Outcome> UpdateShardCount(async::Context ctx, wire::ManageRequest request);
  /// The fault for a stream whose shards cannot be changed now, or not by hand.
  std::optional<wire::Fault> CheckTarget(std::size_t open, std::int32_t target) const;
  std::optional<wire::Fault> CheckReshapable(const broker::Stream& stream) const;
  wire::Fault AlreadyClosed(const std::string& shard_id, const std::string& stream) const;
  // attributes.cc
  async::Task<Outcome> Manage(async::Context ctx, const codec::Json& body, wire::Operation operation);
  Outcome Show(const wire::ManageRequest& request, wire::Operation operation) const;
  std::optional<wire::Fault> FindKey(std::string_view asked, std::string* id) const;
  Outcome ShowConsumers(const wire::ManageRequest& request, const broker::Stream& stream) const;
  async::Task<Outcome> Attribute(async::Context ctx, wire::ManageRequest request, wire::Operation operation);
  async::Task<Outcome> RegisterConsumer(async::Context ctx, wire::ManageRequest request);
  /// Changes attributes; what `change` refuses, or the broker, comes back.
  async::Task<std::optional<wire::Fault>> Change(
      async::Context ctx, std::string stream,
      std::function<std::optional<wire::Fault>(broker::StreamAttributes&)> change);
  wire::Fault ConsumerNotFound(std::string_view consumer) const;
  wire::ConsumerShape ShapeOf(const broker::StreamConsumer& consumer, std::string_view stream) const;
  // leases.cc
  async::Task<Outcome> Lease(async::Context ctx, const codec::Json& body, wire::Operation operation);

  // sts.cc
  /// The answer to GetCallerIdentity; nullopt: the request is another one.
  std::optional<http::Response> CallerIdentity(const http::Request& request) const;

  // access.cc
  /// The streams that a request names, by name, ARN, iterator or page token.
  std::vector<std::string> StreamsOf(wire::Operation operation, const codec::Json& body) const;
  std::optional<wire::Fault> CheckAccess(const auth::AccessKey& key, wire::Operation operation,
                                         const std::vector<std::string>& streams) const;

  /// The fault for an ARN of another account: no stream of that name is there.
  std::optional<wire::Fault> CheckAccount(const wire::StreamSelector& stream) const;
  wire::Fault StreamNotFound(std::string_view stream) const;
  wire::Fault ShardMissing(std::string_view shard_id, std::string_view stream) const;
  wire::Fault NotActive(std::string_view stream, broker::StreamStatus status) const;
  /// A broker's error about a stream, in Kinesis's words.
  wire::Fault FaultOf(const Error& error, std::string_view stream) const;
  /// Text of ProvisionedThroughputExceededException for a kOverloaded.
  std::string RateExceeded(const Error& error, std::string_view stream) const;
  wire::PutResultShape PutShapeOf(const Result<broker::PutPlace>& result, std::string_view stream) const;
  wire::StreamShape ShapeOf(const broker::Stream& stream) const;
  std::string Account() const { return " under account " + config.account_id; }

  const KinesisApiConfig config;
  broker::Broker& broker;
  const Clock& clock;
  std::optional<auth::Verifier> verifier;      ///< Set when there are access keys.
  std::optional<auth::Verifier> sts_verifier;  ///< For signatures in the scope "sts"; likewise.
  const http::OriginList origins;
  wire::Limits limits;
  Metrics metrics;
  AnswerMemory answer_memory;
  Subscriptions subscriptions;
  std::optional<OperationQuotas> operation_quotas;  ///< Set with broker.quotas: aws.
  SharedEvents events;
};

std::string_view StatusName(broker::StreamStatus status);
wire::ShardShape ShapeOf(const broker::Shard& shard);
/// Everything but the next iterator. Its records point into `read`.
wire::GetRecordsAnswer AnswerOf(const broker::ReadResult& read);
/// The consumer that `resource` names; null pointer when there is none of its name and age. Const as the
/// attributes are.
template <class Attributes>
auto* FindConsumer(Attributes& attributes, const wire::ResourceSelector& resource) {
  decltype(attributes.consumers.data()) found = nullptr;
  for (auto& consumer : attributes.consumers) {
    const bool same_age =
        !resource.created || ToMs(*resource.created) / 1000 == ToMs(consumer.created) / 1000;
    if (consumer.name == resource.consumer && same_age) found = &consumer;
  }
  return found;
}

}  // namespace honryu::api::kinesis
