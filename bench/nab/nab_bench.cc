// Runs the series detector, with its default options, over every series of the Numenta Anomaly Benchmark.
//
// nab_bench DATA OUT: reads DATA/<group>/<series>.csv (timestamp,value), writes OUT/<group>/<series>.csv
// (timestamp, value, anomaly_score in [0,1]). Each row is scored from the rows before it and itself; nothing
// is set per file. run.py scores them.
#include "honryu/anomaly/series_detector.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// The highest score there is with 1024 points: log2(1025).
constexpr double kHighestScore = 10.0014;

bool RunSeries(const fs::path& from, const fs::path& to, std::size_t* rows, std::size_t* memory) {
  auto detector = honryu::anomaly::SeriesDetector::Create();
  std::ifstream in(from);
  fs::create_directories(to.parent_path());
  std::ofstream out(to);
  std::string line;
  if (!detector.ok() || !in || !out || !std::getline(in, line)) return false;
  out << "timestamp,value,anomaly_score\n";
  while (std::getline(in, line)) {
    const std::size_t comma = line.find(',');
    if (comma == std::string::npos) continue;
    const auto time = honryu::ParseTimestamp(line.substr(0, comma));
    if (!time.ok()) {
      std::fprintf(stderr, "%s: %s\n", from.c_str(), time.error().ToString().c_str());
      return false;
    }
    const double value = std::strtod(line.c_str() + comma + 1, nullptr);
    const double score = detector->Process(*time, value).fresh_score / kHighestScore;
    char text[32];
    std::snprintf(text, sizeof text, ",%.9f\n", std::min(1.0, score));
    out << line.substr(0, line.find_last_not_of("\r\n") + 1) << text;
    ++*rows;
  }
  *memory = std::max(*memory, detector->MemoryBytes());
  return out.good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: nab_bench DATA OUT\n");
    return 2;
  }
  std::vector<fs::path> series;
  for (const auto& entry : fs::recursive_directory_iterator(argv[1])) {
    if (entry.path().extension() == ".csv") series.push_back(entry.path());
  }
  std::sort(series.begin(), series.end());
  std::size_t rows = 0;
  std::size_t memory = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const fs::path& path : series) {
    if (!RunSeries(path, fs::path(argv[2]) / fs::relative(path, argv[1]), &rows, &memory)) {
      std::fprintf(stderr, "failed: %s\n", path.c_str());
      return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%zu series, %zu rows, %.0f rows/s, at most %.1f MB a detector\n", series.size(), rows,
              static_cast<double>(rows) / seconds, static_cast<double>(memory) / 1e6);
  return 0;
}
