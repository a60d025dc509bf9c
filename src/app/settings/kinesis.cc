#include "app/settings/describe.h"
#include "honryu/http/origin_list.h"

namespace honryu::app {
namespace {

using config::Section;

void DescribeAllowRule(auth::AllowRule& rule, Section& section) {
  section.Field(
      "actions", &rule.actions,
      {.doc = "Operations, with * and ?; for instance PutRecord*, dynamodb:*, cloudwatch:PutMetricData."});
  section.Field("streams", &rule.streams,
                {.doc = "Names of streams, and of tables for dynamodb: actions, with * and ?."});
}

void DescribeAccessKey(auth::AccessKey& key, Section& section) {
  section.Field("id", &key.id, {.doc = "The access key id.", .required = true});
  section.Field("secret", &key.secret,
                {.doc = "The secret access key, 16 characters at least.", .secret = true, .required = true});
  section.List("allow", &key.allow, {.doc = "What it may do; empty: everything."}, DescribeAllowRule);
}

}  // namespace

void DescribeKinesis(Settings& settings, Section& section) {
  DescribeListener(settings.kinesis, section);
  section.Field("account_id", &settings.kinesis_api.account_id, {.doc = "12 digits that stand in ARNs."},
                {.min_length = 12, .max_length = 12});
  section.Field("region", &settings.kinesis_api.region, {.doc = "Region that stands in ARNs."});
  section.Field("require_auth_header", &settings.kinesis_api.require_auth_header,
                {.doc = "Without access_keys: refuse unsigned requests (signatures are not verified)."});
  section.List("access_keys", &settings.kinesis_api.access_keys,
               {.doc = "Who may call; empty: everybody who reaches the port, with any signature."},
               DescribeAccessKey);
  section.Field("allow_unsigned_payload", &settings.kinesis_api.allow_unsigned_payload,
                {.doc = "With access_keys: take signatures that leave out the body (UNSIGNED-PAYLOAD)."});
  section.Field(
      "cors_origins", &settings.kinesis_api.cors_origins,
      {.doc = "Web origins whose pages may call: \"*\", \"loopback\" or exact ones; empty: any with "
              "access_keys, else none.",
       .example = "[https://app.example.com]"});
  section.Check([&settings] { return auth::ValidateKeys(settings.kinesis_api.access_keys); });
  section.Check([&settings]() -> Result<void> {
    for (const std::string& origin : settings.kinesis_api.cors_origins) {
      if (const Result<void> good = http::OriginList::CheckPattern(origin); !good.ok())
        return good.error().WithContext("kinesis.cors_origins");
    }
    return Ok();
  });
}

}  // namespace honryu::app
