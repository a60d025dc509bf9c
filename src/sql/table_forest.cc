#include "honryu/anomaly/explanation.h"
#include "honryu/anomaly/random_cut_forest.h"
#include "honryu/anomaly/threshold.h"
#include "sql/cast.h"
#include "sql/state_io.h"
#include "sql/table_builtin.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace honryu::sql {
namespace {

using anomaly::AdaptiveThreshold;
using anomaly::Attribution;
using anomaly::ColumnSpread;
using anomaly::ForestOptions;
using anomaly::RandomCutForest;

// Rows that a forest learns in silence, beside its shingle. Kinesis waits until the sample is full: at one
// row a minute and a sample of 256 that is more than four hours.
constexpr std::size_t kSilentRows = 32;

struct ForestArguments {
  ForestOptions forest;
  bool explain = false;
  bool with_direction = false;
};

// RANDOM_CUT_FOREST(cursor, trees, sample, time decay, shingle) and RANDOM_CUT_FOREST_WITH_EXPLANATION(…,
// with direction): the cursor's columns, ANOMALY_SCORE, then ANOMALY_EXPLANATION; behind them, and not part
// of *, ANOMALY_GRADE: 0 to 1, by a threshold that follows the stream.
class Forest final : public TableFunction {
 public:
  Forest(const Columns& cursor, std::vector<std::size_t> numeric, const ForestArguments& arguments,
         RandomCutForest forest)
      : output_(cursor),
        width_(cursor.size()),
        numeric_(std::move(numeric)),
        arguments_(arguments),
        forest_(std::move(forest)),
        threshold_({.shingled = arguments.forest.shingle > 1}),
        spread_(numeric_.size(), arguments.forest.time_decay) {
    for (const std::size_t column : numeric_) names_.push_back(cursor[column].name);
    output_.push_back({"ANOMALY_SCORE", DoubleType()});
    if (arguments_.explain) output_.push_back({"ANOMALY_EXPLANATION", VarcharType()});
    output_.push_back({"ANOMALY_GRADE", DoubleType()});
  }

  const Columns& output() const override { return output_; }
  std::size_t hidden() const override { return 1; }

  void OnRow(const Row& row, const Emitter& emit) override {
    numbers_.clear();
    for (const std::size_t column : numeric_) {
      Value number;
      if (!row.values[column].is_null())
        CastValue(row.values[column], output_[column].type, DoubleType(), false, number);
      numbers_.push_back(number.is_null() ? std::numeric_limits<double>::quiet_NaN() : number.as_double());
    }
    Attribution attribution;
    const double score = forest_.Process(numbers_, arguments_.explain ? &attribution : nullptr);
    const double grade = threshold_.Grade(score);
    Row out = row;
    out.values.resize(width_);
    out.values.push_back(Value::Double(score));
    if (arguments_.explain) {
      std::vector<double> strengths;
      for (std::size_t i = 0; i < numbers_.size(); ++i) strengths.push_back(spread_.Strength(i, numbers_[i]));
      spread_.Learn(numbers_);
      out.values.push_back(
          Value::Text(anomaly::ExplanationJson(names_, attribution, strengths, arguments_.with_direction)));
    }
    out.values.push_back(Value::Double(grade));
    emit(out);
  }
  void OnWatermark(std::int64_t, const Emitter&) override {}

  std::string Snapshot() const override {
    std::string out;
    StateWriter writer(out);
    writer.Text(forest_.Snapshot());
    std::string threshold;
    threshold_.AppendState(threshold);
    writer.Text(threshold);
    spread_.AppendState(out);
    return out;
  }
  Result<void> Restore(std::string_view bytes) override {
    StateReader in(bytes);
    HONRYU_TRY(RandomCutForest forest, RandomCutForest::Restore(in.Text()));
    const ForestOptions& found = forest.options();
    const ForestOptions& wanted = arguments_.forest;
    if (found.dimensions != wanted.dimensions || found.trees != wanted.trees ||
        found.sample_size != wanted.sample_size || found.time_decay != wanted.time_decay ||
        found.shingle != wanted.shingle)
      return Error(ErrorCode::kCorrupt, "the forest was made with other columns or arguments");
    BytesView threshold = in.Text();
    HONRYU_TRY_VOID(threshold_.TakeState(&threshold));
    BytesView spread = in.Rest();
    HONRYU_TRY_VOID(spread_.TakeState(&spread));
    if (!in.ok() || !threshold.empty() || !spread.empty())
      return Error(ErrorCode::kCorrupt, "the state of RANDOM_CUT_FOREST is damaged");
    forest_ = std::move(forest);
    return Ok();
  }
  std::size_t StateBytes() const override { return forest_.MemoryBytes(); }

