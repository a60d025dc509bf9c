#pragma once

#include "honryu/sql/value.h"
#include "sql/operator.h"
#include "sql/state_io.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace honryu::sql {

/// Where a row of a lane goes on.
enum class RowPlace : std::uint8_t {
  kStream = 0,    ///< A stream: its host, and its readers behind the split.
  kOperator = 1,  ///< An input of an operator.
  kWriter = 2     ///< A stream that others write, too: as from one of its writers.
};

/// What a lane has for its engine beside the states of its aggregates: rows and errors, as bytes.
class Outbox {
 public:
  void Add(RowPlace place, std::size_t number, std::size_t input, const Row& row);
  void Add(const RowError& error);
  void Clear();
  void Save(StateWriter& out) const;

 private:
  std::uint64_t row_count_ = 0, error_count_ = 0;
  std::string rows_, errors_;
};

/// Hands what comes to it to the engine.
class ShipStage final : public Stage {
 public:
  ShipStage(Runtime& runtime, std::string pump, RowPlace place, std::size_t number, std::size_t input)
      : Stage(runtime, std::move(pump)), place_(place), number_(number), input_(input) {}
  void OnRow(std::size_t, const Row& row) override { runtime_.outbox->Add(place_, number_, input_, row); }
  void OnWatermark(std::size_t, std::int64_t) override {}

 private:
  RowPlace place_;
  std::size_t number_, input_;
};

}  // namespace honryu::sql
