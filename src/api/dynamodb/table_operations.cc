#include "api/dynamodb/impl.h"
#include "honryu/base/crc32c.h"

#include <algorithm>
#include <map>
#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using codec::JsonWriter;
using tables::IndexDescription;
using tables::KeyAttribute;
using tables::KeySchema;
using tables::TableDescription;
using tables::Value;

namespace {

constexpr std::string_view kInvalid = "One or more parameter values were invalid: ";

using Definitions = std::map<std::string, Value::Type>;

Result<Definitions> ReadDefinitions(const Members& request) {
  HONRYU_TRY(const Json::Array* const list, request.List("AttributeDefinitions"));
  Definitions out;
  for (const Json& one : *list) {
    const Members members(one);
    HONRYU_TRY(const std::string name, members.Text("AttributeName"));
    HONRYU_TRY(const std::string type, members.Text("AttributeType"));
    Value::Type found{};
    if (name.empty() || !tables::FindType(type, &found) || found > Value::Type::kBinary) {
      return Wrong("1 validation error detected: Value '" + type +
                   "' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member "
                   "must satisfy "
                   "enum value set: [B, N, S]");
    }
    out[name] = found;
  }
  return out;
}

std::string NamesOf(const Definitions& definitions) {
  std::string out;
  for (const auto& [name, type] : definitions) out += (out.empty() ? "" : ", ") + name;
  return "[" + out + "]";
}

Result<KeySchema> ReadKeySchema(const Members& request, const Definitions& definitions) {
  HONRYU_TRY(const Json::Array* const list, request.List("KeySchema"));
  if (list->empty() || list->size() > 2) {
    return Wrong(
        "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: Member must have "
        "length "
        "less than or equal to 2 and greater than or equal to 1");
  }
  KeySchema schema;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Members members((*list)[i]);
    HONRYU_TRY(const std::string name, members.Text("AttributeName"));
    HONRYU_TRY(const std::string type, members.Text("KeyType"));
    if (type != (i == 0 ? "HASH" : "RANGE")) {
      return Wrong(i == 0 ? "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
                          : "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    }
    const auto defined = definitions.find(name);
    if (defined == definitions.end()) {
      return Wrong(std::string(kInvalid) +
                   "Some index key attributes are not defined in AttributeDefinitions. Keys: [" + name +
                   "], AttributeDefinitions: " + NamesOf(definitions));
    }
    (i == 0 ? schema.hash : schema.range.emplace()) = KeyAttribute{name, defined->second};
  }
  if (schema.range && schema.range->name == schema.hash.name)
    return Wrong("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  return schema;
}

struct Throughput {
  std::int64_t read = 0, write = 0;
};
Result<std::optional<Throughput>> ReadThroughput(const Members& request) {
  HONRYU_TRY(const Json* const given, request.Object("ProvisionedThroughput"));
  if (given == nullptr) return std::optional<Throughput>();
  const Members members(*given);
  HONRYU_TRY(const std::optional<std::int64_t> read, members.Number("ReadCapacityUnits"));
  HONRYU_TRY(const std::optional<std::int64_t> write, members.Number("WriteCapacityUnits"));
  if (read.value_or(0) < 1 || write.value_or(0) < 1) {
    return Wrong(
        "1 validation error detected: Value '" +
        std::to_string(std::min(read.value_or(0), write.value_or(0))) +
        "' at 'provisionedThroughput' failed to satisfy constraint: Member must have value greater than or "
        "equal to 1");
  }
  return std::optional<Throughput>(Throughput{*read, *write});
}

Result<IndexDescription> ReadIndex(const Members& members, const Definitions& definitions, bool local) {
  IndexDescription index;
  index.local = local;
  HONRYU_TRY(index.name, members.Text("IndexName"));
  if (index.name.size() < 3 || index.name.size() > 255) {
    return Wrong("1 validation error detected: Value '" + index.name.substr(0, 300) +
                 "' at 'indexName' failed to satisfy constraint: Member must have length between 3 and 255");
  }
  HONRYU_TRY(index.key, ReadKeySchema(members, definitions));
  HONRYU_TRY(const Json* const projection, members.Object("Projection"));
  std::string type;
  if (projection != nullptr) {
    const Members shape(*projection);
    HONRYU_TRY(type, shape.Text("ProjectionType"));
    HONRYU_TRY(index.included, shape.Texts("NonKeyAttributes"));
  }
  if (type != "ALL" && type != "KEYS_ONLY" && type != "INCLUDE")
    return Wrong(std::string(kInvalid) + "Unknown ProjectionType: " + (type.empty() ? "null" : type));
  if ((type == "INCLUDE") == index.included.empty()) {
    return Wrong(std::string(kInvalid) + "ProjectionType is " + type + ", " +
                 (index.included.empty() ? "but NonKeyAttributes is not specified"
                                         : "but NonKeyAttributes is specified"));
  }
  index.all = type == "ALL";
  HONRYU_TRY(const std::optional<Throughput> throughput, ReadThroughput(members));
  if (throughput) {
    index.read_units = throughput->read;
    index.write_units = throughput->write;
  }
  return index;
}

Result<void> ReadIndexes(const Members& request, const Definitions& definitions, TableDescription& table) {
  for (const bool local : {false, true}) {
    HONRYU_TRY(const Json::Array* const list,
               request.List(local ? "LocalSecondaryIndexes" : "GlobalSecondaryIndexes"));
    for (const Json& one : *list) {
      HONRYU_TRY(IndexDescription index, ReadIndex(Members(one), definitions, local));
      if (std::ranges::find(table.indexes, index.name, &IndexDescription::name) != table.indexes.end())
        return Wrong(std::string(kInvalid) + "Duplicate index name: " + index.name);
      if (local && !(index.key.hash == table.key.hash))
        return Wrong(
            std::string(kInvalid) +
            "Index KeySchema does not have the same leading hash key as table KeySchema: " + index.name);
      table.indexes.push_back(std::move(index));
    }
  }
  if (table.indexes.size() > tables::kMaxIndexes)
    return Wrong(std::string(kInvalid) + "more than " + std::to_string(tables::kMaxIndexes) + " indexes");
  return Ok();
}

Result<void> ReadBilling(const Members& request, TableDescription& table, bool fresh) {
  HONRYU_TRY(const std::string billing, request.Text("BillingMode"));
  HONRYU_TRY(const std::optional<Throughput> throughput, ReadThroughput(request));
  if (!billing.empty() && billing != "PAY_PER_REQUEST" && billing != "PROVISIONED") {
    return Wrong(
        "1 validation error detected: Value '" + billing +
        "' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, "
        "PAY_PER_REQUEST]");
  }
  if (!fresh && billing.empty() && !throughput) return Ok();
  table.on_demand = billing.empty() ? (fresh ? false : table.on_demand) : billing == "PAY_PER_REQUEST";
  if (table.on_demand) {
    if (throughput) {
      return Wrong(std::string(kInvalid) +
                   "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                   "PAY_PER_REQUEST");
    }
    table.read_units = table.write_units = 0;
    return Ok();
  }
  if (!throughput && table.read_units == 0) {
    return Wrong(
        std::string(kInvalid) +
        "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED");
  }
  if (throughput) {
    table.read_units = throughput->read;
    table.write_units = throughput->write;
  }
  return Ok();
}

Result<TableDescription> ReadCreate(const Members& request) {
  TableDescription table;
  HONRYU_TRY(table.name, ReadTableName(request));
  HONRYU_TRY(const Definitions definitions, ReadDefinitions(request));
  HONRYU_TRY(table.key, ReadKeySchema(request, definitions));
  HONRYU_TRY_VOID(ReadIndexes(request, definitions, table));
  Definitions used;
  const auto use = [&used](const KeySchema& key) {
    used[key.hash.name] = key.hash.type;
    if (key.range) used[key.range->name] = key.range->type;
  };
  use(table.key);
  for (const IndexDescription& index : table.indexes) use(index.key);
  if (used.size() != definitions.size()) {
    return Wrong(std::string(kInvalid) + "Some AttributeDefinitions are not used. AttributeDefinitions: " +
                 NamesOf(definitions) + ", keys used: " + NamesOf(used));
  }
  HONRYU_TRY_VOID(ReadBilling(request, table, true));
  HONRYU_TRY(table.deletion_protection, request.Flag("DeletionProtectionEnabled", false));
  HONRYU_TRY(const Json* const streams, request.Object("StreamSpecification"));
  if (streams != nullptr) {
    HONRYU_TRY(const bool enabled, Members(*streams).Flag("StreamEnabled", false));
    if (enabled) return Wrong(std::string(kInvalid) + "streams of tables are not served here");
  }
  HONRYU_TRY(const Json::Array* const tags, request.List("Tags"));
  for (const Json& tag : *tags) {
    HONRYU_TRY(const std::string key, Members(tag).Text("Key"));
    HONRYU_TRY(table.tags[key], Members(tag).Text("Value"));
  }
  return table;
}

void WriteKeySchema(const KeySchema& key, JsonWriter& json) {
  json.Key("KeySchema");
  json.BeginArray();
  for (const KeyAttribute* attribute : {&key.hash, key.range ? &*key.range : nullptr}) {
    if (attribute == nullptr) continue;
    json.BeginObject();
    json.Key("AttributeName");
    json.String(attribute->name);
    json.Key("KeyType");
    json.PlainString(attribute == &key.hash ? "HASH" : "RANGE");
    json.EndObject();
  }
  json.EndArray();
}

void WriteThroughput(std::int64_t read, std::int64_t write, JsonWriter& json) {
  json.Key("ProvisionedThroughput");
  json.BeginObject();
  json.Key("NumberOfDecreasesToday");
  json.Int(0);
  json.Key("ReadCapacityUnits");
  json.Int(read);
  json.Key("WriteCapacityUnits");
  json.Int(write);
  json.EndObject();
}

void WriteIndex(const IndexDescription& index, const std::string& table_arn, std::string_view status,
                JsonWriter& json) {
  json.BeginObject();
  json.Key("IndexName");
  json.String(index.name);
  WriteKeySchema(index.key, json);
  json.Key("Projection");
  json.BeginObject();
  json.Key("ProjectionType");
  json.PlainString(index.all ? "ALL" : index.included.empty() ? "KEYS_ONLY" : "INCLUDE");
  if (!index.included.empty()) {
    json.Key("NonKeyAttributes");
    json.BeginArray();
    for (const std::string& name : index.included) json.String(name);
    json.EndArray();
  }
  json.EndObject();
  if (!index.local) {
    json.Key("IndexStatus");
    json.PlainString(status);
    if (status == "CREATING") {
      json.Key("Backfilling");
      json.Bool(false);
    }
    WriteThroughput(index.read_units, index.write_units, json);
  }
  json.Key("IndexSizeBytes");
  json.Uint(index.bytes);
  json.Key("ItemCount");
  json.Uint(index.items);
  json.Key("IndexArn");
  json.String(table_arn + "/index/" + index.name);
  json.EndObject();
}

// The hash of name and number, in the form of a UUID: stable, and another one for each table.
std::string IdOf(const TableDescription& table) {
  const std::uint64_t high = Hash64(table.name, table.id);
  const std::uint64_t low = Hash64(table.name, ~table.id);
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out.push_back('-');
    const std::uint64_t word = i < 16 ? high : low;
    out.push_back(kHex[(word >> (4 * (i % 16))) & 15]);
  }
  return out;
}

struct Statuses {
  std::string_view table = "ACTIVE";
  std::string new_index;  ///< Is CREATING.
};

std::string DescriptionBody(std::string_view member, const TableDescription& table, const std::string& arn,
                            const Statuses& statuses) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key(member);
  json.BeginObject();
  json.Key("AttributeDefinitions");
  json.BeginArray();
  Definitions definitions;
  const auto define = [&definitions](const KeySchema& key) {
    definitions[key.hash.name] = key.hash.type;
    if (key.range) definitions[key.range->name] = key.range->type;
  };
  define(table.key);
  for (const IndexDescription& index : table.indexes) define(index.key);
  for (const auto& [name, type] : definitions) {
    json.BeginObject();
    json.Key("AttributeName");
    json.String(name);
    json.Key("AttributeType");
    json.PlainString(tables::TypeName(type));
    json.EndObject();
  }
  json.EndArray();
  json.Key("TableName");
  json.String(table.name);
  WriteKeySchema(table.key, json);
  json.Key("TableStatus");
  json.PlainString(statuses.table);
  const double created = static_cast<double>(ToMs(table.created)) / 1000;
  json.Key("CreationDateTime");
  json.Double(created);
  WriteThroughput(table.read_units, table.write_units, json);
  if (table.on_demand) {
    json.Key("BillingModeSummary");
    json.BeginObject();
    json.Key("BillingMode");
    json.PlainString("PAY_PER_REQUEST");
    json.Key("LastUpdateToPayPerRequestDateTime");
    json.Double(created);
    json.EndObject();
  }
  json.Key("TableSizeBytes");
  json.Uint(table.bytes);
  json.Key("ItemCount");
  json.Uint(table.items);
  json.Key("TableArn");
  json.String(arn);
  json.Key("TableId");
  json.PlainString(IdOf(table));
  json.Key("DeletionProtectionEnabled");
  json.Bool(table.deletion_protection);
  for (const bool local : {false, true}) {
    const auto mine = [local](const IndexDescription& index) { return index.local == local; };
    if (std::ranges::none_of(table.indexes, mine)) continue;
    json.Key(local ? "LocalSecondaryIndexes" : "GlobalSecondaryIndexes");
    json.BeginArray();
    for (const IndexDescription& index : table.indexes) {
      const bool creating = statuses.table == "CREATING" || index.name == statuses.new_index;
      if (mine(index)) WriteIndex(index, arn, creating ? "CREATING" : "ACTIVE", json);
    }
    json.EndArray();
  }
  json.EndObject();
  json.EndObject();
  return out;
}

/// Makes one change of GlobalSecondaryIndexUpdates; `created` gets the name of a new index.
Result<void> UpdateIndex(const Members& update, const Definitions& definitions, TableDescription& table,
                         std::string& created) {
  HONRYU_TRY(const Json* const create, update.Object("Create"));
  if (create != nullptr) {
    HONRYU_TRY(IndexDescription index, ReadIndex(Members(*create), definitions, false));
    if (std::ranges::find(table.indexes, index.name, &IndexDescription::name) != table.indexes.end())
      return Wrong("Attempting to create an index which already exists");
    if (table.indexes.size() >= tables::kMaxIndexes)
      return Wrong(std::string(kInvalid) + "more than " + std::to_string(tables::kMaxIndexes) + " indexes");
    created = index.name;
    table.indexes.push_back(std::move(index));
    return Ok();
  }
  for (const std::string_view what : {"Update", "Delete"}) {
    HONRYU_TRY(const Json* const given, update.Object(what));
    if (given == nullptr) continue;
    const Members members(*given);
    HONRYU_TRY(const std::string name, members.Text("IndexName"));
    const auto index = std::ranges::find(table.indexes, name, &IndexDescription::name);
    if (index == table.indexes.end()) return Error(ErrorCode::kNotFound, "Requested resource not found");
    if (what == "Delete") {
      table.indexes.erase(index);
      return Ok();
    }
    HONRYU_TRY(const std::optional<Throughput> throughput, ReadThroughput(members));
    if (throughput) {
      index->read_units = throughput->read;
      index->write_units = throughput->write;
    }
    return Ok();
  }
  return Wrong(std::string(kInvalid) +
               "GlobalSecondaryIndexUpdate must have one of Create, Update or Delete");
}

Result<void> ApplyUpdate(const Members& request, TableDescription& table, std::string& created) {
  HONRYU_TRY_VOID(ReadBilling(request, table, false));
  HONRYU_TRY(table.deletion_protection, request.Flag("DeletionProtectionEnabled", table.deletion_protection));
  HONRYU_TRY(Definitions definitions, ReadDefinitions(request));
  // A request names what its new indexes need; the table's own keys are known.
  definitions.emplace(table.key.hash.name, table.key.hash.type);
  if (table.key.range) definitions.emplace(table.key.range->name, table.key.range->type);
  HONRYU_TRY(const Json::Array* const updates, request.List("GlobalSecondaryIndexUpdates"));
  for (const Json& update : *updates)
    HONRYU_TRY_VOID(UpdateIndex(Members(update), definitions, table, created));
  return Ok();
}

}  // namespace

async::Task<Outcome> DynamoDbApi::Impl::CreateTable(async::Context ctx, const Json& body) {
  Result<TableDescription> wanted = ReadCreate(Members(body));
  if (!wanted.ok()) co_return Refuse(wanted.error());
  Result<TableDescription> made = co_await store.Create(std::move(ctx), std::move(*wanted));
  if (!made.ok()) co_return Refuse(made.error());
  const Statuses statuses{"CREATING", {}};
  co_return Outcome::Of(DescriptionBody("TableDescription", *made, TableArn(made->name), statuses));
}

async::Task<Outcome> DynamoDbApi::Impl::UpdateTable(async::Context ctx, const Json& body) {
  const Result<std::string> name = ReadTableName(Members(body));
  if (!name.ok()) co_return Refuse(name.error());
  // The change runs on another thread, while this frame, and the body with it, may be gone.
  auto copy = std::make_shared<const Json>(body);
  auto created = std::make_shared<std::string>();
  std::function<Result<void>(TableDescription&)> change = [copy, created](TableDescription& table) {
    return ApplyUpdate(Members(*copy), table, *created);
  };
  Result<TableDescription> changed = co_await store.Change(std::move(ctx), *name, std::move(change));
  if (!changed.ok()) co_return Refuse(changed.error());
  const Statuses statuses{"UPDATING", *created};
  co_return Outcome::Of(DescriptionBody("TableDescription", *changed, TableArn(*name), statuses));
}

async::Task<Outcome> DynamoDbApi::Impl::DeleteTable(async::Context ctx, const Json& body) {
  const Result<std::string> name = ReadTableName(Members(body));
  if (!name.ok()) co_return Refuse(name.error());
  Result<TableDescription> gone = co_await store.Delete(std::move(ctx), *name);
  if (!gone.ok()) co_return Refuse(gone.error());
  const Statuses statuses{"DELETING", {}};
  co_return Outcome::Of(DescriptionBody("TableDescription", *gone, TableArn(*name), statuses));
}

Outcome DynamoDbApi::Impl::DescribeTable(const Json& body) const {
  const Result<std::string> name = ReadTableName(Members(body));
  if (!name.ok()) return Refuse(name.error());
  const Result<TableDescription> table = store.Describe(*name);
  if (!table.ok()) return Refuse(table.error());
  return Outcome::Of(DescriptionBody("Table", *table, TableArn(*name), {}));
}

Outcome DynamoDbApi::Impl::ListTables(const Json& body) const {
  const Members request(body);
  const Result<std::string> after = request.Text("ExclusiveStartTableName");
  if (!after.ok()) return Refuse(after.error());
  const Result<std::optional<std::int64_t>> limit = request.Number("Limit");
  if (!limit.ok()) return Refuse(limit.error());
  const std::int64_t most = limit->value_or(100);
  if (most < 1 || most > 100) {
    return Refuse(
        Wrong("1 validation error detected: Value '" + std::to_string(most) +
              "' at 'limit' failed to satisfy constraint: Member must have value between 1 and 100"));
  }
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("TableNames");
  json.BeginArray();
  std::string last;
  std::int64_t given = 0;
  bool more = false;
  for (const std::string& name : store.Names()) {
    if (name <= *after) continue;
    more = given == most;
    if (more) break;
    json.String(name);
    last = name;
    ++given;
  }
  json.EndArray();
  if (more) {
    json.Key("LastEvaluatedTableName");
    json.String(last);
  }
  json.EndObject();
  return Outcome::Of(std::move(out));
}

}  // namespace honryu::api::dynamodb
