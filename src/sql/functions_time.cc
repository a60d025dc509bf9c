#include "sql/bound.h"
#include "sql/calendar.h"

namespace honryu::sql {
namespace {

using Args = std::span<const Value* const>;

void UnixTimestamp(EvalContext&, Args args, Value& out) { out.SetInt(args[0]->as_int()); }

void TsDiff(EvalContext& context, Args args, Value& out) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(args[1]->as_int(), args[0]->as_int(), &difference))
    return context.Fail("NumericOverflow", "a difference of times left the range of BIGINT");
  out.SetInt(difference);
}

void CharToTimestamp(EvalContext& context, Args args, Value& out) {
  const auto read = ParseByPattern(args[0]->text(), args[1]->text());
  if (!read.has_value())
    return context.Fail("InvalidCast", "a text does not follow the pattern '" + args[0]->text() + "'");
  out.SetInt(*read);
}

void TimestampToChar(EvalContext& context, Args args, Value& out) {
  const auto text = FormatByPattern(args[0]->text(), args[1]->as_int());
  if (!text.has_value())
    return context.Fail("InvalidArgument", "'" + args[0]->text() + "' is no pattern of times");
  out.SetText(*text);
}

void DateFormat(EvalContext& context, Args args, Value& out) {
  const Value* turned[] = {args[1], args[0]};
  TimestampToChar(context, turned, out);
}

void Truncate(EvalContext& context, Args args, Value& out) {
  const auto unit = TimeUnitFromName(args[0]->text());
  if (!unit.has_value() || *unit > TimeUnit::kYear)
    return context.Fail("InvalidArgument", "'" + args[0]->text() + "' is no unit of time");
  out.SetInt(FloorToUnit(args[1]->as_int(), *unit));
}

constexpr FunctionDefinition kFunctions[] = {
    {"UNIX_TIMESTAMP", "S:I", UnixTimestamp},
    {"TO_EPOCH_MS", "S:I", UnixTimestamp},
    {"TO_TIMESTAMP", "I:S", UnixTimestamp},
    {"TO_TIMESTAMP_LTZ", "I:S", UnixTimestamp},
    {"TSDIFF", "SS:I", TsDiff},
    {"CHAR_TO_TIMESTAMP", "TT:S", CharToTimestamp},
    {"TIMESTAMP_TO_CHAR", "TS:T", TimestampToChar},
    {"DATE_FORMAT", "ST:T", DateFormat},
    {"DATE_TRUNC", "TS:S", Truncate},
};

}  // namespace

std::span<const FunctionDefinition> TimeFunctions() { return kFunctions; }

}  // namespace honryu::sql
