#pragma once

#include "honryu/demo/generator.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace honryu::bench {

/// The events of a benchmark: those of the demo generator (detailed ones, about 1 KB; seed 1; 100,000 users;
/// 1,000 a second), beginning so that `count` of them end about now, or at `start_ms`.
class Events {
 public:
  explicit Events(std::size_t count, std::int64_t start_ms = 0);
  /// The next ones, `limit` at most; empty at the end.
  std::vector<demo::DemoEvent> Next(std::size_t limit);
  std::int64_t start_ms() const { return start_ms_; }

 private:
  std::int64_t start_ms_;
  std::size_t left_;
  demo::DemoGenerator generator_;
};

double WallSeconds();
/// Of the whole process.
double CpuSeconds();
/// Of this thread.
double ThreadCpuSeconds();
/// The most that the process has held, in bytes.
std::uint64_t PeakMemory();

}  // namespace honryu::bench
