#include "api/dynamodb/impl.h"
#include "honryu/base/crc32c.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using codec::JsonWriter;
using tables::Item;
using tables::Write;
using tables::WriteOutcome;
using wire::FaultName;

namespace {

constexpr std::size_t kMaxBatchWrites = 25;
constexpr std::size_t kMaxTransaction = 100;
constexpr double kWriteUnit = 1024;

std::string_view MemberOf(Write::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"Put", "Update", "Delete", "ConditionCheck"};
  return kNames[static_cast<std::size_t>(kind)];
}

double UnitsOf(const WriteOutcome& outcome) {
  std::size_t bytes = 0;
  for (const std::optional<Item>* item : {&outcome.before, &outcome.after})
    if (*item) bytes = std::max(bytes, tables::SizeOf(**item));
  return std::max(1.0, std::ceil(static_cast<double>(bytes) / kWriteUnit));
}

/// What of the item before and after goes back.
std::optional<Item> Returned(const std::string& what, const Write& write, const WriteOutcome& outcome) {
  if (what == "ALL_OLD") return outcome.before;
  if (what == "ALL_NEW") return outcome.after;
  const std::optional<Item>& from = what == "UPDATED_OLD" ? outcome.before : outcome.after;
  if (!what.starts_with("UPDATED_") || !from) return std::nullopt;
  return tables::Project(*from, write.update.Touched());
}

Result<std::string> ReadReturnValues(const Members& request, Write::Kind kind) {
  HONRYU_TRY(std::string what, request.Text("ReturnValues"));
  if (what.empty()) what = "NONE";
  constexpr std::string_view kAll[] = {"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"};
  const auto* known = std::ranges::find(kAll, what);
  if (known == std::end(kAll)) {
    return Wrong(
        "1 validation error detected: Value '" + what +
        "' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, "
        "UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]");
  }
  if (kind != Write::Kind::kUpdate && known - std::begin(kAll) > 1)
    return Wrong("Return values set to invalid value");
  return what;
}

/// Of a condition that does not hold: the item as it is, where the request wants to see it.
Result<bool> WantsOldItem(const Members& request) {
  HONRYU_TRY(const std::string what, request.Text("ReturnValuesOnConditionCheckFailure"));
  return what == "ALL_OLD";
}

}  // namespace

Result<void> WriteConsumedCapacity(const Members& request, std::string_view table, double units,
                                   JsonWriter& json) {
  HONRYU_TRY(const std::string wanted, request.Text("ReturnConsumedCapacity"));
  if (wanted != "TOTAL" && wanted != "INDEXES") return Ok();
  json.Key("ConsumedCapacity");
  json.BeginObject();
  json.Key("TableName");
  json.String(table);
  json.Key("CapacityUnits");
  json.Double(units);
  json.EndObject();
  return Ok();
}

Result<Write> ReadWrite(Write::Kind kind, const Members& members) {
  Write write;
  write.kind = kind;
  HONRYU_TRY(write.table, ReadTableName(members));
  HONRYU_TRY(write.item, members.RequiredItem(kind == Write::Kind::kPut ? "Item" : "Key"));
  HONRYU_TRY_VOID(CheckNotMixed(members));
  HONRYU_TRY(tables::Substitutions substitutions, ReadSubstitutions(members));
  if (kind == Write::Kind::kUpdate) {
    HONRYU_TRY(write.update, ReadUpdate(members, substitutions));
  }
  HONRYU_TRY(write.condition, ReadCondition(members, substitutions));
  if (kind == Write::Kind::kCheck && !write.condition) {
    return Wrong(
        "1 validation error detected: Value null at 'conditionExpression' failed to satisfy constraint: "
        "Member "
        "must not be null");
  }
  HONRYU_TRY_VOID(substitutions.CheckAllUsed());
  return write;
}

