#include "honryu/analytics/distinct_counter.h"
#include "honryu/codec/json.h"
#include "sql/aggregate.h"
#include "sql/cast.h"
#include "sql/top_counter.h"

namespace honryu::sql {
namespace {

using Args = Aggregate::Args;

struct Distinct final : Heavy {
  analytics::DistinctCounter counter;
  std::size_t Bytes() const override { return sizeof(*this) + counter.MemoryBytes(); }
};

// COUNT(DISTINCT …): exactly to 16384 values, then by HyperLogLog. HLL_SKETCH gives the state itself, and
// HLL_MERGE counts the union of such states.
class DistinctCount final : public Aggregate {
 public:
  enum class Form : std::uint8_t { kCount, kSketch, kMerge };
  explicit DistinctCount(Form form) : form_(form) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext& context) const override {
    if (form_ == Form::kMerge) {
      analytics::DistinctCounter other;
      if (!other.Restore(args[0]->text()))
        return context.Fail("InvalidCast", "HLL_MERGE needs what HLL_SKETCH gave");
      Of(slot).Merge(other);
      return;
    }
    key_.clear();
    for (const Value* arg : args) {
      if (arg->is_null()) return;
      AppendKey(*arg, key_);
    }
    Of(slot).Add(key_);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy != nullptr) Of(into).Merge(static_cast<const Distinct&>(*other.heavy).counter);
  }
  void Result(const Slot& slot, Value& out) const override {
    const auto* distinct = static_cast<const Distinct*>(slot.heavy.get());
    if (form_ == Form::kSketch) {
      out.SetText(distinct == nullptr ? analytics::DistinctCounter().Save() : distinct->counter.Save());
    } else {
      out.SetInt(distinct == nullptr ? 0 : static_cast<std::int64_t>(distinct->counter.Count()));
    }
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    const auto* distinct = static_cast<const Distinct*>(slot.heavy.get());
    out.Text(distinct == nullptr ? std::string() : distinct->counter.Save());
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    const std::string_view bytes = in.Text();
    if (!bytes.empty() && !Of(slot).Restore(bytes)) in.Fail();
  }

 private:
  static analytics::DistinctCounter& Of(Slot& slot) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Distinct>();
    return static_cast<Distinct&>(*slot.heavy).counter;
  }
  Form form_;
  mutable std::string key_;
};

struct Top final : Heavy {
  TopCounter counter;
  std::size_t Bytes() const override { return counter.Bytes(); }
};

class TopK final : public Aggregate {
 public:
  explicit TopK(std::size_t count) : count_(count) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    Of(slot).Add(args[0]->text(), 1);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy != nullptr) Of(into).Merge(static_cast<const Top&>(*other.heavy).counter);
  }
  void Result(const Slot& slot, Value& out) const override {
    codec::JsonWriter writer(out.MutableText());
    writer.BeginArray();
    if (slot.heavy != nullptr) {
      for (const auto& [item, count] : static_cast<const Top&>(*slot.heavy).counter.Best(count_)) {
        writer.BeginObject();
        writer.Key("item");
        writer.String(item);
        writer.Key("count");
        writer.Int(count);
        writer.EndObject();
      }
    }
    writer.EndArray();
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy != nullptr) static_cast<const Top&>(*slot.heavy).counter.Save(out);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() != 0) Of(slot).Load(in);
  }

 private:
  static TopCounter& Of(Slot& slot) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Top>();
    return static_cast<Top&>(*slot.heavy).counter;
  }
  std::size_t count_;
};

struct Items final : Heavy {
  std::vector<std::string> json;
  std::size_t text_bytes = 0;
  std::size_t Bytes() const override {
    return sizeof(*this) + json.capacity() * sizeof(std::string) + text_bytes;
  }
};

// COLLECT(x): the values as a JSON array, the first 10000 of them.
class Collect final : public Aggregate {
 public:
  static constexpr std::size_t kMost = 10'000;
  explicit Collect(Type of) : of_(of) {}
  void Add(Slot& slot, Args args, std::int64_t, EvalContext&) const override {
    Value json;
    if (CastValue(*args[0], of_, JsonType(), false, json) == CastResult::kOk) Push(slot, json.text());
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy == nullptr) return;
    const std::vector<std::string>& kept = static_cast<const Items&>(*other.heavy).json;
    for (const std::string& json : kept) Push(into, json);
  }
  void Result(const Slot& slot, Value& out) const override {
    std::string& text = out.MutableText();
    text = "[";
    if (slot.heavy != nullptr) {
      const std::vector<std::string>& kept = static_cast<const Items&>(*slot.heavy).json;
      for (const std::string& json : kept) {
        if (text.size() > 1) text += ',';
        text += json;
      }
    }
    text += ']';
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    const auto* items = static_cast<const Items*>(slot.heavy.get());
    out.U64(items == nullptr ? 0 : items->json.size());
    if (items == nullptr) return;
    for (const std::string& json : items->json) out.Text(json);
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    for (std::uint64_t left = in.Count(8); left > 0; --left) Push(slot, in.Text());
  }

 private:
  static void Push(Slot& slot, std::string_view json) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Items>();
    Items& items = static_cast<Items&>(*slot.heavy);
    if (items.json.size() >= kMost) return;
    items.json.emplace_back(json);
    items.text_bytes += json.size();
  }
  Type of_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeSketchAggregate(AggregateRequest& request) {
  const std::string_view name = request.name;
  using Form = DistinctCount::Form;
  request.type = BigIntType();
  if ((name == "COUNT" && request.distinct) || name == "APPROX_COUNT_DISTINCT" || name == "COUNT_DISTINCT")
    return std::make_unique<DistinctCount>(Form::kCount);
  if (name == "HLL_MERGE") {
    if (!request.args[0]->type.IsBinary())
      request.error = "HLL_MERGE needs what HLL_SKETCH gave, a VARBINARY";
    return std::make_unique<DistinctCount>(Form::kMerge);
  }
  if (name == "HLL_SKETCH") {
    request.type = {TypeKind::kVarbinary};
    return std::make_unique<DistinctCount>(Form::kSketch);
  }
  request.type = JsonType();
  if (name == "TOP_K" || name == "TOPK") {
    const double count = request.ConstantNumber(1).value_or(0);
    if (count < 1 || count > 100'000) request.error = "TOP_K needs a constant number from 1 to 100000";
    return std::make_unique<TopK>(static_cast<std::size_t>(std::max(count, 1.0)));
  }
  if (name == "COLLECT" || name == "COLLECT_LIST") return std::make_unique<Collect>(request.args[0]->type);
  return nullptr;
}

}  // namespace honryu::sql
