#include "honryu/anomaly/hotspots.h"
#include "sql/cast.h"
#include "sql/state_io.h"
#include "sql/table_builtin.h"

#include <deque>
#include <optional>

namespace honryu::sql {
namespace {

using anomaly::HotspotFinder;
using anomaly::HotspotOptions;
using Point = std::vector<double>;

// The dense regions of the last rows: the cursor's columns and HOTSPOTS_RESULT.
class Hotspots final : public TableFunction {
 public:
  Hotspots(const Columns& cursor, std::vector<std::size_t> numeric, const HotspotOptions& options,
           HotspotFinder finder)
      : output_(cursor), numeric_(std::move(numeric)), options_(options), finder_(std::move(finder)) {
    output_.push_back({"HOTSPOTS_RESULT", VarcharType()});
  }
  const Columns& output() const override { return output_; }

  void OnRow(const Row& row, const Emitter& emit) override {
    Point point;
    for (const std::size_t column : numeric_) {
      Value value;
      if (row.values[column].is_null()) return;
      CastValue(row.values[column], output_[column].type, DoubleType(), false, value);
      point.push_back(value.as_double());
    }
    Row out = row;
    out.values.resize(output_.size() - 1);
    out.values.push_back(Value::Text(anomaly::HotspotsJson(finder_.Process(point))));
    points_.push_back(std::move(point));
    if (points_.size() > options_.window_size) points_.pop_front();
    emit(out);
  }
  void OnWatermark(std::int64_t, const Emitter&) override {}

  // The finder is made of the points of its window and nothing else.
  std::string Snapshot() const override {
    std::string out;
    StateWriter writer(out);
    writer.U64(points_.size());
    for (const Point& point : points_)
      for (const double x : point) writer.F64(x);
    return out;
  }
  Result<void> Restore(std::string_view bytes) override {
    StateReader in(bytes);
    points_.resize(in.Count(8));
    HONRYU_TRY(finder_, HotspotFinder::Create(options_));
    for (Point& point : points_) {
      point.resize(numeric_.size());
      for (double& x : point) x = in.F64();
      finder_.Process(point);
    }
    if (!in.ok() || !in.AtEnd()) return Error(ErrorCode::kCorrupt, "the state of HOTSPOTS is damaged");
    return Ok();
  }
  std::size_t StateBytes() const override {
    return options_.window_size * options_.window_size / 8 +
           points_.size() * (sizeof(Point) + 2 * numeric_.size() * sizeof(double));
  }
  std::string Describe() const override {
    return "the last " + std::to_string(options_.window_size) + " rows, at least " +
           std::to_string(options_.minimum_points) + " points";
  }

 private:
  Columns output_;
  std::vector<std::size_t> numeric_;
  HotspotOptions options_;
  HotspotFinder finder_;
  std::deque<Point> points_;
};

}  // namespace

Result<std::unique_ptr<TableFunction>> MakeHotspots(const Columns& cursor,
                                                    const std::vector<TableFunctionArgument>& arguments) {
  const auto bad = [](const char* message) { return Error(ErrorCode::kInvalidArgument, message); };
  if (arguments.size() != 3)
    return bad("expected CURSOR, window size, scan radius, minimum number of points");
  double numbers[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    Value value;
    if (!arguments[i].type.IsNumeric() || arguments[i].value.is_null()) return bad("expected numbers");
    CastValue(arguments[i].value, arguments[i].type, DoubleType(), false, value);
    numbers[i] = value.as_double();
  }
  if (numbers[0] < 100 || numbers[0] > 1000) return bad("the window size must be 100 to 1000 rows");
  if (!(numbers[1] > 0)) return bad("the scan radius must be above 0");
  if (numbers[2] < 2 || numbers[2] > numbers[0]) return bad("the minimum number of points must be 2 or more");
  std::vector<std::size_t> numeric;
  for (std::size_t i = 0; i < cursor.size(); ++i)
    if (cursor[i].type.IsNumeric()) numeric.push_back(i);
  if (numeric.empty()) return bad("the cursor must have a numeric column");
  HotspotOptions options;
  options.dimensions = numeric.size();
  options.window_size = static_cast<std::size_t>(numbers[0]);
  options.scan_radius = numbers[1];
  options.minimum_points = static_cast<std::size_t>(numbers[2]);
  HONRYU_TRY(HotspotFinder finder, HotspotFinder::Create(options));
  return std::unique_ptr<TableFunction>(
      std::make_unique<Hotspots>(cursor, std::move(numeric), options, std::move(finder)));
}

}  // namespace honryu::sql
