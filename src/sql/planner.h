#pragma once

#include "sql/plan.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace honryu::sql {

/// The time attribute of one side of a join, shifted: of `a.ts + INTERVAL '1' MINUTE` the side of a and
/// 60000.
struct SideTime {
  bool left = false;
  std::int64_t offset_ms = 0;
};

/// Turns statements into a Plan. One per program.
class Planner {
 public:
  Planner(Plan& plan, const TableFunctionRegistry& functions) : plan_(plan), functions_(functions) {}

  /// Streams and tables of a script; then its queries. `text` is what errors quote.
  Result<void> Declare(const Script& script);
  Result<void> PlanQueries(const Script& script);
  /// Puts writers before readers; kInvalidArgument: pumps that feed each other.
  Result<void> OrderQueries();

 private:
  using Bucket = std::optional<WindowDefinition>;

  // planner.cc
  Error Fail(Position at, std::string_view message, std::string_view hint = {}) const;
  Result<void> DeclareStream(const Name& name, const std::vector<ColumnDefinition>& columns,
                             const std::optional<Watermark>& watermark, const Properties& with, bool replace);
  Result<void> DeclareTimeElse(const Name& name, std::string_view list, StreamInfo& info) const;
  Result<void> DeclareTable(const CreateTable& table);
  Result<void> PlanInsert(const InsertSelect& insert, std::string name, bool stopped, Position at);
  Result<void> PlanView(const CreateView& view, Position at);
  Result<StreamInfo*> StreamFor(const Name& name, const Scope& scope);
  Result<void> Drop(const honryu::sql::Drop& drop, Position at);
  StreamInfo* FindStream(const Path& path) const;
  const TableInfo* FindTable(const Path& path) const;
  std::string Setting(std::string_view key, std::string_view fallback) const;
  /// SET state_ttl, in ms; 0: not set.
  Result<std::int64_t> StateTtl(Position at) const;

  // plan_source.cc
  Result<PlanPtr> PlanSource(const Source& source);
  Result<PlanPtr> PlanScan(StreamInfo& stream, const std::string& qualifier);
  Result<PlanPtr> PlanWindowFunction(const Source& source, const Expr& call);
  Result<PlanPtr> PlanTableFunction(const Source& source, const Expr& call);
  Result<PlanPtr> PlanArgument(const Expr& expr);
  Result<std::int64_t> Duration(const Expr& expr);

  // plan_select.cc
  Result<PlanPtr> PlanQuery(const Query& query);
  Result<PlanPtr> PlanSelect(const Select& select, const Query& query);
  Result<PlanPtr> PlanDistinct(PlanPtr input, const Select& select);
  Result<PlanPtr> PlanSort(PlanPtr input, const Query& query);
  Result<PlanPtr> Project(PlanPtr input, const Select& select, Binder& binder, const Scope& star);
  ScopeColumn Projected(const Expr& expr, const Bound& value, std::string name, const Scope& star);
  Result<void> ProjectOrder(Binder& binder, const Scope& star, PlanNode& node);
  PlanPtr Filter(PlanPtr input, BoundPtr predicate) const;
  PlanPtr MaterialiseWindows(PlanPtr input) const;
  Bucket TimeBucket(const Expr& expr, const Scope& scope);

  // plan_group.cc
  Result<PlanPtr> PlanGroup(PlanPtr input, const Select& select, const Query& query);
  Result<void> FindWindow(const Select& select, PlanNode& input, PlanNode& node,
                          std::vector<bool>& is_window);
  Result<Bucket> GroupFunction(const Expr& key, const Scope& scope);
  Result<BoundPtr> BindGrouped(const Expr& expr, PlanNode& node, Binder& input,
                               const std::vector<std::string>& windows);
  Result<void> SetEmission(const Select& select, const Query& query, const Scope& input, PlanNode& node);

  // plan_over.cc
  Result<PlanPtr> PlanOver(PlanPtr input, const Select& select);
  Result<BoundPtr> BindOver(const Expr& expr, const Select& select, Binder& input,
                            std::vector<PlanPtr>& nodes, std::size_t* width);
  Result<const WindowSpec*> ResolveWindow(const WindowSpec& spec, const Select& select) const;

  // plan_join.cc
  Result<PlanPtr> PlanJoin(PlanPtr left, const Source* left_source, const Join& join);
  Result<PlanPtr> PlanTableJoin(PlanPtr left, const Join& join, const TableInfo& table);
  Result<void> JoinCondition(const Expr& on, const Scope& left, const Scope& right, const Scope& both,
                             PlanNode& node);
  bool TimeCondition(const Expr& expr, const Scope& left, const Scope& right, PlanNode& node);
  std::optional<SideTime> TimeOfSide(const Expr& expr, const Scope& left, const Scope& right) const;
  void TightenBound(const SideTime& low, const SideTime& high, PlanNode& node) const;

  Plan& plan_;
  const TableFunctionRegistry& functions_;
  std::string_view text_;
  const std::vector<SortKey>* order_ = nullptr;  ///< Of the query whose only SELECT is planned.
  int unnamed_ = 0;
};

/// Columns called window_start, window_end and window_time.
void AppendWindowColumns(Scope& scope, std::size_t first_index, const std::string& qualifier);
/// A name for a select item that has no alias.
std::string ItemName(const Expr& expr, std::size_t number);

}  // namespace honryu::sql
