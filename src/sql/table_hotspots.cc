#include "honryu/codec/json.h"
#include "sql/cast.h"
#include "sql/state_io.h"
#include "sql/table_builtin.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

namespace honryu::sql {
namespace {

using Point = std::vector<double>;

// Regions that are denser than the rest, among the last rows: clusters by DBSCAN (Ester, Kriegel, Sander, Xu
// 1996) with the scan radius and the minimum number of points. Neighbours are found by a grid of cells as
// wide as the radius.
class Hotspots final : public TableFunction {
 public:
  Hotspots(const Columns& cursor, std::size_t window, double radius, std::size_t minimum)
      : output_(cursor), window_(window), radius_(radius), minimum_(minimum) {
    for (std::size_t i = 0; i < cursor.size(); ++i)
      if (cursor[i].type.IsNumeric()) numeric_.push_back(i);
    output_.push_back({"HOTSPOTS_RESULT", VarcharType()});
  }
  std::size_t dimensions() const { return numeric_.size(); }
  const Columns& output() const override { return output_; }

  void OnRow(const Row& row, const Emitter& emit) override {
    Point point;
    for (const std::size_t column : numeric_) {
      Value value;
      if (row.values[column].is_null()) return;
      CastValue(row.values[column], output_[column].type, DoubleType(), false, value);
      point.push_back(value.as_double());
    }
    points_.push_back(std::move(point));
    if (points_.size() > window_) points_.pop_front();
    Row out = row;
    out.values.resize(output_.size() - 1);
    out.values.push_back(Value::Text(Find()));
    emit(out);
  }
  void OnWatermark(std::int64_t, const Emitter&) override {}

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
    for (Point& point : points_) {
      point.resize(numeric_.size());
      for (double& x : point) x = in.F64();
    }
    if (!in.ok() || !in.AtEnd()) return Error(ErrorCode::kCorrupt, "the state of HOTSPOTS is damaged");
    return Ok();
  }
  std::string Describe() const override {
    return "the last " + std::to_string(window_) + " rows, at least " + std::to_string(minimum_) + " points";
  }

 private:
  using Cell = std::vector<std::int64_t>;

  Cell CellOf(const Point& point) const {
    Cell cell;
    for (const double x : point)
      cell.push_back(static_cast<std::int64_t>(std::floor(std::clamp(x / radius_, -1e15, 1e15))));
    return cell;
  }

  // Points within the radius, of the cells around, by number.
  std::vector<std::size_t> Near(std::size_t number,
                                const std::map<Cell, std::vector<std::size_t>>& grid) const {
    std::vector<std::size_t> near;
    const Cell middle = CellOf(points_[number]);
    std::size_t cells = 1;
    for (std::size_t d = 0; d < middle.size(); ++d) cells *= 3;
    for (std::size_t code = 0; code < cells; ++code) {
      Cell cell = middle;
      for (std::size_t d = 0, rest = code; d < cell.size(); ++d, rest /= 3)
        cell[d] += static_cast<std::int64_t>(rest % 3) - 1;
      const auto found = grid.find(cell);
      if (found == grid.end()) continue;
      for (const std::size_t other : found->second) {
        double square = 0;
        for (std::size_t d = 0; d < numeric_.size(); ++d) {
          const double distance = points_[number][d] - points_[other][d];
          square += distance * distance;
        }
        if (square <= radius_ * radius_) near.push_back(other);
      }
    }
    return near;
  }

  std::string Find() const {
    std::map<Cell, std::vector<std::size_t>> grid;
    for (std::size_t i = 0; i < points_.size(); ++i) grid[CellOf(points_[i])].push_back(i);
    std::vector<bool> seen(points_.size(), false);
    std::string json;
    codec::JsonWriter writer(json);
    writer.BeginObject();
    writer.Key("hotspots");
    writer.BeginArray();
    for (std::size_t i = 0; i < points_.size(); ++i) {
      if (seen[i]) continue;
      const auto start = Near(i, grid);
      if (start.size() < minimum_) continue;
      seen[i] = true;
      std::vector<std::size_t> members = {i}, queue = start;
      while (!queue.empty()) {
        const std::size_t next = queue.back();
        queue.pop_back();
        if (seen[next]) continue;
        seen[next] = true;
        members.push_back(next);
        const auto around = Near(next, grid);
        if (around.size() >= minimum_) queue.insert(queue.end(), around.begin(), around.end());
      }
      Write(members, writer);
    }
    writer.EndArray();
    writer.EndObject();
    return json;
  }

  // Density: points to a unit of volume of the box around them, no side of which counts as less than the
  // radius.
  void Write(const std::vector<std::size_t>& members, codec::JsonWriter& writer) const {
    Point low = points_[members[0]], high = low;
    for (const std::size_t member : members) {
      for (std::size_t d = 0; d < low.size(); ++d) {
        low[d] = std::min(low[d], points_[member][d]);
        high[d] = std::max(high[d], points_[member][d]);
      }
    }
    double volume = 1;
    for (std::size_t d = 0; d < low.size(); ++d) volume *= std::max(high[d] - low[d], radius_);
    writer.BeginObject();
    writer.Key("density");
    writer.Double(static_cast<double>(members.size()) / volume);
    for (const auto* bound : {&low, &high}) {
      writer.Key(bound == &low ? "minValues" : "maxValues");
      writer.BeginArray();
      for (const double x : *bound) writer.Double(x);
      writer.EndArray();
    }
    writer.EndObject();
  }

  Columns output_;
  std::size_t window_;
  double radius_;
  std::size_t minimum_;
  std::vector<std::size_t> numeric_;
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
  auto made = std::make_unique<Hotspots>(cursor, static_cast<std::size_t>(numbers[0]), numbers[1],
                                         static_cast<std::size_t>(numbers[2]));
  if (made->dimensions() == 0 || made->dimensions() > 6)
    return bad("the cursor must have 1 to 6 numeric columns");
  return std::unique_ptr<TableFunction>(std::move(made));
}

}  // namespace honryu::sql
