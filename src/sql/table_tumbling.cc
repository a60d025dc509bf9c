#include "honryu/analytics/distinct_counter.h"
#include "honryu/analytics/window.h"
#include "sql/lexer.h"
#include "sql/state_io.h"
#include "sql/table_builtin.h"
#include "sql/top_counter.h"
#include "sql/window.h"

#include <map>
#include <optional>

namespace honryu::sql {
namespace {

Error Bad(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

// 'user_id': exactly, else in any case.
std::optional<std::size_t> ColumnOf(const Columns& columns, const TableFunctionArgument& argument) {
  if (argument.value.tag() != Value::Tag::kText) return {};
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == argument.value.text()) return i;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (UpperCase(columns[i].name) == UpperCase(argument.value.text())) return i;
  return {};
}

// A number a function of `windows` counts in tumbling windows of the row's time.
template <class Counter>
class Tumbling : public TableFunction {
 public:
  Tumbling(std::size_t column, Type type, std::int64_t size_ms)
      : column_(column), type_(type), size_ms_(size_ms) {}
  void OnRow(const Row& row, const Emitter&) override {
    const Value& value = row.values[column_];
    if (value.is_null() || row.time < watermark_) return;
    Counter& counter = windows_[analytics::WindowStart(row.time, size_ms_) + size_ms_];
    Count(counter, ValueToText(value, type_));
  }
  void OnWatermark(std::int64_t watermark_ms, const Emitter& emit) override {
    watermark_ = watermark_ms;
    while (!windows_.empty() && windows_.begin()->first <= watermark_ms) {
      Give(windows_.begin()->first, windows_.begin()->second, emit);
      windows_.erase(windows_.begin());
    }
  }
  std::string Snapshot() const override {
    std::string out;
    StateWriter writer(out);
    writer.I64(watermark_);
    writer.U64(windows_.size());
    for (const auto& [end, counter] : windows_) {
      writer.I64(end);
      SaveCounter(counter, writer);
    }
    return out;
  }
  Result<void> Restore(std::string_view bytes) override {
    StateReader in(bytes);
    windows_.clear();
    watermark_ = in.I64();
    for (std::uint64_t left = in.Count(8); left > 0 && in.ok(); --left) {
      const std::int64_t end = in.I64();
      LoadCounter(windows_[end], in);
    }
    if (!in.ok() || !in.AtEnd())
      return Error(ErrorCode::kCorrupt, "the state of a table function is damaged");
    return Ok();
  }
  const Columns& output() const override { return output_; }
  std::size_t StateBytes() const override {
    std::size_t bytes = 0;
    for (const auto& [end, counter] : windows_) bytes += 64 + CounterBytes(counter);
    return bytes;
  }

 protected:
  virtual void Count(Counter& counter, const std::string& text) = 0;
  virtual void Give(std::int64_t end, const Counter& counter, const Emitter& emit) = 0;
  virtual void SaveCounter(const Counter& counter, StateWriter& out) const = 0;
  virtual void LoadCounter(Counter& counter, StateReader& in) = 0;
  virtual std::size_t CounterBytes(const Counter& counter) const = 0;
  Columns output_;
  std::size_t column_;
  Type type_;
  std::int64_t size_ms_;

 private:
  std::int64_t watermark_ = kNoWatermark;
  std::map<std::int64_t, Counter> windows_;  ///< By end.
};

// COUNT_DISTINCT_ITEMS_TUMBLING(cursor, 'column', seconds): exactly to 16384 items, then by HyperLogLog.
class DistinctItems final : public Tumbling<analytics::DistinctCounter> {
 public:
  DistinctItems(std::size_t column, Type type, std::int64_t size_ms) : Tumbling(column, type, size_ms) {
    output_ = {{"NUMBER_OF_DISTINCT_ITEMS", BigIntType()}};
  }
  std::string Describe() const override { return "tumbling " + DurationText(size_ms_); }