async::Task<Outcome> DynamoDbApi::Impl::WriteOne(async::Context ctx, Operation operation, const Json& body) {
  const Members request(body);
  const Write::Kind kind = operation == Operation::kPutItem      ? Write::Kind::kPut
                           : operation == Operation::kUpdateItem ? Write::Kind::kUpdate
                                                                 : Write::Kind::kDelete;
  Result<Write> write = ReadWrite(kind, request);
  if (!write.ok()) co_return Refuse(write.error());
  const Result<std::string> returns = ReadReturnValues(request, kind);
  if (!returns.ok()) co_return Refuse(returns.error());
  const Result<bool> old_item = WantsOldItem(request);
  if (!old_item.ok()) co_return Refuse(old_item.error());
  std::vector<Write> writes(1, *write);
  Result<std::vector<WriteOutcome>> done = co_await store.Commit(std::move(ctx), std::move(writes));
  if (!done.ok()) co_return Refuse(done.error());
  const WriteOutcome& outcome = done->front();
  if (outcome.refused) {
    Outcome refused = Refuse(*outcome.refused);
    if (*old_item && outcome.refused->code() == ErrorCode::kConflict && outcome.before) {
      refused.fault_members = ",\"Item\":";
      JsonWriter json(refused.fault_members);
      WriteItem(*outcome.before, json);
    }
    co_return refused;
  }
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  const std::optional<Item> returned = Returned(*returns, *write, outcome);
  if (returned && !returned->empty()) {
    json.Key("Attributes");
    WriteItem(*returned, json);
  }
  const Result<void> capacity = WriteConsumedCapacity(request, write->table, UnitsOf(outcome), json);
  if (!capacity.ok()) co_return Refuse(capacity.error());
  json.EndObject();
  co_return Outcome::Of(std::move(out));
}

namespace {

Result<std::vector<Write>> ReadBatch(const Members& request) {
  HONRYU_TRY(const Json* const items, request.Object("RequestItems"));
  std::vector<Write> writes;
  const Error count(
      ErrorCode::kInvalidArgument,
      "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must "
      "satisfy constraint: [Member must have length less than or equal to 25, Member must have length "
      "greater than or equal to 1]");
  if (items == nullptr) return count;
  for (const auto& [table, requests] : items->object()) {
    if (!requests.is_array()) return Error(ErrorCode::kOutOfRange, "a list is expected");
    for (const Json& one : requests.array()) {
      if (!one.is_object()) return Error(ErrorCode::kOutOfRange, "a structure is expected");
      const Members members(one);
      HONRYU_TRY(const Json* const put, members.Object("PutRequest"));
      HONRYU_TRY(const Json* const erase, members.Object("DeleteRequest"));
      if ((put == nullptr) == (erase == nullptr)) {
        return Wrong(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
            "supported "
            "datatypes");
      }
      Write write;
      write.kind = put != nullptr ? Write::Kind::kPut : Write::Kind::kDelete;
      write.table = table;
      HONRYU_TRY(write.item,
                 Members(put != nullptr ? *put : *erase).RequiredItem(put != nullptr ? "Item" : "Key"));
      writes.push_back(std::move(write));
    }
  }
  if (writes.empty() || writes.size() > kMaxBatchWrites) return count;
  return writes;
}

struct Transaction {
  std::vector<Write> writes;
  std::vector<bool> old_items;  ///< Whether a refusal shows the item.
};

Result<Transaction> ReadTransaction(const Members& request) {
  HONRYU_TRY(const Json::Array* const items, request.List("TransactItems"));
  if (items->empty() || items->size() > kMaxTransaction) {
    return Wrong(
        "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must "
        "have "
        "length less than or equal to 100");
  }
  Transaction transaction;
  for (const Json& item : *items) {
    if (!item.is_object()) return Error(ErrorCode::kOutOfRange, "a structure is expected");
    const Members members(item);
    std::optional<Write> write;
    for (const Write::Kind kind :
         {Write::Kind::kPut, Write::Kind::kUpdate, Write::Kind::kDelete, Write::Kind::kCheck}) {
      HONRYU_TRY(const Json* const given, members.Object(MemberOf(kind)));
      if (given == nullptr) continue;
      if (write) {
        return Wrong("TransactItems can only contain one of Check, Put, Update or Delete");
      }
      HONRYU_TRY(write, ReadWrite(kind, Members(*given)));
      HONRYU_TRY(const bool old_item, WantsOldItem(Members(*given)));
      transaction.old_items.push_back(old_item);
    }
    if (!write)
      return Wrong("Invalid Request: TransactWriteRequest should contain Delete or Put or Update request");
    transaction.writes.push_back(std::move(*write));
  }
  return transaction;
}

Outcome Cancelled(const std::vector<WriteOutcome>& outcomes, const std::vector<bool>& old_items) {
  std::string members = ",\"CancellationReasons\":";
  std::string codes;
  JsonWriter json(members);
  json.BeginArray();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const WriteOutcome& outcome = outcomes[i];
    const bool condition = outcome.refused && outcome.refused->code() == ErrorCode::kConflict;
    const std::string_view code = !outcome.refused ? "None"
                                  : condition      ? "ConditionalCheckFailed"
                                                   : "ValidationError";
    codes.append(codes.empty() ? "" : ", ").append(code);
    json.BeginObject();
    json.Key("Code");
    json.PlainString(code);
    if (outcome.refused) {
      json.Key("Message");
      json.String(outcome.refused->message());
    }
    if (condition && old_items[i] && outcome.before) {
      json.Key("Item");
      WriteItem(*outcome.before, json);
    }
    json.EndObject();
  }
  json.EndArray();
  return Outcome::Failed(
      {FaultName::kTransactionCanceledException,
       "Transaction cancelled, please refer cancellation reasons for specific reasons [" + codes + "]"},
      std::move(members));
}

}  // namespace

