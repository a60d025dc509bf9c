#include "sql/aggregate.h"

#include "honryu/sql/parser.h"
#include "sql/cast.h"

#include <algorithm>

namespace honryu::sql {
namespace {

struct Shape {
  std::string_view name;
  int least, most;
  std::string_view letters;  ///< Of the arguments; the last one repeats.
};

constexpr Shape kShapes[] = {
    {"COUNT", 1, 8, "A"},
    {"SUM", 1, 1, "N"},
    {"AVG", 1, 1, "N"},
    {"MIN", 1, 1, "A"},
    {"MAX", 1, 1, "A"},
    {"FIRST_VALUE", 1, 1, "A"},
    {"LAST_VALUE", 1, 1, "A"},
    {"ANY_VALUE", 1, 1, "A"},
    {"EARLIEST_BY_OFFSET", 1, 1, "A"},
    {"LATEST_BY_OFFSET", 1, 1, "A"},
    {"NTH_VALUE", 2, 2, "AI"},
    {"LAG", 1, 2, "AI"},
    {"ARG_MAX", 2, 2, "A"},
    {"ARG_MIN", 2, 2, "A"},
    {"COUNT_IF", 1, 1, "B"},
    {"STDDEV", 1, 1, "D"},
    {"STDDEV_POP", 1, 1, "D"},
    {"STDDEV_SAMP", 1, 1, "D"},
    {"VARIANCE", 1, 1, "D"},
    {"VAR_POP", 1, 1, "D"},
    {"VAR_SAMP", 1, 1, "D"},
    {"EXP_AVG", 2, 2, "DV"},
    {"APPROX_PERCENTILE", 2, 2, "D"},
    {"PERCENTILE_CONT", 2, 2, "D"},
    {"MEDIAN", 1, 1, "D"},
    {"APPROX_COUNT_DISTINCT", 1, 1, "A"},
    {"COUNT_DISTINCT", 1, 1, "A"},
    {"HLL_SKETCH", 1, 1, "A"},
    {"HLL_MERGE", 1, 1, "A"},
    {"TOP_K", 2, 2, "TI"},
    {"TOPK", 2, 2, "TI"},
    {"COLLECT", 1, 1, "A"},
    {"COLLECT_LIST", 1, 1, "A"},
    {"COLLECT_SET", 1, 1, "A"},
    {"FUNNEL", 4, 18, "ASVB"},
    {"BITMAP_AGG", 1, 1, "I"},
    {"BITMAP_UNION", 1, 1, "A"},
    {"BITMAP_OR_AGG", 1, 1, "A"},
    {"BITMAP_INTERSECT", 1, 1, "A"},
    {"BITMAP_AND_AGG", 1, 1, "A"},
};

const Shape* FindShape(std::string_view name) {
  const auto found = std::find_if(std::begin(kShapes), std::end(kShapes),
                                  [&](const Shape& shape) { return shape.name == name; });
  return found == std::end(kShapes) ? nullptr : found;
}

}  // namespace

void Aggregate::Save(const Slot& slot, StateWriter& out) const {
  out.I64(slot.count);
  out.I64(slot.whole);
}

void Aggregate::Load(Slot& slot, StateReader& in) const {
  slot.count = in.I64();
  slot.whole = in.I64();
}

bool AggregateCall::Evaluate(EvalContext& context) {
  if (filter) {
    const Value& keep = filter->Eval(context);
    if (keep.is_null() || !keep.as_bool()) return false;
  }
  values_.resize(args.size());
  for (std::size_t i = 0; i < args.size(); ++i) values_[i] = &args[i]->Eval(context);
  if (context.failed()) return false;
  return values_.empty() || !values_[0]->is_null() || aggregate->TakesNulls();
}

void AggregateCall::Add(Slot& slot, EvalContext& context) {
  if (Evaluate(context)) aggregate->Add(slot, values_, context.row_time, context);
}

bool IsAggregateName(std::string_view name) { return FindShape(name) != nullptr; }

std::vector<std::string> AggregateNames() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

std::optional<double> AggregateRequest::ConstantNumber(std::size_t index) const {
  if (index >= args.size() || !args[index]->constant) return {};
  EvalContext context;
  const Value& value = args[index]->Eval(context);
  if (value.tag() == Value::Tag::kDouble) return value.as_double();
  if (value.tag() != Value::Tag::kInt) return {};
  const Type& of = args[index]->type;
  return static_cast<double>(value.as_int()) / static_cast<double>(PowerOfTen(of.IsDecimal() ? of.scale : 0));
}

Result<AggregateCall> BindAggregate(Binder& binder, const Expr& expr) {
  const Shape* shape = FindShape(expr.text);
  if (shape == nullptr) return binder.Fail(expr.at, "unknown aggregate '" + expr.text + "'");
  AggregateCall call;
  const bool star = expr.args.size() == 1 && expr.args[0]->kind == ExprKind::kStar;
  const auto count = static_cast<int>(expr.args.size());
  if (star && expr.text != "COUNT") return binder.Fail(expr.args[0]->at, "* may only stand in COUNT(*)");
  const bool plain_count = expr.text == "COUNT" && (star || count == 0);
  if (!plain_count && (count < shape->least || count > shape->most))
    return binder.Fail(expr.at, expr.text + " takes " + std::to_string(shape->least) + " to " +
                                    std::to_string(shape->most) + " arguments, found " +
                                    std::to_string(count));
  for (std::size_t i = 0; i < expr.args.size() && !plain_count; ++i) {
    const char letter = shape->letters[std::min(i, shape->letters.size() - 1)];
    HONRYU_TRY(BoundPtr arg, binder.Bind(*expr.args[i]));
    const Type type = arg->type;
    Type wanted = type;
    if (letter == 'T') wanted = VarcharType();
    if (letter == 'I') wanted = BigIntType();
    if (letter == 'D' || (letter == 'N' && !type.IsNumeric())) wanted = DoubleType();
    if (letter == 'B') wanted = BooleanType();
    if (letter == 'S') wanted = TimestampType();
    if (letter == 'V') wanted = IntervalType();
    const bool number = letter == 'I' || letter == 'D' || letter == 'N';
    const bool soft = type.Is(TypeKind::kJson) || type.IsUnknown();
    if ((number && !type.IsNumeric() && !soft) ||
        (!number && wanted.kind != type.kind && !CanAssign(type, wanted)))
      return binder.Fail(expr.args[i]->at, expr.text + " does not take a value of type " + type.ToString());
    if (!IsSameRepresentation(type, wanted)) arg = MakeCast(std::move(arg), wanted, false, false);
    call.args.push_back(std::move(arg));
  }
  if (expr.filter) {
    HONRYU_TRY(call.filter, binder.BindBoolean(*expr.filter));
  }
  const bool set = expr.text == "COLLECT_SET";  // ksqlDB
  AggregateRequest request{
      set ? std::string_view("COLLECT") : std::string_view(expr.text), call.args, expr.distinct, {}, {}};
  for (const auto& make : {MakeBasicAggregate, MakeStatisticAggregate, MakeSketchAggregate,
                           MakeFunnelAggregate, MakeBitmapAggregate}) {
    if (!call.aggregate) call.aggregate = make(request);
    if (!request.error.empty()) return binder.Fail(expr.at, request.error);
  }
  if (!call.aggregate) return binder.Fail(expr.at, expr.text + " does not take these arguments");
  if (set) call.aggregate = MakeDistinctAggregate(std::move(call.aggregate));
  if (expr.distinct && expr.text != "COUNT" && expr.text != "MIN" && expr.text != "MAX") {
    constexpr std::string_view kOverValues[] = {"SUM",     "AVG",         "STDDEV",      "STDDEV_POP",
                                                "VAR_POP", "STDDEV_SAMP", "VARIANCE",    "VAR_SAMP",
                                                "MEDIAN",  "COLLECT",     "COLLECT_LIST"};
    if (std::find(std::begin(kOverValues), std::end(kOverValues), expr.text) == std::end(kOverValues))
      return binder.Fail(expr.at, expr.text + " has no DISTINCT");
    call.aggregate = MakeDistinctAggregate(std::move(call.aggregate));
  }
  call.type = request.type;
  call.text = expr.text + (expr.distinct ? "(DISTINCT " : "(") + (plain_count ? "*)" : "…)");
  call.signature = expr.text + (expr.distinct ? " DISTINCT(" : "(");
  for (const BoundPtr& arg : call.args) call.signature += arg->signature + ",";
  call.signature += ")" + (call.filter ? " FILTER " + call.filter->signature : "");
  return call;
}

}  // namespace honryu::sql