 private:
  void Count(analytics::DistinctCounter& counter, const std::string& text) override { counter.Add(text); }
  void Give(std::int64_t end, const analytics::DistinctCounter& counter, const Emitter& emit) override {
    Row row;
    row.time = end;
    row.values = {Value::Int(static_cast<std::int64_t>(counter.Count()))};
    emit(row);
  }
  void SaveCounter(const analytics::DistinctCounter& counter, StateWriter& out) const override {
    out.Text(counter.Save());
  }
  void LoadCounter(analytics::DistinctCounter& counter, StateReader& in) override {
    if (!counter.Restore(in.Text())) in.Fail();
  }
  std::size_t CounterBytes(const analytics::DistinctCounter& counter) const override {
    return sizeof(counter) + counter.MemoryBytes();
  }
};

// TOP_K_ITEMS_TUMBLING(cursor, 'column', k, seconds)
class TopItems final : public Tumbling<TopCounter> {
 public:
  TopItems(std::size_t column, Type type, std::int64_t size_ms, std::size_t most)
      : Tumbling(column, type, size_ms), most_(most) {
    output_ = {{"ITEM", VarcharType()}, {"ITEM_COUNT", BigIntType()}};
  }
  std::string Describe() const override {
    return "the " + std::to_string(most_) + " most frequent, tumbling " + DurationText(size_ms_);
  }

 private:
  void Count(TopCounter& counter, const std::string& text) override { counter.Add(text, 1); }
  void Give(std::int64_t end, const TopCounter& counter, const Emitter& emit) override {
    Row row;
    row.time = end;
    for (const auto& [item, count] : counter.Best(most_)) {
      row.values = {Value::Text(item), Value::Int(count)};
      emit(row);
    }
  }
  void SaveCounter(const TopCounter& counter, StateWriter& out) const override { counter.Save(out); }
  void LoadCounter(TopCounter& counter, StateReader& in) override { counter.Load(in); }
  std::size_t CounterBytes(const TopCounter& counter) const override { return counter.Bytes(); }

  std::size_t most_;
};

Result<std::int64_t> WholeArgument(const std::vector<TableFunctionArgument>& arguments, std::size_t index,
                                   std::int64_t least, std::int64_t most, std::string_view what) {
  if (index < arguments.size() && arguments[index].type.IsInteger()) {
    const std::int64_t value = arguments[index].value.as_int();
    if (value >= least && value <= most) return value;
  }
  return Bad(std::string(what) + " must be a whole number from " + std::to_string(least) + " to " +
             std::to_string(most));
}

Result<std::unique_ptr<TableFunction>> MakeTumbling(const Columns& cursor,
                                                    const std::vector<TableFunctionArgument>& arguments,
                                                    bool top) {
  const std::size_t count = top ? 3 : 2;
  if (arguments.size() != count)
    return Bad(top ? "expected CURSOR, column, k, seconds" : "expected CURSOR, column, seconds");
  const std::optional<std::size_t> column = ColumnOf(cursor, arguments[0]);
  if (!column.has_value()) return Bad("the second argument names no column of the cursor");
  HONRYU_TRY(const std::int64_t seconds,
             WholeArgument(arguments, count - 1, 1, 3600, "the window's seconds"));
  const Type type = cursor[*column].type;
  if (!top)
    return std::unique_ptr<TableFunction>(std::make_unique<DistinctItems>(*column, type, seconds * 1000));
  HONRYU_TRY(const std::int64_t most, WholeArgument(arguments, 1, 1, 100'000, "k"));
  return std::unique_ptr<TableFunction>(
      std::make_unique<TopItems>(*column, type, seconds * 1000, static_cast<std::size_t>(most)));
}

}  // namespace

void AddBuiltInTableFunctions(TableFunctionRegistry& registry) {
  registry.try_emplace("COUNT_DISTINCT_ITEMS_TUMBLING",
                       [](const Columns& cursor, const std::vector<TableFunctionArgument>& arguments) {
                         return MakeTumbling(cursor, arguments, false);
                       });
  registry.try_emplace("TOP_K_ITEMS_TUMBLING",
                       [](const Columns& cursor, const std::vector<TableFunctionArgument>& arguments) {
                         return MakeTumbling(cursor, arguments, true);
                       });
  registry.try_emplace("HOTSPOTS", MakeHotspots);
  registry.try_emplace("RANDOM_CUT_FOREST",
                       [](const Columns& cursor, const std::vector<TableFunctionArgument>& arguments) {
                         return MakeForest(cursor, arguments, false);
                       });
  registry.try_emplace("RANDOM_CUT_FOREST_WITH_EXPLANATION",
                       [](const Columns& cursor, const std::vector<TableFunctionArgument>& arguments) {
                         return MakeForest(cursor, arguments, true);
                       });
}

}  // namespace honryu::sql
