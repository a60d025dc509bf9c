#pragma once

#include "honryu/async/task.h"
#include "honryu/auth/access_key.h"
#include "honryu/base/time.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace honryu::api::cloudwatch {

struct CloudWatchApiConfig {
  /// As KinesisApiConfig::access_keys; the rules' action is "cloudwatch:PutMetricData", on the stream "*".
  std::vector<auth::AccessKey> access_keys;
  bool allow_unsigned_payload = false;    ///< As KinesisApiConfig.
  bool require_auth_header = false;       ///< As KinesisApiConfig.
  std::vector<std::string> cors_origins;  ///< As KinesisApiConfig.
  std::size_t max_series = 1000;          ///< Metrics, by name and dimensions; of more the data are dropped.
  Duration series_life = std::chrono::minutes(15);  ///< A metric goes that long after its last datum.
};

/// Takes the metrics that client libraries send to CloudWatch (PutMetricData, in its three protocols: query,
/// JSON 1.0 and Smithy RPC v2 CBOR) and shows them among those of this process. Thread-safe; runs on the
/// caller's executor and does not block it.
class CloudWatchApi {
 public:
  /// References must outlive the object.
  CloudWatchApi(CloudWatchApiConfig config, const Clock& clock, obs::Registry& metrics);
  ~CloudWatchApi();
  CloudWatchApi(const CloudWatchApi&) = delete;
  CloudWatchApi& operator=(const CloudWatchApi&) = delete;

  /// Whether a request is one for this API.
  static bool Takes(const http::Request& request);
  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::cloudwatch
