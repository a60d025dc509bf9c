#pragma once

#include "honryu/async/task.h"
#include "honryu/auth/access_key.h"
#include "honryu/base/time.h"
#include "honryu/http/message.h"
#include "honryu/obs/metrics.h"
#include "honryu/tables/table_store.h"

#include <memory>
#include <string>
#include <vector>

namespace honryu::api::dynamodb {

struct DynamoDbApiConfig {
  std::string account_id = "000000000000";  ///< 12 digits; stands in ARNs.
  std::string region = "us-east-1";         ///< Stands in ARNs.
  /// As KinesisApiConfig::access_keys; the rules' actions are "dynamodb:GetItem", their streams are tables.
  std::vector<auth::AccessKey> access_keys;
  bool allow_unsigned_payload = false;    ///< As KinesisApiConfig.
  bool require_auth_header = false;       ///< As KinesisApiConfig.
  std::vector<std::string> cors_origins;  ///< As KinesisApiConfig.
};

/// Answers the part of the DynamoDB API (2012-08-10, JSON 1.0) that client libraries use which keep leases in
/// it: the Kinesis Client Library 2 and 3, the DynamoDB lock client. Thread-safe: holds no state between
/// requests but metrics; runs on the caller's executor and does not block it.
class DynamoDbApi {
 public:
  /// References must outlive the object.
  DynamoDbApi(DynamoDbApiConfig config, tables::TableStore& store, const Clock& clock,
              obs::Registry& metrics);
  ~DynamoDbApi();
  DynamoDbApi(const DynamoDbApi&) = delete;
  DynamoDbApi& operator=(const DynamoDbApi&) = delete;

  /// Whether a request is one for this API (by X-Amz-Target).
  static bool Takes(const http::Request& request);
  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::api::dynamodb
