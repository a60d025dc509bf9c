#pragma once

#include "honryu/search/store.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace honryu::bench {

struct NamedQuery {
  std::string name;
  std::string body;
  std::string count;  ///< The same matches, all of them, for Store::Count.
};

/// The eight queries of the proof, then three dashboard panels over a range of time that ends and begins
/// inside segments. Events begin at `start_ms` and are `events` in number, 1,000 a second.
std::vector<NamedQuery> Queries(std::int64_t start_ms, std::size_t events);

struct Times {
  double first_ms = 0, p50_ms = 0, p99_ms = 0;
  double cpu_ms = 0;  ///< p50 of the thread's CPU time, which other work on the machine touches less.
};
/// Runs the query `runs` times. Ends the program when it fails.
Times Measure(const search::Store& store, const NamedQuery& query, std::size_t runs);
/// The same aggregation by another name each time, which makes it another one to what is remembered of
/// segments: p50 of five runs. Zeros for queries without aggregations.
Times MeasureCold(const search::Store& store, const NamedQuery& query);
/// The following fifty hits, ten times: each page once, so that no block of sources was read just before.
/// Zeros for queries without hits.
Times MeasurePages(const search::Store& store, const NamedQuery& query);
/// Prints a line for each query; returns the median of the eight queries' p50.
double PrintQueries(const search::Store& store, const std::vector<NamedQuery>& queries, std::size_t runs,
                    bool counts);

}  // namespace honryu::bench
