#include "api/dynamodb/impl.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using codec::JsonWriter;
using tables::Item;

namespace {

constexpr std::size_t kMaxBatchKeys = 100;
constexpr std::size_t kMaxBatchBytes = 16 << 20;  // DynamoDB's
constexpr double kReadUnit = 4096;

double ReadUnits(std::size_t bytes, bool consistent) {
  return std::max(1.0, std::ceil(static_cast<double>(bytes) / kReadUnit)) * (consistent ? 1 : 0.5);
}

struct Get {
  std::string table;
  Item key;
  std::optional<std::vector<tables::Path>> projection;
  bool consistent = false;
};

Result<Get> ReadGet(const Members& request) {
  Get get;
  HONRYU_TRY(get.table, ReadTableName(request));
  HONRYU_TRY(get.key, request.RequiredItem("Key"));
  HONRYU_TRY_VOID(CheckNotMixed(request));
  HONRYU_TRY(tables::Substitutions substitutions, ReadSubstitutions(request));
  HONRYU_TRY(get.projection, ReadProjection(request, substitutions));
  HONRYU_TRY_VOID(substitutions.CheckAllUsed());
  HONRYU_TRY(get.consistent, request.Flag("ConsistentRead", false));
  return get;
}

struct PageRequest {
  tables::ReadRequest read;
  std::optional<std::vector<tables::Path>> projection;
  bool count_only = false;
  bool consistent = false;
};

Result<void> ReadSegments(const Members& request, tables::ReadRequest& read) {
  HONRYU_TRY(const std::optional<std::int64_t> segment, request.Number("Segment"));
  HONRYU_TRY(const std::optional<std::int64_t> segments, request.Number("TotalSegments"));
  if (!segment && !segments) return Ok();
  if (!segment) {
    return Wrong(
        "The Segment parameter is required but was not present in the request when parameter TotalSegments "
        "is "
        "present");
  }
  if (!segments) {
    return Wrong(
        "The TotalSegments parameter is required but was not present in the request when Segment parameter "
        "is "
        "present");
  }
  if (*segments < 1 || *segments > 1000000 || *segment < 0 || *segment >= *segments) {
    return Wrong(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: " +
        std::to_string(*segment) + " is not less than TotalSegments: " + std::to_string(*segments));
  }
  read.segment = static_cast<std::uint32_t>(*segment);
  read.segments = static_cast<std::uint32_t>(*segments);
  return Ok();
}

Result<std::optional<tables::Condition>> ReadFilter(const Members& request, bool query,
                                                    tables::Substitutions& substitutions) {
  if (!request.Has("FilterExpression"))
    return ReadLegacyConditions(request, query ? "QueryFilter" : "ScanFilter");
  HONRYU_TRY(const std::string text, request.Text("FilterExpression"));
  HONRYU_TRY(tables::Condition filter, tables::ParseCondition(text, substitutions, "FilterExpression"));
  return std::optional<tables::Condition>(std::move(filter));
}

Result<tables::KeyCondition> ReadKeys(const Members& request, const tables::KeySchema& schema,
                                      tables::Substitutions& substitutions) {
  const std::string range = schema.range ? schema.range->name : std::string();
  if (request.Has("KeyConditionExpression")) {
    HONRYU_TRY(const std::string text, request.Text("KeyConditionExpression"));
    HONRYU_TRY(const tables::Condition condition,
               tables::ParseCondition(text, substitutions, "KeyConditionExpression"));
    return tables::KeyConditionOf(condition, schema.hash.name, range);
  }
  HONRYU_TRY(const std::optional<tables::Condition> legacy, ReadLegacyConditions(request, "KeyConditions"));
  if (!legacy) {
    return Wrong(
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.");
  }
  tables::Condition all = *legacy;
  all.op = tables::Condition::Op::kAnd;  // ConditionalOperator is QueryFilter's
  return tables::KeyConditionOf(all, schema.hash.name, range);
}

Result<tables::KeySchema> SchemaOf(const tables::TableStore& store, const tables::ReadRequest& read) {
  HONRYU_TRY(const tables::TableDescription about, store.About(read.table));
  if (read.index.empty()) return about.key;
  const auto index = std::ranges::find(about.indexes, read.index, &tables::IndexDescription::name);
  if (index == about.indexes.end())
    return Wrong("The table does not have the specified index: " + read.index);
  return index->key;
}

Result<PageRequest> ReadPageRequest(const Members& request, bool query, const tables::TableStore& store) {
  PageRequest page;
  tables::ReadRequest& read = page.read;
  HONRYU_TRY(read.table, ReadTableName(request));
  HONRYU_TRY(read.index, request.Text("IndexName"));
  HONRYU_TRY_VOID(CheckNotMixed(request));
  HONRYU_TRY(tables::Substitutions substitutions, ReadSubstitutions(request));
  HONRYU_TRY(const tables::KeySchema schema, SchemaOf(store, read));
  if (query) {
    HONRYU_TRY(read.keys, ReadKeys(request, schema, substitutions));
    HONRYU_TRY(const bool forwards, request.Flag("ScanIndexForward", true));
    read.backwards = !forwards;
  } else {
    HONRYU_TRY_VOID(ReadSegments(request, read));
  }
  HONRYU_TRY(read.filter, ReadFilter(request, query, substitutions));
  HONRYU_TRY(page.projection, ReadProjection(request, substitutions));
  HONRYU_TRY_VOID(substitutions.CheckAllUsed());
  HONRYU_TRY(read.start_after, request.OptionalItem("ExclusiveStartKey"));
  HONRYU_TRY(const std::optional<std::int64_t> limit, request.Number("Limit"));
  if (limit && *limit < 1) {
    return Wrong(
        "1 validation error detected: Value '" + std::to_string(*limit) +
        "' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1");
  }
  read.limit = limit ? static_cast<std::size_t>(*limit) : 0;
  HONRYU_TRY(const std::string select, request.Text("Select"));
  page.count_only = select == "COUNT";
  HONRYU_TRY(page.consistent, request.Flag("ConsistentRead", false));
  return page;
}

}  // namespace

Outcome DynamoDbApi::Impl::GetItem(const Json& body) const {
  const Members request(body);
  const Result<Get> get = ReadGet(request);
  if (!get.ok()) return Refuse(get.error());
  const Result<std::optional<Item>> item = store.Get(get->table, get->key);
  if (!item.ok()) return Refuse(item.error());
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  if (*item) {
    json.Key("Item");
    WriteItem(get->projection ? tables::Project(**item, *get->projection) : **item, json);
  }
  const std::size_t bytes = *item ? tables::SizeOf(**item) : 0;
  const Result<void> capacity =
      WriteConsumedCapacity(request, get->table, ReadUnits(bytes, get->consistent), json);
  if (!capacity.ok()) return Refuse(capacity.error());
  json.EndObject();
  return Outcome::Of(std::move(out));
}

Outcome DynamoDbApi::Impl::BatchGetItem(const Json& body) const {
  const Members request(body);
  const Result<const Json*> items = request.Object("RequestItems");
  if (!items.ok()) return Refuse(items.error());
  std::string responses;
  JsonWriter json(responses);
  json.BeginObject();
  json.Key("Responses");
  json.BeginObject();
  std::string left;  // keys that no longer fit the answer
  JsonWriter unprocessed(left);
  unprocessed.BeginObject();
  std::size_t keys = 0;
  for (const auto& [table, wanted] : *items == nullptr ? Json::Object() : (*items)->object()) {
    if (!wanted.is_object()) return Refuse(Error(ErrorCode::kOutOfRange, "a structure is expected"));
    const Members members(wanted);
    const Result<const Json::Array*> list = members.List("Keys");
    if (!list.ok()) return Refuse(list.error());
    Result<tables::Substitutions> substitutions = ReadSubstitutions(members);
    if (!substitutions.ok()) return Refuse(substitutions.error());
    const Result<std::optional<std::vector<tables::Path>>> projection =
        ReadProjection(members, *substitutions);
    if (!projection.ok()) return Refuse(projection.error());
    json.Key(table);
    json.BeginArray();
    Json::Array rest;
    for (const Json& key : **list) {
      if (++keys > kMaxBatchKeys) return Refuse(Wrong("Too many items requested for the BatchGetItem call"));
      if (responses.size() > kMaxBatchBytes) {
        rest.push_back(key);
        continue;
      }
      const Result<Item> read = ReadItem(key);
      if (!read.ok()) return Refuse(read.error());
      const Result<std::optional<Item>> item = store.Get(table, *read);
      if (!item.ok()) return Refuse(item.error());
      if (*item) WriteItem(*projection ? tables::Project(**item, **projection) : **item, json);
    }
    json.EndArray();
    if (rest.empty()) continue;
    Json::Object again = wanted.object();
    for (auto& [name, value] : again)
      if (name == "Keys") value = Json(Json::Value(rest));
    unprocessed.Key(table);
    unprocessed.Raw(Json(Json::Value(std::move(again))).Dump());
  }
  if (keys == 0) {
    return Refuse(Wrong(
        "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Member must "
        "have length greater than or equal to 1"));
  }
  json.EndObject();
  unprocessed.EndObject();
  json.Key("UnprocessedKeys");
  json.Raw(left);
  json.EndObject();
  return Outcome::Of(std::move(responses));
}

Outcome DynamoDbApi::Impl::ReadPage(Operation operation, const Json& body) const {
  const Members request(body);
  const Result<PageRequest> wanted = ReadPageRequest(request, operation == Operation::kQuery, store);
  if (!wanted.ok()) return Refuse(wanted.error());
  const Result<tables::Page> page = store.Read(wanted->read);
  if (!page.ok()) return Refuse(page.error());
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("Count");
  json.Uint(page->items.size());
  json.Key("ScannedCount");
  json.Uint(page->scanned);
  if (!wanted->count_only) {
    json.Key("Items");
    json.BeginArray();
    for (const Item& item : page->items)
      WriteItem(wanted->projection ? tables::Project(item, *wanted->projection) : item, json);
    json.EndArray();
  }
  if (page->last_key) {
    json.Key("LastEvaluatedKey");
    WriteItem(*page->last_key, json);
  }
  const Result<void> capacity =
      WriteConsumedCapacity(request, wanted->read.table, ReadUnits(page->bytes, wanted->consistent), json);
  if (!capacity.ok()) return Refuse(capacity.error());
  json.EndObject();
  return Outcome::Of(std::move(out));
}

}  // namespace honryu::api::dynamodb
