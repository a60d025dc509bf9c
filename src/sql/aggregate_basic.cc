#include "sql/aggregate.h"

namespace honryu::sql {
namespace {

using Args = Aggregate::Args;

class Count final : public Aggregate {
 public:
  void Add(Slot& slot, Args, std::int64_t, EvalContext&) const override { ++slot.count; }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override { into.count += other.count; }
  void Result(const Slot& slot, Value& out) const override { out.SetInt(slot.count); }
};

class CountIf final : public Aggregate {
 public:
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    slot.count += args[0]->as_bool();
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override { into.count += other.count; }
  void Result(const Slot& slot, Value& out) const override { out.SetInt(slot.count); }
};

void AddWhole(std::int64_t& sum, std::int64_t value, EvalContext& context) {
  if (__builtin_add_overflow(sum, value, &sum))
    context.Fail("NumericOverflow", "a sum left the range of whole numbers");
}

// SUM and AVG of whole numbers and decimals; NULL of no rows.
class SumWhole final : public Aggregate {
 public:
  explicit SumWhole(double divisor) : divisor_(divisor) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext& context) const override {
    ++slot.count;
    AddWhole(slot.whole, args[0]->as_int(), context);
  }
  void Merge(Slot& into, const Slot& other, EvalContext& context) const override {
    into.count += other.count;
    AddWhole(into.whole, other.whole, context);
  }
  void Result(const Slot& slot, Value& out) const override {
    if (slot.count == 0) return out.SetNull();
    if (divisor_ == 0) return out.SetInt(slot.whole);
    out.SetDouble(static_cast<double>(slot.whole) / divisor_ / static_cast<double>(slot.count));
  }

 private:
  double divisor_;  ///< Of AVG: units of the decimal to 1; 0: SUM.
};

class SumReal final : public Aggregate {
 public:
  explicit SumReal(bool average) : average_(average) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    if (slot.count++ == 0) slot.real = 0;
    slot.real += args[0]->as_double();
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.count == 0) return;
    into.real = (into.count == 0 ? 0 : into.real) + other.real;
    into.count += other.count;
  }
  void Result(const Slot& slot, Value& out) const override {
    if (slot.count == 0) return out.SetNull();
    out.SetDouble(average_ ? slot.real / static_cast<double>(slot.count) : slot.real);
  }

 private:
  bool average_;
};

struct Kept final : Heavy {
  Value value, rank;
  std::int64_t time = 0;
  std::size_t Bytes() const override {
    return sizeof(*this) + value.text().capacity() + rank.text().capacity();
  }
};

// Keeps the value of one row: the one that is best by value, by time or by a second argument.
class Pick final : public Aggregate {
 public:
  enum class By : std::uint8_t { kLeast, kGreatest, kFirst, kLast, kArgLeast, kArgGreatest };
  explicit Pick(By by) : by_(by) {}
  bool TakesNulls() const override { return by_ == By::kFirst || by_ == By::kLast; }
  void Add(Slot& slot, Args args, std::int64_t time, EvalContext&) const override {
    const bool ranked = by_ == By::kArgLeast || by_ == By::kArgGreatest;
    if (ranked && args[1]->is_null()) return;
    Take(slot, *args[0], ranked ? *args[1] : *args[0], time);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy == nullptr) return;
    const Kept& kept = static_cast<const Kept&>(*other.heavy);
    Take(into, kept.value, kept.rank, kept.time);
  }
  void Result(const Slot& slot, Value& out) const override {
    if (slot.heavy == nullptr) return out.SetNull();
    out = static_cast<const Kept&>(*slot.heavy).value;
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy == nullptr) return;
    const Kept& kept = static_cast<const Kept&>(*slot.heavy);
    out.Put(kept.value);
    out.Put(kept.rank);
    out.I64(kept.time);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() == 0) return;
    auto kept = std::make_unique<Kept>();
    in.Take(kept->value);
    in.Take(kept->rank);
    kept->time = in.I64();
    slot.heavy = std::move(kept);
  }

 private:
  void Take(Slot& slot, const Value& value, const Value& rank, std::int64_t time) const {
    if (slot.heavy == nullptr) {
      slot.heavy = std::make_unique<Kept>();
    } else if (!Better(value, rank, time, static_cast<const Kept&>(*slot.heavy))) {
      return;
    }
    Kept& kept = static_cast<Kept&>(*slot.heavy);
    kept.value = value;
    if (by_ == By::kArgLeast || by_ == By::kArgGreatest) kept.rank = rank;
    kept.time = time;
  }
  bool Better(const Value& value, const Value& rank, std::int64_t time, const Kept& kept) const {
    switch (by_) {
      case By::kLeast:
        return CompareValues(value, kept.value) < 0;
      case By::kGreatest:
        return CompareValues(value, kept.value) > 0;
      case By::kFirst:
        return time < kept.time;
      case By::kLast:
        return time >= kept.time;
      case By::kArgLeast:
        return CompareValues(rank, kept.rank) < 0;
      case By::kArgGreatest:
        return CompareValues(rank, kept.rank) > 0;
    }
    return false;
  }

  By by_;
};

