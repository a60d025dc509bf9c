#include "api/dynamodb/impl.h"

#include <utility>

namespace honryu::api::dynamodb {

using codec::Json;
using wire::Fault;
using wire::FaultName;

namespace {

std::string_view TextAt(const Json& json, std::string_view name) {
  const Json* member = json.Find(name);
  return member == nullptr ? std::string_view() : member->StringOr("");
}

// The name in "arn:aws:dynamodb:region:account:table/NAME"; what is no ARN stays whole.
std::string TableOf(std::string_view name) {
  const std::size_t table = name.starts_with("arn:") ? name.find(":table/") : std::string_view::npos;
  return std::string(table == std::string_view::npos ? name : name.substr(table + 7));
}

}  // namespace

std::vector<Access> DynamoDbApi::Impl::AccessOf(Operation operation, const Json& body) const {
  const std::string action(OperationName(operation));
  std::vector<Access> out;
  switch (operation) {
    case Operation::kListTables:
      break;
    case Operation::kTagResource:
    case Operation::kUntagResource:
    case Operation::kListTagsOfResource:
      out.push_back({action, TableOf(TextAt(body, "ResourceArn"))});
      break;
    case Operation::kBatchGetItem:
    case Operation::kBatchWriteItem:
      if (const Json* items = body.Find("RequestItems"))
        for (const auto& [table, requests] : items->object()) out.push_back({action, TableOf(table)});
      break;
    case Operation::kTransactWriteItems:
      // As in AWS policies: what the members do.
      if (const Json* items = body.Find("TransactItems")) {
        for (const Json& item : items->array()) {
          for (const auto& [kind, write] : item.object())
            out.push_back({kind == "ConditionCheck" ? "ConditionCheckItem" : kind + "Item",
                           TableOf(TextAt(write, "TableName"))});
        }
      }
      break;
    default:
      out.push_back({action, TableOf(TextAt(body, "TableName"))});
      break;
  }
  return out;
}

std::optional<Fault> DynamoDbApi::Impl::CheckAccess(const auth::AccessKey& key, Operation operation,
                                                    const Json& body) const {
  std::vector<Access> wanted = AccessOf(operation, body);
  if (wanted.empty()) wanted.push_back({std::string(OperationName(operation)), ""});
  for (const Access& access : wanted) {
    const std::vector<std::string> names =
        access.table.empty() ? std::vector<std::string>() : std::vector<std::string>{access.table};
    const std::string action = "dynamodb:" + access.action;
    if (auth::Allows(key, action, names)) continue;
    return Fault{FaultName::kAccessDeniedException,
                 "User: arn:aws:iam::" + config.account_id + ":user/" + key.id +
                     " is not authorized to perform: " + action +
                     " on resource: " + (access.table.empty() ? "*" : TableArn(access.table)) +
                     " because no identity-based policy allows the " + action + " action"};
  }
  return std::nullopt;
}

}  // namespace honryu::api::dynamodb
