#include "sql/bitmap.h"
#include "sql/bound.h"

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

bool Read(EvalContext& context, const Value& value, Bitmap& bitmap) {
  if (bitmap.Restore(value.text())) return true;
  context.Fail("InvalidCast", "these bytes are no bitmap");
  return false;
}

void BitmapCount(EvalContext& context, Args args, Value& out) {
  Bitmap bitmap;
  if (Read(context, *args[0], bitmap)) out.SetInt(static_cast<std::int64_t>(bitmap.Count()));
}

void BitmapContains(EvalContext& context, Args args, Value& out) {
  Bitmap bitmap;
  if (Read(context, *args[0], bitmap)) out.SetBool(bitmap.Contains(args[1]->as_int()));
}

template <void (Bitmap::*kCombine)(const Bitmap&)>
void Combine(EvalContext& context, Args args, Value& out) {
  Bitmap bitmap, other;
  if (!Read(context, *args[0], bitmap) || !Read(context, *args[1], other)) return;
  (bitmap.*kCombine)(other);
  out.SetText(bitmap.Save());
}

constexpr FunctionDefinition kFunctions[] = {
    {"BITMAP_COUNT", "X:I", BitmapCount},
    {"BITMAP_CONTAINS", "XI:B", BitmapContains},
    {"BITMAP_OR", "XX:X", Combine<&Bitmap::Or>},
    {"BITMAP_AND", "XX:X", Combine<&Bitmap::And>},
    {"BITMAP_ANDNOT", "XX:X", Combine<&Bitmap::AndNot>},
    {"BITMAP_XOR", "XX:X", Combine<&Bitmap::Xor>},
};

}  // namespace

std::span<const FunctionDefinition> BitmapFunctions() { return kFunctions; }

}  // namespace honryu::sql
