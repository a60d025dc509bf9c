#pragma once

#include "api/dynamodb/shapes.h"
#include "honryu/api/dynamodb/dynamodb_api.h"
#include "honryu/auth/sigv4.h"
#include "honryu/http/origin_list.h"
#include "honryu/wire/fault.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::dynamodb {

enum class Operation : std::uint8_t {
  kBatchGetItem,
  kBatchWriteItem,
  kCreateTable,
  kDeleteItem,
  kDeleteTable,
  kDescribeContinuousBackups,
  kDescribeTable,
  kDescribeTimeToLive,
  kGetItem,
  kListTables,
  kListTagsOfResource,
  kPutItem,
  kQuery,
  kScan,
  kTagResource,
  kTransactWriteItems,
  kUntagResource,
  kUpdateContinuousBackups,
  kUpdateItem,
  kUpdateTable,
  kUpdateTimeToLive,
};
std::string_view OperationName(Operation operation);
std::optional<Operation> FindOperation(std::string_view target);

/// A finished operation: a body, or a fault.
struct Outcome {
  std::string body;
  std::optional<wire::Fault> fault;
  std::string fault_members;  ///< More of the fault's body: ,"Item":{…}

  static Outcome Of(std::string json) { return Outcome{std::move(json), std::nullopt, {}}; }
  static Outcome Failed(wire::Fault why, std::string members = {}) {
    return Outcome{{}, std::move(why), std::move(members)};
  }
};

/// An action on a table (or "*"), as rules of access keys know them: {"PutItem", "leases"}.
struct Access {
  std::string action;
  std::string table;
};

struct DynamoDbApi::Impl {
  Impl(DynamoDbApiConfig config_in, tables::TableStore& store_in, const Clock& clock_in,
       obs::Registry& registry_in);

  async::Task<http::Response> Handle(async::Context ctx, const http::Request& request);
  async::Task<Outcome> Run(async::Context ctx, Operation operation, const codec::Json& body);

  // access.cc
  std::vector<Access> AccessOf(Operation operation, const codec::Json& body) const;
  std::optional<wire::Fault> CheckAccess(const auth::AccessKey& key, Operation operation,
                                         const codec::Json& body) const;

  // table_operations.cc
  async::Task<Outcome> CreateTable(async::Context ctx, const codec::Json& body);
  async::Task<Outcome> UpdateTable(async::Context ctx, const codec::Json& body);
  async::Task<Outcome> DeleteTable(async::Context ctx, const codec::Json& body);
  Outcome DescribeTable(const codec::Json& body) const;
  Outcome ListTables(const codec::Json& body) const;
  // table_settings.cc
  async::Task<Outcome> ChangeSetting(async::Context ctx, Operation operation, const codec::Json& body);
  Outcome ShowSetting(Operation operation, const codec::Json& body) const;

  // item_operations.cc
  async::Task<Outcome> WriteOne(async::Context ctx, Operation operation, const codec::Json& body);
  async::Task<Outcome> BatchWriteItem(async::Context ctx, const codec::Json& body);
  async::Task<Outcome> TransactWriteItems(async::Context ctx, const codec::Json& body);
  // read_operations.cc
  Outcome GetItem(const codec::Json& body) const;
  Outcome BatchGetItem(const codec::Json& body) const;
  Outcome ReadPage(Operation operation, const codec::Json& body) const;

  std::string TableArn(std::string_view table) const;
  /// The fault of an error of the store, or of a reader of shapes.h.
  wire::Fault FaultOf(const Error& error) const;
  Outcome Refuse(const Error& error) const { return Outcome::Failed(FaultOf(error)); }
  void Count(std::optional<Operation> operation, std::string_view status) const;

  const DynamoDbApiConfig config;
  tables::TableStore& store;
  const Clock& clock;
  obs::Registry& registry;
  const http::OriginList origins;
  std::optional<auth::Verifier> verifier;  ///< Set when there are access keys.
};

/// Which kind of write an operation or the member of a transaction is.
Result<tables::Write> ReadWrite(tables::Write::Kind kind, const Members& members);

/// Appends a "ConsumedCapacity" member when the request asks for one. `units` as DynamoDB would count.
Result<void> WriteConsumedCapacity(const Members& request, std::string_view table, double units,
                                   codec::JsonWriter& json);

}  // namespace honryu::api::dynamodb
