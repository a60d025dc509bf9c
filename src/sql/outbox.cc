#include "sql/outbox.h"

namespace honryu::sql {

void Outbox::Add(RowPlace place, std::size_t number, std::size_t input, const Row& row) {
  StateWriter out(rows_);
  out.U8(static_cast<std::uint8_t>(place));
  out.U64(number);
  out.U64(input);
  out.Put(row);
  ++row_count_;
}

void Outbox::Add(const RowError& error) {
  StateWriter out(errors_);
  out.Text(error.name);
  out.Text(error.message);
  out.Text(error.pump);
  out.I64(error.row_time);
  out.Text(error.row);
  ++error_count_;
}

void Outbox::Clear() {
  row_count_ = error_count_ = 0;
  rows_.clear();
  errors_.clear();
}

void Outbox::Save(StateWriter& out) const {
  out.U64(row_count_);
  out.Text(rows_);
  out.U64(error_count_);
  out.Text(errors_);
}

}  // namespace honryu::sql
