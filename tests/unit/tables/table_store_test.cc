#include "honryu/tables/table_store.h"

#include "honryu/async/task_group.h"
#include "honryu/base/random.h"
#include "honryu/kv/fault_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace honryu::tables {
namespace {

Value Text(std::string text) { return Value::String(std::move(text)); }
Value Number(std::int64_t number) { return Value::Number(Decimal(number)); }

TableDescription Leases() {
  TableDescription table;
  table.name = "leases";
  table.key.hash = {"leaseKey", Value::Type::kString};
  return table;
}
TableDescription Sorted() {
  TableDescription table;
  table.name = "sorted";
  table.key.hash = {"h", Value::Type::kString};
  table.key.range = KeyAttribute{"r", Value::Type::kNumber};
  return table;
}
IndexDescription ByOwner() {
  IndexDescription index;
  index.name = "byOwner";
  index.key.hash = {"owner", Value::Type::kString};
  index.key.range = KeyAttribute{"leaseKey", Value::Type::kString};
  index.all = false;
  return index;
}

class TableStoreTest : public ::testing::Test {
 protected:
  TableStoreTest() : runtime_(async::RuntimeOptions{1, 2}) {
    config_.path = (std::filesystem::temp_directory_path() / ("honryu-tables-" + RandomUuid())).string();
    Reopen();
  }
  ~TableStoreTest() override {
    store_.reset();
    runtime_.JoinBlocking();
    std::filesystem::remove_all(config_.path);
  }
  void Reopen() {
    store_.reset();
    auto opened = TableStore::Open(config_, clock_, runtime_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store_ = std::move(*opened);
  }
  Result<TableDescription> Create(TableDescription table) {
    return runtime_.BlockOn(store_->Create({}, std::move(table)));
  }
  Result<std::vector<WriteOutcome>> Commit(std::vector<Write> writes, std::string token = {},
                                           std::uint64_t hash = 0) {
    return runtime_.BlockOn(store_->Commit({}, std::move(writes), std::move(token), hash));
  }
  static Write Put(const std::string& table, Item item, std::string_view condition = {}) {
    Write write;
    write.kind = Write::Kind::kPut;
    write.table = table;
    write.item = std::move(item);
    Substitutions none;
    if (!condition.empty()) write.condition = ParseCondition(condition, none, "ConditionExpression").value();
    return write;
  }
  static Item Lease(const std::string& key, const std::string& owner, std::int64_t counter = 0) {
    Item item;
    item["leaseKey"] = Text(key);
    item["owner"] = Text(owner);
    item["counter"] = Number(counter);
    return item;
  }
  static Item Key(const std::string& key) { return Item{{"leaseKey", Text(key)}}; }
  /// "" or the refusal of the only write.
  std::string Refusal(Write write) {
    const auto done = Commit({std::move(write)});
    if (!done.ok()) return done.error().ToString();
    return done->front().refused ? done->front().refused->ToString() : "";
  }
  std::vector<std::string> Keys(const ReadRequest& request, const char* attribute = "leaseKey") {
    std::vector<std::string> keys;
    const Result<Page> page = store_->Read(request);
    EXPECT_TRUE(page.ok()) << (page.ok() ? "" : page.error().message());
    if (!page.ok()) return keys;
    for (const Item& item : page->items) {
      const Value& value = item.at(attribute);
      keys.push_back(value.As<Decimal>() != nullptr ? value.As<Decimal>()->ToString()
                                                    : *value.As<std::string>());
    }
    return keys;
  }

  ManualClock clock_{TimestampFromMs(1790000000000)};
  obs::Registry metrics_;
  async::Runtime runtime_;
  TableStoreConfig config_;
  std::unique_ptr<TableStore> store_;
};

TEST_F(TableStoreTest, WhatIsAcknowledgedIsThereAfterReopening) {
  TableDescription made = Leases();
  made.indexes = {ByOwner()};
  made.tags = {{"team", "a"}};
  ASSERT_TRUE(Create(made).ok());
  ASSERT_EQ(Refusal(Put("leases", Lease("a", "w1", 3))), "");
  ASSERT_EQ(Refusal(Put("leases", Lease("b", "w2"))), "");
  Write erase;
  erase.kind = Write::Kind::kDelete;
  erase.table = "leases";
  erase.item = Key("b");
  ASSERT_EQ(Refusal(erase), "");
  Reopen();
  const TableDescription about = store_->Describe("leases").value();
  EXPECT_EQ(about.key, Leases().key);
  EXPECT_EQ(about.tags, made.tags);
  EXPECT_EQ(about.created, clock_.Now());
  EXPECT_EQ(about.items, 1u);
  ASSERT_EQ(about.indexes.size(), 1u);
  EXPECT_EQ(about.indexes[0].items, 1u);
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w1", 3));
  EXPECT_EQ(store_->Get("leases", Key("b")).value(), std::nullopt);
}

TEST_F(TableStoreTest, ConditionsSeeTheItemAndLeaveItAlone) {
  ASSERT_TRUE(Create(Leases()).ok());
  EXPECT_EQ(Refusal(Put("leases", Lease("a", "w1"), "attribute_not_exists(leaseKey)")), "");
  EXPECT_EQ(Refusal(Put("leases", Lease("a", "w2"), "attribute_not_exists(leaseKey)")),
            "conflict: The conditional request failed");
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w1"));
  const auto done = Commit({Put("leases", Lease("a", "w3"))}).value();
  EXPECT_EQ(done[0].before, Lease("a", "w1"));
  EXPECT_EQ(done[0].after, Lease("a", "w3"));
}

TEST_F(TableStoreTest, KeysAreChecked) {
  ASSERT_TRUE(Create(Leases()).ok());
  EXPECT_EQ(Refusal(Put("none", Lease("a", "w"))), "not_found: Requested resource not found");
  EXPECT_EQ(
      Refusal(Put("leases", Item{{"owner", Text("w")}})),
      "invalid_argument: One or more parameter values were invalid: Missing the key leaseKey in the item");
  EXPECT_EQ(Refusal(Put("leases", Item{{"leaseKey", Number(1)}})),
            "invalid_argument: One or more parameter values were invalid: Type mismatch for key leaseKey "
            "expected: S "
            "actual: N");
  EXPECT_NE(Refusal(Put("leases", Key(""))).find("empty string value"), std::string::npos);
  EXPECT_NE(Refusal(Put("leases", Key(std::string(2049, 'x')))).find("maximum size limit"),
            std::string::npos);
  EXPECT_EQ(store_->Get("leases", Lease("a", "w")).error().message(),
            "The provided key element does not match the schema");
  Write update;
  update.kind = Write::Kind::kUpdate;
  update.table = "leases";
  update.item = Key("a");
  update.update.remove.push_back(PathOf("leaseKey"));
  EXPECT_NE(Refusal(update).find("Cannot update attribute leaseKey"), std::string::npos);
}

TEST_F(TableStoreTest, ATransactionIsAllOrNothing) {
  ASSERT_TRUE(Create(Leases()).ok());
  const auto cancelled =
      Commit({Put("leases", Lease("a", "w")), Put("leases", Lease("b", "w"), "attribute_exists(leaseKey)")})
          .value();
  EXPECT_FALSE(cancelled[0].refused.has_value());
  EXPECT_EQ(cancelled[1].refused->code(), ErrorCode::kConflict);
  EXPECT_EQ(store_->Describe("leases")->items, 0u);
  EXPECT_EQ(Commit({Put("leases", Lease("a", "w")), Put("leases", Lease("a", "x"))}).error().code(),
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(Commit({Put("leases", Lease("a", "w")), Put("leases", Lease("b", "w"))}).ok());
  EXPECT_EQ(store_->Describe("leases")->items, 2u);
}

TEST_F(TableStoreTest, ATokenMakesATransactionHappenOnceAlsoAcrossARestart) {
  ASSERT_TRUE(Create(Leases()).ok());
  ASSERT_TRUE(Commit({Put("leases", Lease("a", "w", 1))}, "token", 7).ok());
  ASSERT_EQ(Refusal(Put("leases", Lease("a", "w", 2))), "");
  Reopen();
  EXPECT_TRUE(Commit({Put("leases", Lease("a", "w", 1))}, "token", 7).ok());
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w", 2));
  EXPECT_EQ(Commit({Put("leases", Lease("a", "w", 9))}, "token", 8).error().code(),
            ErrorCode::kAlreadyExists);
  clock_.Advance(std::chrono::minutes(11));
  EXPECT_TRUE(Commit({Put("leases", Lease("a", "w", 3))}, "token", 8).ok());
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w", 3));
}

TEST_F(TableStoreTest, AnIndexFollowsItsItems) {
  ASSERT_TRUE(Create(Leases()).ok());
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(Refusal(Put("leases", Lease(key, "w1"))), "");
  Item unowned = Key("d");
  ASSERT_EQ(Refusal(Put("leases", unowned)), "");
  std::function<Result<void>(TableDescription&)> add = [](TableDescription& table) -> Result<void> {
    table.indexes.push_back(ByOwner());
    return Ok();
  };
  ASSERT_TRUE(runtime_.BlockOn(store_->Change({}, "leases", add)).ok());
  ReadRequest owned;
  owned.table = "leases";
  owned.index = "byOwner";
  owned.keys = KeyCondition{Text("w1"), std::nullopt};
  EXPECT_EQ(Keys(owned), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(store_->Read(owned)->items[0], (Item{{"leaseKey", Text("a")}, {"owner", Text("w1")}}))
      << "the keys alone";
  ASSERT_EQ(Refusal(Put("leases", Lease("b", "w2"))), "");
  EXPECT_EQ(Keys(owned), (std::vector<std::string>{"a", "c"}));
  EXPECT_NE(Refusal(Put("leases", Item{{"leaseKey", Text("x")}, {"owner", Number(1)}}))
                .find("Type mismatch for Index"),
            std::string::npos);
  owned.limit = 1;
  const Page page = store_->Read(owned).value();
  ASSERT_TRUE(page.last_key.has_value());
  owned.start_after = page.last_key;
  EXPECT_EQ(Keys(owned), (std::vector<std::string>{"c"}));
  owned.index = "none";
  EXPECT_EQ(store_->Read(owned).error().message(), "The table does not have the specified index: none");
}

TEST_F(TableStoreTest, QueriesFindRangesInBothDirections) {
  ASSERT_TRUE(Create(Sorted()).ok());
  for (std::int64_t i = -20; i <= 20; i += 2)
    ASSERT_EQ(Refusal(Put("sorted", Item{{"h", Text("x")}, {"r", Number(i)}})), "");
  ASSERT_EQ(Refusal(Put("sorted", Item{{"h", Text("w")}, {"r", Number(0)}})), "");
  ASSERT_EQ(Refusal(Put("sorted", Item{{"h", Text("y")}, {"r", Number(0)}})), "");
  const auto query = [this](std::string_view range, bool backwards = false) {
    Substitutions given;
    given.values = {{":h", Text("x")}, {":a", Number(-3)}, {":b", Number(4)}, {":c", Number(20)}};
    const std::string text = "h = :h AND " + std::string(range);
    const Condition condition = ParseCondition(text, given, "KeyConditionExpression").value();
    ReadRequest request;
    request.table = "sorted";
    request.keys = KeyConditionOf(condition, "h", "r").value();
    request.backwards = backwards;
    return Keys(request, "r");
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(query("r BETWEEN :a AND :b"), (Texts{"-2", "0", "2", "4"}));
  EXPECT_EQ(query("r BETWEEN :a AND :b", true), (Texts{"4", "2", "0", "-2"}));
  EXPECT_EQ(query("r = :b"), (Texts{"4"}));
  EXPECT_EQ(query("r > :b").front(), "6");
  EXPECT_EQ(query("r >= :b").front(), "4");
  EXPECT_EQ(query("r < :b").back(), "2");
  EXPECT_EQ(query("r <= :b").back(), "4");
  EXPECT_EQ(query("r < :a").front(), "-20");
  EXPECT_EQ(query("r > :c"), Texts{});
}

TEST_F(TableStoreTest, PagesCoverEverythingOnceWhateverTheDirectionOrSegment) {
  ASSERT_TRUE(Create(Leases()).ok());
  std::set<std::string> all;
  for (int i = 0; i < 57; ++i) {
    const std::string key = "key-" + std::to_string(i * 7919 % 1000);
    all.insert(key);
    ASSERT_EQ(Refusal(Put("leases", Lease(key, "w"))), "");
  }
  for (const std::uint32_t segments : {1U, 3U}) {
    for (const std::size_t limit : {std::size_t{1}, std::size_t{10}, std::size_t{0}}) {
      std::multiset<std::string> seen;
      for (std::uint32_t segment = 0; segment < segments; ++segment) {
        ReadRequest request;
        request.table = "leases";
        request.limit = limit;
        request.segment = segment;
        request.segments = segments;
        for (int pages = 0; pages < 100; ++pages) {
          const Page page = store_->Read(request).value();
          for (const Item& item : page.items) seen.insert(*item.at("leaseKey").As<std::string>());
          request.start_after = page.last_key;
          if (!page.last_key) break;
        }
      }
      EXPECT_EQ(seen, std::multiset<std::string>(all.begin(), all.end())) << segments << " " << limit;
    }
  }
}

TEST_F(TableStoreTest, APageIsAMebibyteAtMost) {
  ASSERT_TRUE(Create(Leases()).ok());
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(Refusal(Put("leases", Item{{"leaseKey", Text(std::to_string(i))},
                                         {"v", Text(std::string(300000, 'x'))}})),
              "");
  ReadRequest request;
  request.table = "leases";
  const Page page = store_->Read(request).value();
  EXPECT_EQ(page.items.size(), 3u);
  EXPECT_TRUE(page.last_key.has_value());
  EXPECT_NE(Refusal(Put("leases", Item{{"leaseKey", Text("big")}, {"v", Text(std::string(410000, 'x'))}}))
                .find("Item size has exceeded"),
            std::string::npos);
}

TEST_F(TableStoreTest, AFullStoreSaysSoAndTakesDeletes) {
  config_.max_bytes = 20000;
  config_.max_tables = 1;
  Reopen();
  ASSERT_TRUE(Create(Leases()).ok());
  EXPECT_EQ(Create(Sorted()).error().code(), ErrorCode::kTooLarge);
  int stored = 0;
  std::string refusal;
  while (refusal.empty() && stored < 1000)
    refusal = Refusal(Put(
        "leases", Item{{"leaseKey", Text(std::to_string(stored++))}, {"v", Text(std::string(1000, 'x'))}}));
  EXPECT_EQ(refusal, "too_large: the table store is full: limit 20000 bytes (tables.max_bytes)");
  EXPECT_LT(stored, 20);
  Write erase;
  erase.kind = Write::Kind::kDelete;
  erase.table = "leases";
  erase.item = Key("0");
  EXPECT_EQ(Refusal(erase), "");
  EXPECT_EQ(Refusal(Put("leases", Item{{"leaseKey", Text("0")}, {"v", Text(std::string(500, 'x'))}})), "");
}

TEST_F(TableStoreTest, ADeletedTableLeavesNothingToItsSuccessor) {
  TableDescription guarded = Leases();
  guarded.deletion_protection = true;
  ASSERT_TRUE(Create(guarded).ok());
  EXPECT_EQ(Create(Leases()).error().message(), "Table already exists: leases");
  ASSERT_EQ(Refusal(Put("leases", Lease("a", "w"))), "");
  EXPECT_EQ(runtime_.BlockOn(store_->Delete({}, "leases")).error().code(), ErrorCode::kFailedPrecondition);
  std::function<Result<void>(TableDescription&)> unguard = [](TableDescription& table) -> Result<void> {
    table.deletion_protection = false;
    return Ok();
  };
  const std::uint64_t first = runtime_.BlockOn(store_->Change({}, "leases", unguard))->id;
  ASSERT_TRUE(runtime_.BlockOn(store_->Delete({}, "leases")).ok());
  EXPECT_EQ(runtime_.BlockOn(store_->Delete({}, "leases")).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(store_->Names().empty());
  EXPECT_GT(Create(Leases())->id, first);
  Reopen();
  EXPECT_EQ(store_->Describe("leases")->items, 0u);
}

TEST_F(TableStoreTest, ItemsGoAfterTheirTime) {
  TableDescription table = Leases();
  table.ttl_attribute = "expires";
  ASSERT_TRUE(Create(table).ok());
  const std::int64_t now = ToMs(clock_.Now()) / 1000;
  for (const auto& [key, expires] : {std::pair("soon", now + 30), std::pair("later", now + 3600)})
    ASSERT_EQ(Refusal(Put("leases", Item{{"leaseKey", Text(key)}, {"expires", Number(expires)}})), "");
  clock_.Advance(std::chrono::minutes(2));
  ASSERT_EQ(Refusal(Put("leases", Key("a write that sweeps"))), "");
  EXPECT_EQ(store_->Get("leases", Key("soon")).value(), std::nullopt);
  EXPECT_TRUE(store_->Get("leases", Key("later")).value().has_value());
}

async::Task<void> Increment(TableStore* store, int times, int* won) {
  for (int i = 0; i < times; ++i) {
    const Item key{{"leaseKey", Text("a")}};
    const Result<std::optional<Item>> now = store->Get("leases", key);
    Write write;
    write.kind = Write::Kind::kUpdate;
    write.table = "leases";
    write.item = key;
    write.update.add.push_back({PathOf("counter"), Number(1)});
    Condition same;
    same.op = Condition::Op::kEqual;
    same.operands = {Operand::OfPath(PathOf("counter")), Operand::Constant((**now).at("counter"))};
    write.condition = std::move(same);
    std::vector<Write> writes(1, std::move(write));
    Result<std::vector<WriteOutcome>> done = co_await store->Commit({}, std::move(writes));
    if (done.ok() && !done->front().refused) ++*won;
  }
}

TEST_F(TableStoreTest, OfChangesThatRaceEachSeesTheOneBefore) {
  ASSERT_TRUE(Create(Leases()).ok());
  ASSERT_EQ(Refusal(Put("leases", Lease("a", "w", 0))), "");
  int won = 0;  // one event loop: no lock
  async::TaskGroup group;
  for (int i = 0; i < 16; ++i)
    group.Spawn(runtime_.executor(0), "increment", Increment(store_.get(), 20, &won));
  ASSERT_TRUE(runtime_.BlockOn(group.Join()).ok());
  EXPECT_GE(won, 20);
  EXPECT_EQ(store_->Get("leases", Key("a"))->value().at("counter"), Number(won));
}

TEST_F(TableStoreTest, AFailedWriteIsToldAndTheStoreGoesOn) {
  kv::FaultFileSystem faults;
  config_.file_system = faults.handle();
  Reopen();
  ASSERT_TRUE(Create(Leases()).ok());
  ASSERT_EQ(Refusal(Put("leases", Lease("a", "w", 1))), "");
  faults.FailSyncs(true);
  EXPECT_TRUE(Refusal(Put("leases", Lease("b", "w"))).starts_with("unavailable"));
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w", 1)) << "reads go on";
  faults.FailSyncs(false);
  EXPECT_EQ(Refusal(Put("leases", Lease("c", "w"))), "");
  EXPECT_EQ(store_->Get("leases", Key("a")).value(), Lease("a", "w", 1));
  Reopen();
  EXPECT_EQ(store_->Get("leases", Key("c")).value(), Lease("c", "w"));
}

TEST_F(TableStoreTest, APowerCutLosesNothingThatWasAcknowledged) {
  kv::FaultFileSystem faults;
  config_.file_system = faults.handle();
  Reopen();
  ASSERT_TRUE(Create(Leases()).ok());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Refusal(Put("leases", Lease(std::to_string(i), "w", i))), "");
  faults.FailWritesWithNoSpace(true);
  faults.FailSyncs(true);
  store_.reset();
  faults.DropUnsynced();
  faults.FailWritesWithNoSpace(false);
  faults.FailSyncs(false);
  Reopen();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(store_->Get("leases", Key(std::to_string(i))).value(), Lease(std::to_string(i), "w", i));
}

}  // namespace
}  // namespace honryu::tables