  std::string Describe() const override {
    const ForestOptions& forest = arguments_.forest;
    return std::to_string(forest.trees) + " trees of " + std::to_string(forest.sample_size) + ", decay " +
           std::to_string(forest.time_decay) + ", shingle " + std::to_string(forest.shingle) + ", of " +
           std::to_string(names_.size()) + (names_.size() == 1 ? " column" : " columns");
  }

 private:
  Columns output_;
  std::size_t width_;
  std::vector<std::size_t> numeric_;
  ForestArguments arguments_;
  RandomCutForest forest_;
  AdaptiveThreshold threshold_;
  ColumnSpread spread_;
  std::vector<std::string> names_;
  std::vector<double> numbers_;
};

Error Bad(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

struct Bound64 {
  const char* what;
  std::int64_t least, most, usual;
};
// Kinesis Analytics SQL reference, RANDOM_CUT_FOREST.
constexpr Bound64 kBounds[] = {{"numberOfTrees", 1, 1000, 100},
                               {"subSampleSize", 10, 1000, 256},
                               {"timeDecay", 1, 2'147'483'647, 100'000},
                               {"shingleSize", 1, 30, 1}};

}  // namespace

Result<std::unique_ptr<TableFunction>> MakeForest(const Columns& cursor,
                                                  const std::vector<TableFunctionArgument>& arguments,
                                                  bool explain) {
  const std::size_t most = explain ? 5 : 4;
  if (arguments.size() > most) {
    return Bad(explain ? "expected CURSOR, numberOfTrees, subSampleSize, timeDecay, shingleSize, "
                         "withDirectionality"
                       : "expected CURSOR, numberOfTrees, subSampleSize, timeDecay, shingleSize");
  }
  std::int64_t numbers[4] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    const Bound64& bound = kBounds[i];
    numbers[i] = bound.usual;
    if (i >= arguments.size()) continue;
    const TableFunctionArgument& given = arguments[i];
    if (!given.type.IsInteger() || given.value.is_null() || given.value.as_int() < bound.least ||
        given.value.as_int() > bound.most)
      return Bad(std::string(bound.what) + " must be a whole number from " + std::to_string(bound.least) +
                 " to " + std::to_string(bound.most));
    numbers[i] = given.value.as_int();
  }
  ForestArguments made;
  made.explain = explain;
  if (arguments.size() == 5) {
    if (!arguments[4].type.Is(TypeKind::kBoolean) || arguments[4].value.is_null())
      return Bad("withDirectionality must be true or false");
    made.with_direction = arguments[4].value.as_bool();
  }
  std::vector<std::size_t> numeric;
  for (std::size_t i = 0; i < cursor.size(); ++i)
    if (cursor[i].type.IsNumeric() && !cursor[i].type.IsDecimal()) numeric.push_back(i);
  if (numeric.empty())
    return Bad("the cursor has no numeric column for the forest (DECIMAL does not count: CAST it to DOUBLE)");
  made.forest.dimensions = numeric.size();
  made.forest.trees = static_cast<std::size_t>(numbers[0]);
  made.forest.sample_size = static_cast<std::size_t>(numbers[1]);
  made.forest.time_decay = static_cast<std::uint64_t>(numbers[2]);
  made.forest.shingle = static_cast<std::size_t>(numbers[3]);
  made.forest.silent_rows = std::min(made.forest.sample_size, made.forest.shingle + kSilentRows);
  HONRYU_TRY(RandomCutForest forest, RandomCutForest::Create(made.forest));
  return std::unique_ptr<TableFunction>(
      std::make_unique<Forest>(cursor, std::move(numeric), made, std::move(forest)));
}

}  // namespace honryu::sql
