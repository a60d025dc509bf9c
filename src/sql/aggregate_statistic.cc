#include "sql/aggregate.h"
#include "sql/quantile_sketch.h"

#include <cmath>

namespace honryu::sql {
namespace {

using Args = Aggregate::Args;

struct Moments final : Heavy {
  double mean = 0, squares = 0;  ///< Sum of the squared distances from the mean.
  std::size_t Bytes() const override { return sizeof(*this); }
};

// Variance in one pass (Welford 1962), joined by the formula of Chan, Golub and LeVeque (1979).
class Variance final : public Aggregate {
 public:
  Variance(bool sample, bool root) : sample_(sample), root_(root) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Moments>();
    Moments& moments = static_cast<Moments&>(*slot.heavy);
    ++slot.count;
    const double x = args[0]->as_double(), before = x - moments.mean;
    moments.mean += before / static_cast<double>(slot.count);
    moments.squares += before * (x - moments.mean);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.count == 0) return;
    if (into.heavy == nullptr) into.heavy = std::make_unique<Moments>();
    Moments& a = static_cast<Moments&>(*into.heavy);
    const Moments& b = static_cast<const Moments&>(*other.heavy);
    const double n = static_cast<double>(into.count), m = static_cast<double>(other.count),
                 distance = b.mean - a.mean;
    a.squares += b.squares + distance * distance * n * m / (n + m);
    a.mean += distance * m / (n + m);
    into.count += other.count;
  }
  void Result(const Slot& slot, Value& out) const override {
    const std::int64_t divisor = slot.count - (sample_ ? 1 : 0);
    if (divisor <= 0) return out.SetNull();
    const double variance = static_cast<const Moments&>(*slot.heavy).squares / static_cast<double>(divisor);
    out.SetDouble(root_ ? std::sqrt(variance) : variance);
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.I64(slot.count);
    const auto* moments = static_cast<const Moments*>(slot.heavy.get());
    out.F64(moments == nullptr ? 0 : moments->mean);
    out.F64(moments == nullptr ? 0 : moments->squares);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.count = in.I64();
    auto moments = std::make_unique<Moments>();
    moments->mean = in.F64();
    moments->squares = in.F64();
    slot.heavy = std::move(moments);
  }

 private:
  bool sample_, root_;
};

struct Sketch final : Heavy {
  QuantileSketch quantiles;
  std::size_t Bytes() const override { return quantiles.Bytes(); }
};

class Percentile final : public Aggregate {
 public:
  explicit Percentile(double share) : share_(share) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    Of(slot).Add(args[0]->as_double());
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy != nullptr) Of(into).Merge(static_cast<const Sketch&>(*other.heavy).quantiles);
  }
  void Result(const Slot& slot, Value& out) const override {
    const auto* sketch = static_cast<const Sketch*>(slot.heavy.get());
    if (sketch == nullptr || sketch->quantiles.Count() == 0) return out.SetNull();
    out.SetDouble(sketch->quantiles.Quantile(share_));
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy != nullptr) static_cast<const Sketch&>(*slot.heavy).quantiles.Save(out);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() != 0) Of(slot).Load(in);
  }

 private:
  static QuantileSketch& Of(Slot& slot) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Sketch>();
    return static_cast<Sketch&>(*slot.heavy).quantiles;
  }
  double share_;
};

// EXP_AVG(x, interval): an average in which a row's weight falls to 1/e over the interval. The slot's `real`
// is the sum of weighted values, both as of the newest row's time.
struct Decayed final : Heavy {
  double sum = 0, weight = 0;
  std::int64_t time = 0;
  std::size_t Bytes() const override { return sizeof(*this); }
};

class ExponentialAverage final : public Aggregate {
 public:
  explicit ExponentialAverage(double scale_ms) : scale_ms_(scale_ms) {}
  void Add(Slot& slot, Args args, std::int64_t time, EvalContext&) const override {
    Take(slot, args[0]->as_double(), 1, time);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy == nullptr) return;
    const Decayed& from = static_cast<const Decayed&>(*other.heavy);
    Take(into, from.sum, from.weight, from.time);
  }
  void Result(const Slot& slot, Value& out) const override {
    if (slot.heavy == nullptr) return out.SetNull();
    const Decayed& state = static_cast<const Decayed&>(*slot.heavy);
    out.SetDouble(state.sum / state.weight);
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy == nullptr) return;
    const Decayed& state = static_cast<const Decayed&>(*slot.heavy);
    out.F64(state.sum);
    out.F64(state.weight);
    out.I64(state.time);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() == 0) return;
    auto state = std::make_unique<Decayed>();
    state->sum = in.F64();
    state->weight = in.F64();
    state->time = in.I64();
    slot.heavy = std::move(state);
  }

 private:
  void Take(Slot& slot, double sum, double weight, std::int64_t time) const {
    if (slot.heavy == nullptr) {
      slot.heavy = std::make_unique<Decayed>();
      static_cast<Decayed&>(*slot.heavy).time = time;
    }
    Decayed& state = static_cast<Decayed&>(*slot.heavy);
    const std::int64_t newest = std::max(state.time, time);
    const double old_factor = std::exp(-static_cast<double>(newest - state.time) / scale_ms_);
    const double new_factor = std::exp(-static_cast<double>(newest - time) / scale_ms_);
    state.sum = state.sum * old_factor + sum * new_factor;
    state.weight = state.weight * old_factor + weight * new_factor;
    state.time = newest;
  }
  double scale_ms_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeStatisticAggregate(AggregateRequest& request) {
  const std::string_view name = request.name;
  request.type = DoubleType();
  if (name == "STDDEV_POP") return std::make_unique<Variance>(false, true);
  if (name == "STDDEV_SAMP" || name == "STDDEV") return std::make_unique<Variance>(true, true);
  if (name == "VAR_POP") return std::make_unique<Variance>(false, false);
  if (name == "VAR_SAMP" || name == "VARIANCE") return std::make_unique<Variance>(true, false);
  if (name == "MEDIAN") return std::make_unique<Percentile>(0.5);
  if (name == "APPROX_PERCENTILE" || name == "PERCENTILE_CONT") {
    const std::optional<double> share = request.ConstantNumber(1);
    if (!share.has_value() || *share < 0 || *share > 1) {
      request.error = std::string(name) + " needs a constant share from 0 to 1";
      return nullptr;
    }
    return std::make_unique<Percentile>(*share);
  }
  if (name == "EXP_AVG") {
    const std::optional<double> scale = request.ConstantNumber(1);
    if (!scale.has_value() || *scale <= 0) {
      request.error = "EXP_AVG needs a constant interval above 0";
      return nullptr;
    }
    return std::make_unique<ExponentialAverage>(*scale);
  }
  return nullptr;
}

}  // namespace honryu::sql