struct KeptList final : Heavy {
  std::vector<std::pair<std::int64_t, Value>> rows;  ///< Ordered by time.
  std::size_t text_bytes = 0;
  static std::size_t TextBytes(const Value& value) {
    return value.tag() == Value::Tag::kText ? value.text().size() : 0;
  }
  std::size_t Bytes() const override {
    return sizeof(*this) + rows.capacity() * sizeof(rows[0]) + text_bytes;
  }
};

// NTH_VALUE(x, n): the n-th from the front; LAG(x, n): the n-th before the last one.
class Nth final : public Aggregate {
 public:
  Nth(std::size_t number, bool from_back) : number_(number), from_back_(from_back) {}
  bool TakesNulls() const override { return true; }
  void Add(Slot& slot, Args args, std::int64_t time, EvalContext&) const override {
    Insert(slot, time, *args[0]);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy == nullptr) return;
    const auto& kept_rows = static_cast<const KeptList&>(*other.heavy).rows;
    for (const auto& [time, value] : kept_rows) Insert(into, time, value);
  }
  void Result(const Slot& slot, Value& out) const override {
    out.SetNull();
    if (slot.heavy == nullptr) return;
    const auto& rows = static_cast<const KeptList&>(*slot.heavy).rows;
    if (from_back_ && rows.size() > number_) out = rows[rows.size() - 1 - number_].second;
    if (!from_back_ && rows.size() >= number_) out = rows[number_ - 1].second;
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    const auto* list = static_cast<const KeptList*>(slot.heavy.get());
    out.U64(list == nullptr ? 0 : list->rows.size());
    if (list == nullptr) return;
    for (const auto& [time, value] : list->rows) {
      out.I64(time);
      out.Put(value);
    }
  }
  void Load(Slot& slot, StateReader& in) const override {
    auto list = std::make_unique<KeptList>();
    list->rows.resize(in.Count(9));
    for (auto& [time, value] : list->rows) {
      time = in.I64();
      in.Take(value);
      list->text_bytes += KeptList::TextBytes(value);
    }
    slot.heavy = std::move(list);
  }

 private:
  void Insert(Slot& slot, std::int64_t time, const Value& value) const {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<KeptList>();
    auto& list = static_cast<KeptList&>(*slot.heavy);
    auto& rows = list.rows;
    auto at = rows.end();
    while (at != rows.begin() && (at - 1)->first > time) --at;
    rows.emplace(at, time, value);
    list.text_bytes += KeptList::TextBytes(value);
    const auto drop = [&](auto row) {
      list.text_bytes -= KeptList::TextBytes(row->second);
      rows.erase(row);
    };
    if (from_back_ && rows.size() > number_ + 1) drop(rows.begin());
    if (!from_back_ && rows.size() > number_) drop(rows.end() - 1);
  }

  std::size_t number_;
  bool from_back_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeBasicAggregate(AggregateRequest& request) {
  const std::string_view name = request.name;
  if (name == "COUNT" && !request.distinct && request.args.size() < 2) {
    request.type = BigIntType();
    return std::make_unique<Count>();
  }
  if (name == "COUNT_IF") {
    request.type = BigIntType();
    return std::make_unique<CountIf>();
  }
  if (name == "SUM" || name == "AVG") {
    const Type of = request.args[0]->type;
    const bool average = name == "AVG";
    request.type = average || of.IsFloat() ? DoubleType() : of.IsDecimal() ? of : BigIntType();
    if (of.IsFloat()) return std::make_unique<SumReal>(average);
    double divisor = average ? 1 : 0;
    for (int i = 0; i < of.scale && average; ++i) divisor *= 10;
    return std::make_unique<SumWhole>(divisor);
  }
  if (name == "NTH_VALUE" || name == "LAG") {
    const bool lag = name == "LAG";
    const double number = request.args.size() > 1 ? request.ConstantNumber(1).value_or(-1) : 1;
    if (number < (lag ? 0 : 1) || number > 1000) {
      request.error = std::string(name) + " needs a constant number up to 1000";
      return nullptr;
    }
    request.type = request.args[0]->type;
    return std::make_unique<Nth>(static_cast<std::size_t>(number), lag);
  }
  using By = Pick::By;
  std::optional<By> by;
  if (name == "MIN") by = By::kLeast;
  if (name == "MAX") by = By::kGreatest;
  if (name == "FIRST_VALUE" || name == "ANY_VALUE" || name == "EARLIEST_BY_OFFSET") by = By::kFirst;
  if (name == "LAST_VALUE" || name == "LATEST_BY_OFFSET") by = By::kLast;
  if (name == "ARG_MIN") by = By::kArgLeast;
  if (name == "ARG_MAX") by = By::kArgGreatest;
  if (!by.has_value()) return nullptr;
  request.type = request.args[0]->type;
  return std::make_unique<Pick>(*by);
}

}  // namespace honryu::sql
