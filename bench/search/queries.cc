#include "queries.h"

#include "events.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace honryu::bench {
namespace {

constexpr std::size_t kOfTheProof = 8;

std::string Newest(const std::string& query) {
  return R"({"size":50,"sort":[{"timestamp":"desc"}],"query":)" + query + "}";
}

std::string Panel(const std::string& query, const std::string& aggregation) {
  return R"({"size":0,"query":)" + query + R"(,"aggs":{"a":)" + aggregation + "}}";
}

}  // namespace

std::vector<NamedQuery> Queries(std::int64_t start_ms, std::size_t events) {
  const auto length = static_cast<std::int64_t>(events);  // ms, at 1,000 a second
  const auto range = [](std::int64_t from, std::int64_t to) {
    return R"({"range":{"timestamp":{"gte":)" + std::to_string(from) + R"(,"lt":)" + std::to_string(to) +
           "}}}";
  };
  const auto filter = [](const std::string& a, const std::string& b) {
    return R"({"bool":{"filter":[)" + a + "," + b + "]}}";
  };
  const std::string all = R"({"match_all":{}})", ios = R"({"term":{"device.type.keyword":"ios"}})",
                    rare = R"({"match":{"log.message":"oomkiller"}})",
                    common = R"({"match":{"log.message":"request"}})",
                    phrase = R"({"match_phrase":{"log.message":"決済の予約を確認"}})";
  const std::string minutes = filter(ios, range(start_ms + length / 2, start_ms + length / 2 + 120'000));
  const std::string terms = R"({"terms":{"field":"log.host.keyword","size":10}})",
                    histogram = R"({"date_histogram":{"field":"timestamp","fixed_interval":"1m"}})",
                    users = R"({"cardinality":{"field":"user_id.keyword"}})",
                    percentiles = R"({"percentiles":{"field":"request.latency_ms","percents":[50,95,99]}})";
  const auto some = range(start_ms + length / 10 + 777, start_ms + length - length / 20 - 555);
  const auto errors = filter(R"({"term":{"log.level.keyword":"warn"}})", some);
  const auto count = [](const std::string& query) { return R"({"query":)" + query + "}"; };
  return {
      {"term + time range, newest 50", Newest(minutes), count(minutes)},
      {"rare word, newest 50", Newest(rare), count(rare)},
      {"common word, newest 50", Newest(common), count(common)},
      {"Japanese phrase, newest 50", Newest(phrase), count(phrase)},
      {"terms top 10", Panel(all, terms), count(all)},
      {"date_histogram by minute", Panel(all, histogram), count(all)},
      {"cardinality of user_id", Panel(all, users), count(all)},
      {"percentiles", Panel(all, percentiles), count(all)},
      {"panel: range, terms", Panel(some, terms), count(some)},
      {"panel: range, percentiles", Panel(some, percentiles), count(some)},
      {"panel: term + range, histogram", Panel(errors, histogram), count(errors)},
  };
}

Times Measure(const search::Store& store, const NamedQuery& query, std::size_t runs) {
  Times result;
  std::vector<double> times(runs), cpu(runs);
  for (std::size_t i = 0; i < runs; ++i) {
    const double begin = WallSeconds(), cpu_begin = ThreadCpuSeconds();
    const auto found = store.Search("events", query.body);
    times[i] = (WallSeconds() - begin) * 1e3;
    cpu[i] = (ThreadCpuSeconds() - cpu_begin) * 1e3;
    if (found.ok()) continue;
    std::printf("%s: %s\n", query.name.c_str(), found.error().ToString().c_str());
    std::exit(1);
  }
  result.first_ms = times[0];
  std::sort(times.begin(), times.end());
  std::sort(cpu.begin(), cpu.end());
  result.p50_ms = times[runs / 2];
  result.p99_ms = times[std::min(runs - 1, runs * 99 / 100)];
  result.cpu_ms = cpu[runs / 2];
  return result;
}

Times MeasureCold(const search::Store& store, const NamedQuery& query) {
  constexpr std::string_view kName = R"("aggs":{"a")";
  const auto at = query.body.find(kName);
  if (at == std::string::npos) return {};
  std::vector<Times> runs;
  for (int i = 0; i < 5; ++i) {
    auto other = query;
    other.body.insert(at + kName.size() - 1, std::to_string(i));
    runs.push_back(Measure(store, other, 1));
  }
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.p50_ms < b.p50_ms; });
  return runs[2];
}

Times MeasurePages(const search::Store& store, const NamedQuery& query) {
  constexpr std::string_view kSize = R"({"size":50,)";
  if (!query.body.starts_with(kSize)) return {};
  std::vector<Times> runs;
  for (int page = 1; page <= 10; ++page) {
    auto other = query;
    other.body.insert(kSize.size(), R"("from":)" + std::to_string(50 * page) + ",");
    runs.push_back(Measure(store, other, 1));
  }
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.p50_ms < b.p50_ms; });
  return runs[5];
}

double PrintQueries(const search::Store& store, const std::vector<NamedQuery>& queries, std::size_t runs,
                    bool counts) {
  std::vector<double> medians;
  for (const auto& query : queries) {
    const auto times = Measure(store, query, runs);
    if (medians.size() < kOfTheProof) medians.push_back(times.p50_ms);
    std::printf("%-32s first %8.2f ms  p50 %8.2f ms (cpu %7.2f)  p99 %8.2f ms", query.name.c_str(),
                times.first_ms, times.p50_ms, times.cpu_ms, times.p99_ms);
    if (const auto cold = MeasureCold(store, query); cold.p50_ms > 0)
      std::printf("  cold %8.2f ms (cpu %7.2f)", cold.p50_ms, cold.cpu_ms);
    if (const auto pages = MeasurePages(store, query); pages.p50_ms > 0)
      std::printf("  next pages %8.2f ms (cpu %7.2f)", pages.p50_ms, pages.cpu_ms);
    if (counts) {
      const auto matches = store.Count("events", query.count);
      std::printf("  matches %llu", static_cast<unsigned long long>(matches.ok() ? *matches : 0));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
  std::sort(medians.begin(), medians.end());
  if (medians.empty()) return 0;
  return (medians[(medians.size() - 1) / 2] + medians[medians.size() / 2]) / 2;
}

}  // namespace honryu::bench