// All or nothing, where DynamoDB promises that of each item only.
async::Task<Outcome> DynamoDbApi::Impl::BatchWriteItem(async::Context ctx, const Json& body) {
  Result<std::vector<Write>> writes = ReadBatch(Members(body));
  if (!writes.ok()) co_return Refuse(writes.error());
  Result<std::vector<WriteOutcome>> done = co_await store.Commit(std::move(ctx), std::move(*writes));
  if (!done.ok()) {
    if (done.error().code() == ErrorCode::kInvalidArgument)
      co_return Outcome::Failed(
          {FaultName::kValidationException, "Provided list of item keys contains duplicates"});
    co_return Refuse(done.error());
  }
  for (const WriteOutcome& outcome : *done)
    if (outcome.refused) co_return Refuse(*outcome.refused);
  co_return Outcome::Of(R"({"UnprocessedItems":{}})");
}

async::Task<Outcome> DynamoDbApi::Impl::TransactWriteItems(async::Context ctx, const Json& body) {
  const Members request(body);
  Result<Transaction> transaction = ReadTransaction(request);
  if (!transaction.ok()) co_return Refuse(transaction.error());
  Result<std::string> token = request.Text("ClientRequestToken");
  if (!token.ok()) co_return Refuse(token.error());
  if (token->size() > 36) {
    co_return Refuse(
        Wrong("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: "
              "Member must have length less than or equal to 36"));
  }
  const Json* items = body.Find("TransactItems");
  const std::uint64_t hash = Hash64(items->Dump());
  Result<std::vector<WriteOutcome>> done =
      co_await store.Commit(std::move(ctx), std::move(transaction->writes), std::move(*token), hash);
  if (!done.ok()) {
    if (done.error().code() == ErrorCode::kAlreadyExists) {
      co_return Outcome::Failed(
          {FaultName::kIdempotentParameterMismatchException,
           "The request uses the same client token as a previous, but non-identical request."});
    }
    co_return Refuse(done.error());
  }
  bool refused = false;
  for (const WriteOutcome& outcome : *done) {
    refused = refused || outcome.refused.has_value();
    if (outcome.refused && outcome.refused->code() == ErrorCode::kNotFound)
      co_return Refuse(*outcome.refused);
  }
  if (refused) co_return Cancelled(*done, transaction->old_items);
  co_return Outcome::Of("{}");
}

}  // namespace honryu::api::dynamodb
