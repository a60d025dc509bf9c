#pragma once

#include "honryu/sql/ast.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::sql {

/// Writes a tree as SQL, one statement a line. Names that need no quotes get none.
class Printer {
 public:
  void Add(const Statement& statement);
  void Add(const Query& query);
  void Add(const Expr& expr);
  std::string Take() { return std::move(out_); }

 private:
  void Body(const CreateStream& create);
  void Body(const CreateTable& create);
  void Body(const CreatePump& create);
  void Body(const CreateView& create);
  void Body(const InsertSelect& insert);
  void Body(const AlterPump& alter);
  void Body(const Drop& drop);
  void Body(const Set& set);
  void Body(const Explain& explain);
  void Body(const QueryPtr& query) { Add(*query); }

  void AddSelect(const Select& select);
  void AddSource(const Source& source);
  void AddJoin(const Join& join);
  void AddGroup(const Group& group);
  void AddKsql(const KsqlWindow& window);
  void AddEmit(const Query& query);
  void AddColumn(const ColumnDefinition& column);
  std::string_view AddColumns(const std::vector<ColumnDefinition>& columns,
                              const std::optional<Watermark>& watermark);
  void AddWith(const Properties& properties);
  void AddWindow(const WindowSpec& spec);
  void AddInterval(const Interval& interval, bool literal);
  void AddName(const Name& name);
  void AddPath(const Path& path);
  void AddString(std::string_view text);
  void AddList(const std::vector<ExprPtr>& list, std::size_t from = 0);
  void AddOrder(const std::vector<SortKey>& keys);
  void AddLiteral(const Expr& expr);
  void AddCall(const Expr& expr);
  void AddCase(const Expr& expr);
  void AddPredicate(const Expr& expr);
  void Put(std::string_view text) { out_ += text; }

  std::string out_;
};

}  // namespace honryu::sql
