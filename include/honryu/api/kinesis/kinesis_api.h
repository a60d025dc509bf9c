#pragma once

#include "honryu/async/task.h"
#include "honryu/auth/access_key.h"
#include "honryu/base/time.h"
#include "honryu/broker/broker.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::api::kinesis {

struct KinesisApiConfig {
  std::string account_id = "000000000000";  ///< 12 digits; stands in ARNs and messages.
  std::string region = "us-east-1";         ///< Stands in ARNs.
  /// Who may do what. Empty: any signature is taken. Else each request must be signed by one of the keys
  /// (Signature Version 4) and one of its rules must allow the action on the streams it names. Must have
  /// passed auth::ValidateKeys.
  std::vector<auth::AccessKey> access_keys;
  /// With access_keys: whether a signature may leave out the body (UNSIGNED-PAYLOAD); Kinesis refuses that.
  bool allow_unsigned_payload = false;
  /// Without access_keys. False: unsigned requests are taken. True: the presence and form of a signature are
  /// checked as Kinesis does; the signature itself is not verified.
  bool require_auth_header = false;
  /// Whose pages may call (http::OriginList says the forms); pages of others get 403. Empty: all with
  /// access_keys, for a page has no key unless its user gave it one; else none, because anybody's page in the
  /// browser of somebody who reaches the port could delete streams.
  std::vector<std::string> cors_origins;
  std::uint64_t max_request_bytes = 10 << 20;  ///< Data and keys of one PutRecords call.
  /// Of answers to GetRecords, until they are sent. Close to it they bring fewer records each.
  std::uint64_t max_answer_memory = 256 << 20;
  Duration subscription_life = std::chrono::minutes(5);  ///< Then SubscribeToShard's answer ends.
};

/// Answers the Kinesis API. Thread-safe: holds no state between requests but metrics and who is
/// subscribed; runs on the caller's executor and never blocks it. Errors of the broker become Kinesis's:
/// kOverloaded is ProvisionedThroughputExceededException; kUnavailable (disk full), kDeadlineExceeded and
/// kCancelled are ServiceUnavailable with status 503 and the reason in the message, which every AWS SDK
/// retries, as entries of a PutRecords answer InternalFailure.
class KinesisApi {
 public:
  /// References must outlive the object.
  KinesisApi(KinesisApiConfig config, broker::Broker& broker, const Clock& clock, obs::Registry& metrics);
  ~KinesisApi();
  KinesisApi(const KinesisApi&) = delete;
  KinesisApi& operator=(const KinesisApi&) = delete;

  /// Answers one request, whatever its path and method.
  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::kinesis
