#include "api/dynamodb/impl.h"

#include <utility>

// What can be set on a table beside its shape: tags, time to live, backups.
namespace honryu::api::dynamodb {

using codec::Json;
using codec::JsonWriter;
using tables::TableDescription;

namespace {

constexpr std::size_t kMaxTags = 50;

bool IsTagging(Operation operation) {
  return operation == Operation::kTagResource || operation == Operation::kUntagResource ||
         operation == Operation::kListTagsOfResource;
}

Result<std::string> ReadTarget(Operation operation, const Members& request) {
  return ReadTableName(request, IsTagging(operation) ? "ResourceArn" : "TableName");
}

Result<void> ChangeTags(const Members& request, bool add, TableDescription& table) {
  if (add) {
    HONRYU_TRY(const Json::Array* const tags, request.List("Tags"));
    for (const Json& tag : *tags) {
      HONRYU_TRY(const std::string key, Members(tag).Text("Key"));
      HONRYU_TRY(table.tags[key], Members(tag).Text("Value"));
    }
  } else {
    HONRYU_TRY(const std::vector<std::string> keys, request.Texts("TagKeys"));
    for (const std::string& key : keys) table.tags.erase(key);
  }
  if (table.tags.size() > kMaxTags) return Wrong("One or more parameter values were invalid: Too many tags");
  return Ok();
}

Result<void> ChangeTimeToLive(const Members& request, TableDescription& table) {
  HONRYU_TRY(const Json* const wanted, request.Object("TimeToLiveSpecification"));
  if (wanted == nullptr) {
    return Wrong(
        "1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: "
        "Member must not be null");
  }
  HONRYU_TRY(const bool enabled, Members(*wanted).Flag("Enabled", false));
  HONRYU_TRY(const std::string attribute, Members(*wanted).Text("AttributeName"));
  if (attribute.empty())
    return Wrong("One or more parameter values were invalid: AttributeName must not be empty");
  if (enabled && !table.ttl_attribute.empty()) return Wrong("TimeToLive is already enabled");
  if (!enabled && table.ttl_attribute.empty()) return Wrong("TimeToLive is already disabled");
  table.ttl_attribute = enabled ? attribute : std::string();
  return Ok();
}

Result<void> ChangeBackups(const Members& request, TableDescription& table) {
  HONRYU_TRY(const Json* const wanted, request.Object("PointInTimeRecoverySpecification"));
  if (wanted == nullptr) {
    return Wrong(
        "1 validation error detected: Value null at 'pointInTimeRecoverySpecification' failed to satisfy "
        "constraint: Member must not be null");
  }
  HONRYU_TRY(table.point_in_time_recovery, Members(*wanted).Flag("PointInTimeRecoveryEnabled", false));
  return Ok();
}

std::string BackupsBody(const TableDescription& table) {
  std::string out = R"({"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED",)";
  out.append(R"("PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":")");
  return out.append(table.point_in_time_recovery ? "ENABLED" : "DISABLED").append(R"("}}})");
}

}  // namespace

async::Task<Outcome> DynamoDbApi::Impl::ChangeSetting(async::Context ctx, Operation operation,
                                                      const Json& body) {
  const Result<std::string> name = ReadTarget(operation, Members(body));
  if (!name.ok()) co_return Refuse(name.error());
  // The change runs on another thread, while this frame, and the body with it, may be gone.
  auto copy = std::make_shared<const Json>(body);
  std::function<Result<void>(TableDescription&)> change = [copy, operation](TableDescription& table) {
    const Members request(*copy);
    if (operation == Operation::kUpdateTimeToLive) return ChangeTimeToLive(request, table);
    if (operation == Operation::kUpdateContinuousBackups) return ChangeBackups(request, table);
    return ChangeTags(request, operation == Operation::kTagResource, table);
  };
  Result<TableDescription> changed = co_await store.Change(std::move(ctx), *name, std::move(change));
  if (!changed.ok()) co_return Refuse(changed.error());
  if (operation == Operation::kUpdateContinuousBackups) co_return Outcome::Of(BackupsBody(*changed));
  std::string out;
  if (operation == Operation::kUpdateTimeToLive) {
    JsonWriter json(out);
    json.BeginObject();
    json.Key("TimeToLiveSpecification");
    body.Find("TimeToLiveSpecification")->DumpTo(json);
    json.EndObject();
  }
  co_return Outcome::Of(std::move(out));
}

Outcome DynamoDbApi::Impl::ShowSetting(Operation operation, const Json& body) const {
  const Result<std::string> name = ReadTarget(operation, Members(body));
  if (!name.ok()) return Refuse(name.error());
  const Result<TableDescription> table = store.About(*name);
  if (!table.ok()) {
    return Refuse(
        Error(table.error().code(), "Requested resource not found: Table: " + *name + " not found"));
  }
  if (operation == Operation::kDescribeContinuousBackups) return Outcome::Of(BackupsBody(*table));
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  if (operation == Operation::kListTagsOfResource) {
    json.Key("Tags");
    json.BeginArray();
    for (const auto& [key, value] : table->tags) {
      json.BeginObject();
      json.Key("Key");
      json.String(key);
      json.Key("Value");
      json.String(value);
      json.EndObject();
    }
    json.EndArray();
  } else {
    json.Key("TimeToLiveDescription");
    json.BeginObject();
    json.Key("TimeToLiveStatus");
    json.PlainString(table->ttl_attribute.empty() ? "DISABLED" : "ENABLED");
    if (!table->ttl_attribute.empty()) {
      json.Key("AttributeName");
      json.String(table->ttl_attribute);
    }
    json.EndObject();
  }
  json.EndObject();
  return Outcome::Of(std::move(out));
}

}  // namespace honryu::api::dynamodb
