#pragma once

#include "honryu/async/task.h"
#include "honryu/base/time.h"
#include "honryu/broker/broker.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"

#include <memory>
#include <string>

namespace honryu::api::kinesis {

struct KinesisApiConfig {
  std::string account_id = "000000000000";  ///< 12 digits; stands in ARNs and messages.
  std::string region = "us-east-1";         ///< Stands in ARNs.
  /// False: unsigned requests are taken. True: the presence and form of a signature are checked as Kinesis
  /// does; the signature itself is not verified.
  bool require_auth_header = false;
  std::uint64_t max_request_bytes = 10 << 20;  ///< Data and keys of one PutRecords call.
};

/// Answers the Kinesis API. Thread-safe: holds no state between requests but metrics; runs on the caller's
/// executor and never blocks it. Errors of the broker become Kinesis's: kOverloaded is
/// ProvisionedThroughputExceededException; kUnavailable (disk full), kDeadlineExceeded and kCancelled are
/// ServiceUnavailable with status 503 and the reason in the message, which every AWS SDK retries, as entries
/// of a PutRecords answer InternalFailure.
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
