#include "sql/aggregate.h"
#include "sql/bitmap.h"

namespace honryu::sql {
namespace {

struct Numbers final : Heavy {
  Bitmap bitmap;
  std::size_t Bytes() const override { return sizeof(*this) + bitmap.Bytes(); }
};

// BITMAP_AGG(x): the set of whole numbers, as a VARBINARY that bitmap functions take. BITMAP_UNION(b) and
// BITMAP_INTERSECT(b): of such sets.
class BitmapAggregate final : public Aggregate {
 public:
  static constexpr std::size_t kMostBytes = 256 << 20;  // of one group; a row that adds more is an error
  enum class Form : std::uint8_t { kNumbers, kUnion, kIntersect };
  explicit BitmapAggregate(Form form) : form_(form) {}

  void Add(Slot& slot, Args args, std::int64_t, EvalContext& context) const override {
    if (slot.heavy != nullptr && slot.heavy->Bytes() > kMostBytes)
      return context.Fail("StateLimit", "a bitmap of more than " + std::to_string(kMostBytes) + " bytes");
    if (form_ == Form::kNumbers) return Of(slot).Add(args[0]->as_int());
    Bitmap other;
    if (!other.Restore(args[0]->text())) return context.Fail("InvalidCast", "these bytes are no bitmap");
    Join(slot, other);
  }
  void Merge(Slot& into, const Slot& other, EvalContext&) const override {
    if (other.heavy != nullptr) Join(into, static_cast<const Numbers&>(*other.heavy).bitmap);
  }
  void Result(const Slot& slot, Value& out) const override {
    if (slot.heavy == nullptr) return out.SetNull();
    out.SetText(static_cast<const Numbers&>(*slot.heavy).bitmap.Save());
  }
  void Save(const Slot& slot, StateWriter& out) const override {
    out.U8(slot.heavy != nullptr ? 1 : 0);
    if (slot.heavy != nullptr) out.Text(static_cast<const Numbers&>(*slot.heavy).bitmap.Save());
  }
  void Load(Slot& slot, StateReader& in) const override {
    slot.heavy.reset();
    if (in.U8() != 0 && !Of(slot).Restore(in.Text())) in.Fail();
  }

 private:
  static Bitmap& Of(Slot& slot) {
    if (slot.heavy == nullptr) slot.heavy = std::make_unique<Numbers>();
    return static_cast<Numbers&>(*slot.heavy).bitmap;
  }
  void Join(Slot& slot, const Bitmap& other) const {
    const bool first = slot.heavy == nullptr;
    Bitmap& bitmap = Of(slot);
    if (first || form_ != Form::kIntersect) {
      bitmap.Or(other);
    } else {
      bitmap.And(other);
    }
  }

  Form form_;
};

}  // namespace

std::unique_ptr<Aggregate> MakeBitmapAggregate(AggregateRequest& request) {
  using Form = BitmapAggregate::Form;
  const std::string_view name = request.name;
  if (!name.starts_with("BITMAP_")) return nullptr;
  request.type = {TypeKind::kVarbinary};
  if (name == "BITMAP_AGG") return std::make_unique<BitmapAggregate>(Form::kNumbers);
  if (!request.args[0]->type.IsBinary())
    request.error = std::string(name) + " needs what BITMAP_AGG gave, a VARBINARY";
  const bool all = name == "BITMAP_INTERSECT" || name == "BITMAP_AND_AGG";
  return std::make_unique<BitmapAggregate>(all ? Form::kIntersect : Form::kUnion);
}

}  // namespace honryu::sql
