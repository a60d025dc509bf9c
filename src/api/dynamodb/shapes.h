#pragma once

#include "honryu/codec/json.h"
#include "honryu/tables/expression.h"
#include "honryu/tables/table_store.h"
#include "honryu/tables/value.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// DynamoDB's JSON shapes. Errors of all readers: kInvalidArgument in DynamoDB's words (ValidationException);
// kOutOfRange when a member is of another JSON type than its shape's (SerializationException).
namespace honryu::api::dynamodb {

/// {"S": "text"}
Result<tables::Value> ReadValue(const codec::Json& json, std::size_t depth = 0);
/// {"name": {"S": "text"}, …}
Result<tables::Item> ReadItem(const codec::Json& json);
void WriteValue(const tables::Value& value, codec::JsonWriter& json);
void WriteItem(const tables::Item& item, codec::JsonWriter& json);

/// The members of a request, with their types checked. A member that is absent is as one that is null.
class Members {
 public:
  explicit Members(const codec::Json& json) : json_(json) {}

  const codec::Json* Find(std::string_view name) const { return json_.Find(name); }
  bool Has(std::string_view name) const { return json_.Find(name) != nullptr; }
  Result<std::string> Text(std::string_view name) const;  ///< Empty when absent.
  Result<bool> Flag(std::string_view name, bool fallback) const;
  Result<std::optional<std::int64_t>> Number(std::string_view name) const;
  /// An object; null pointer when absent.
  Result<const codec::Json*> Object(std::string_view name) const;
  /// The elements; empty when absent.
  Result<const codec::Json::Array*> List(std::string_view name) const;
  Result<std::vector<std::string>> Texts(std::string_view name) const;
  /// kInvalidArgument when absent.
  Result<tables::Item> RequiredItem(std::string_view name) const;
  Result<std::optional<tables::Item>> OptionalItem(std::string_view name) const;

 private:
  const codec::Json& json_;
};

/// "TableName", by name or ARN; kInvalidArgument when it is absent or malformed.
Result<std::string> ReadTableName(const Members& request, std::string_view member = "TableName");

/// ExpressionAttributeNames and ExpressionAttributeValues.
Result<tables::Substitutions> ReadSubstitutions(const Members& request);
/// The condition of a write, by ConditionExpression or in the legacy form (Expected).
Result<std::optional<tables::Condition>> ReadCondition(const Members& request,
                                                       tables::Substitutions& substitutions);
/// A legacy map of conditions (ScanFilter, QueryFilter, KeyConditions); `what` is its member.
Result<std::optional<tables::Condition>> ReadLegacyConditions(const Members& request, std::string_view what);
/// What an UpdateItem does, by UpdateExpression or in the legacy form (AttributeUpdates).
Result<tables::Update> ReadUpdate(const Members& request, tables::Substitutions& substitutions);
/// ProjectionExpression or AttributesToGet; nullopt: everything.
Result<std::optional<std::vector<tables::Path>>> ReadProjection(const Members& request,
                                                                tables::Substitutions& substitutions);
/// kInvalidArgument when legacy parameters and expressions are mixed.
Result<void> CheckNotMixed(const Members& request);

Error Wrong(std::string message);

}  // namespace honryu::api::dynamodb
