#include "honryu/anomaly/hotspots.h"
#include "sql/cast.h"
#include "sql/state_io.h"
#include "sql/table_builtin.h"

#include <cmath>
#include <deque>
#include <limits>

namespace honryu::sql {
namespace {

using anomaly::HotspotFinder;
using anomaly::HotspotOptions;
using Point = std::vector<double>;

// The dense regions of the last rows: the cursor's columns and HOTSPOTS_RESULT. A row with a NULL is no
// point: it shows the regions as they are.
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
    bool whole = true;
    for (const std::size_t column : numeric_) {
      Value value;
      if (!row.values[column].is_null())
        CastValue(row.values[column], output_[column].type, DoubleType(), false, value);
      point.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.as_double());
      whole = whole && std::isfinite(point.back());
    }
    Row out = row;
    out.values.resize(output_.size() - 1);
    out.values.push_back(Value::Text(anomaly::HotspotsJson(finder_.Process(point))));
    if (whole) points_.push_back(std::move(point));
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
    const std::size_t count = in.Count(8);
    if (count > options_.window_size)
      return Error(ErrorCode::kCorrupt, "the state of HOTSPOTS has more points than its window");
    points_.assign(count, {});
    HONRYU_TRY(finder_, HotspotFinder::Create(options_));
    for (Point& point : points_) {
      point.resize(numeric_.size());
      for (double& x : point) {
        x = in.F64();
        if (!std::isfinite(x)) return Error(ErrorCode::kCorrupt, "the state of HOTSPOTS holds no numbers");
      }
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
  const auto bad = [](std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); };
  if (arguments.size() != 3)
    return bad("expected CURSOR, windowSize, scanRadius, minimumNumberOfPointsInACluster");
  const auto whole = [&arguments](std::size_t i, std::int64_t least, std::int64_t most) {
    const TableFunctionArgument& given = arguments[i];
    return given.type.IsInteger() && !given.value.is_null() && given.value.as_int() >= least &&
           given.value.as_int() <= most;
  };
  if (!whole(0, 100, 1000)) return bad("windowSize must be a whole number from 100 to 1000");
  const std::int64_t window = arguments[0].value.as_int();
  Value radius;
  if (arguments[1].type.IsNumeric() && !arguments[1].value.is_null())
    CastValue(arguments[1].value, arguments[1].type, DoubleType(), false, radius);
  if (radius.is_null() || !(radius.as_double() > 0)) return bad("scanRadius must be a number above 0");
  if (!whole(2, 2, window))
    return bad("minimumNumberOfPointsInACluster must be a whole number from 2 to " + std::to_string(window) +
               ", the windowSize");
  std::vector<std::size_t> numeric;
  for (std::size_t i = 0; i < cursor.size(); ++i)
    if (cursor[i].type.IsNumeric()) numeric.push_back(i);
  if (numeric.empty()) return bad("the cursor has no numeric column");
  HotspotOptions options;
  options.dimensions = numeric.size();
  options.window_size = static_cast<std::size_t>(window);
  options.scan_radius = radius.as_double();
  options.minimum_points = static_cast<std::size_t>(arguments[2].value.as_int());
  HONRYU_TRY(HotspotFinder finder, HotspotFinder::Create(options));
  return std::unique_ptr<TableFunction>(
      std::make_unique<Hotspots>(cursor, std::move(numeric), options, std::move(finder)));
}

}  // namespace honryu::sql
