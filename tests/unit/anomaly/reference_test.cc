// Scores and attributions beside those of a reference implementation (AWS's open random-cut-forest 4.3.0, ten
// seeds).
#include "honryu/anomaly/random_cut_forest.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace honryu::anomaly {
namespace {

std::string DataFolder() {
  const char* given = std::getenv("HONRYU_TEST_DATA");
  const std::string root =
      given == nullptr ? std::string(HONRYU_SOURCE_DIR) + "/../shared/data" : std::string(given);
  return root + "/rcf";
}

std::string ReadGzip(const std::string& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  std::vector<char> buffer(1 << 16);
  for (int size; (size = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  gzclose(file);
  return text;
}

struct Reference {
  std::vector<std::vector<double>> input;
  std::vector<double> score;
  std::vector<double> deviation;
  std::vector<std::vector<double>> parts;  // high0, low0, high1, low1, …
};

// Columns: index, x0…, score_mean, score_sd, score_min, score_max, high0, low0, …
Reference Load(const std::string& name, std::size_t columns) {
  Reference reference;
  std::istringstream lines(ReadGzip(DataFolder() + "/" + name + ".csv.gz"));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::vector<double> row;
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, ',');)
      row.push_back(std::strtod(field.c_str(), nullptr));
    const auto at = [&](std::size_t i) { return row.begin() + static_cast<std::ptrdiff_t>(i); };
    reference.input.emplace_back(at(1), at(1 + columns));
    reference.score.push_back(row[1 + columns]);
    reference.deviation.push_back(row[2 + columns]);
    reference.parts.emplace_back(at(5 + columns), row.end());
  }
  return reference;
}

std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) ranks[order[k]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

struct Series {
  const char* name;
  std::size_t columns;
  std::size_t shingle;
};

void PrintTo(const Series& series, std::ostream* out) { *out << series.name; }

class ReferenceScores : public testing::TestWithParam<Series> {};

TEST_P(ReferenceScores, RankCorrelationAndDistanceAreThoseOfAnotherSeed) {
  const auto [name, columns, shingle] = GetParam();
  if (!std::filesystem::exists(DataFolder())) {
    GTEST_SKIP() << "reference scores are not here (set HONRYU_TEST_DATA to the folder that holds rcf/)";
  }
  const Reference reference = Load(name, columns);
  ASSERT_GT(reference.score.size(), 2000U);
  ForestOptions options;
  options.dimensions = columns;
  options.shingle = shingle;
  auto forest = RandomCutForest::Create(options).value();
  std::vector<double> own;
  std::vector<double> theirs;
  double difference = 0;
  double deviation = 0;
  for (std::size_t i = 0; i < reference.input.size(); ++i) {
    const double score = forest.Process(reference.input[i]);
    EXPECT_EQ(score == 0, reference.score[i] == 0) << "row " << i;
    if (i < options.sample_size) continue;
    own.push_back(score);
    theirs.push_back(reference.score[i]);
    difference += std::abs(score - reference.score[i]);
    deviation += reference.deviation[i];
  }
  const double rank = Correlation(Ranks(own), Ranks(theirs));
  RecordProperty("spearman", std::to_string(rank));
  std::printf(
      "%s: Spearman %.4f, Pearson %.4f, mean |difference| %.4f, mean deviation of a reference seed %.4f\n",
      name, rank, Correlation(own, theirs), difference / static_cast<double>(own.size()),
      deviation / static_cast<double>(own.size()));
  EXPECT_GE(rank, 0.98);
  EXPECT_LT(difference, deviation);
}

INSTANTIATE_TEST_SUITE_P(Series, ReferenceScores,
                         testing::Values(Series{"nyc_taxi.shingle1", 1, 1}, Series{"nyc_taxi.shingle4", 1, 4},
                                         Series{"ec2_cpu_24ae8d.shingle1", 1, 1},
                                         Series{"ec2_cpu_24ae8d.shingle4", 1, 4},
                                         Series{"art_jumpsup.shingle1", 1, 1},
                                         Series{"art_jumpsup.shingle4", 1, 4},
                                         Series{"rcf_paper_3d.shingle1", 3, 1}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(ReferenceAttribution, HasTheSameSignAndOrderInThreeDimensions) {
  if (!std::filesystem::exists(DataFolder())) {
    GTEST_SKIP() << "reference scores are not here (set HONRYU_TEST_DATA to the folder that holds rcf/)";
  }
  const Reference reference = Load("rcf_paper_3d.shingle1", 3);
  // Means of several seeds against means of several seeds: single ones differ by chance where two parts are
  // close.
  std::vector<RandomCutForest> forests;
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    ForestOptions options;
    options.dimensions = 3;
    options.seed = seed;
    forests.push_back(RandomCutForest::Create(options).value());
  }
  std::size_t rows = 0;
  std::size_t clear_sides = 0;
  std::size_t same_sides = 0;
  std::size_t clear_orders = 0;
  std::size_t same_orders = 0;
  Attribution one;
  for (std::size_t i = 0; i < reference.input.size(); ++i) {
    Attribution parts{std::vector<double>(3), std::vector<double>(3)};
    for (RandomCutForest& forest : forests) {
      forest.Process(reference.input[i], &one);
      for (std::size_t d = 0; d < 3; ++d) {
        parts.high[d] += one.high[d] / static_cast<double>(forests.size());
        parts.low[d] += one.low[d] / static_cast<double>(forests.size());
      }
    }
    if (reference.score[i] == 0) continue;
    ++rows;
    const auto& theirs = reference.parts[i];
    // A difference below the noise of a seed has no sign and no order.
    const double noise = 3 * reference.deviation[i] + 0.02;
    for (std::size_t d = 0; d < 3; ++d) {
      const double side = theirs[2 * d] - theirs[2 * d + 1];
      if (std::abs(side) > noise) {
        ++clear_sides;
        if ((parts.high[d] > parts.low[d]) == (side > 0)) ++same_sides;
      }
      const std::size_t e = (d + 1) % 3;
      const double order = theirs[2 * d] + theirs[2 * d + 1] - theirs[2 * e] - theirs[2 * e + 1];
      if (std::abs(order) > noise) {
        ++clear_orders;
        if ((parts.high[d] + parts.low[d] > parts.high[e] + parts.low[e]) == (order > 0)) ++same_orders;
      }
    }
  }
  std::printf("sides: %zu of %zu clear ones as the reference; orders: %zu of %zu; %zu rows\n", same_sides,
              clear_sides, same_orders, clear_orders, rows);
  EXPECT_GT(clear_sides, rows / 2);
  EXPECT_GT(clear_orders, rows / 2);
  EXPECT_EQ(same_sides, clear_sides);
  EXPECT_EQ(same_orders, clear_orders);
}

}  // namespace
}  // namespace honryu::anomaly
