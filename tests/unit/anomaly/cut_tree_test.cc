// Invariants of one tree against brute force, after random inserts and deletes. HONRYU_SEED replays a failing
// seed.
#include "anomaly/cut_tree.h"

#include "honryu/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

namespace honryu::anomaly {
namespace {

std::uint64_t Seed() {
  const char* given = std::getenv("HONRYU_SEED");
  return given == nullptr ? std::random_device{}() : std::strtoull(given, nullptr, 10);
}

struct Subtree {
  std::vector<const float*> points;
  std::uint32_t mass = 0;
};

// Checks the subtree and returns what it holds.
Subtree Check(const CutTree& tree, CutTree::NodeId id, const PointStore& store, std::size_t dimensions) {
  if (CutTree::IsLeaf(id)) return {{store.At(tree.leaf(id).point)}, tree.leaf(id).mass};
  const CutTree::Node& node = tree.node(id);
  const std::size_t cut_dimension = tree.cut_dimension(id);
  const Subtree left = Check(tree, node.child[0], store, dimensions);
  const Subtree right = Check(tree, node.child[1], store, dimensions);
  for (const float* point : left.points) EXPECT_LE(point[cut_dimension], node.cut);
  for (const float* point : right.points) EXPECT_GT(point[cut_dimension], node.cut);
  Subtree all{left.points, left.mass + right.mass};
  all.points.insert(all.points.end(), right.points.begin(), right.points.end());
  const CutTree::Box box = tree.BoxOf(id, store);
  for (std::size_t i = 0; i < dimensions; ++i) {
    const auto by_value = [i](const float* a, const float* b) { return a[i] < b[i]; };
    const auto [least, most] = std::minmax_element(all.points.begin(), all.points.end(), by_value);
    EXPECT_EQ(box.min[i], (*least)[i]);
    EXPECT_EQ(box.max[i], (*most)[i]);
  }
  EXPECT_GE(node.cut, box.min[cut_dimension]);
  EXPECT_LT(node.cut, box.max[cut_dimension]);
  return all;
}

std::vector<float> RandomPoint(Random& random, std::size_t dimensions, std::size_t width) {
  std::vector<float> point(width, 0);
  // A coarse grid in half of the cases, so that equal points and equal coordinates are common.
  const bool coarse = random.Chance(0.5);
  for (std::size_t i = 0; i < dimensions; ++i) {
    point[i] = coarse ? static_cast<float>(random.Below(4)) : static_cast<float>(random.Unit() * 8 - 2);
  }
  return point;
}

class CutTreeProperty : public testing::TestWithParam<std::size_t> {};

TEST_P(CutTreeProperty, HoldsExactlyThePointsInTightBoxesAfterRandomInsertsAndDeletes) {
  const std::size_t dimensions = GetParam();
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HONRYU_SEED=" + std::to_string(seed));
  Random random(seed);
  TreeRandom cuts(seed);
  PointStore store(PointStore::WidthOf(dimensions));
  CutTree tree(dimensions, store.width());
  std::vector<std::uint32_t> kept;
  for (int step = 0; step < 1500; ++step) {
    // Grows, then shrinks to nothing and grows again.
    const double growth = step % 500 < 250 ? 0.7 : 0.25;
    if (kept.empty() || random.Chance(growth)) {
      const std::uint32_t id = store.Add(RandomPoint(random, dimensions, store.width()).data());
      kept.push_back(tree.Insert(id, store, {}, cuts));
      store.AddReference(kept.back());
      store.DropUnused(id);
    } else {
      const std::size_t index = random.Below(kept.size());
      tree.Delete(kept[index], store);
      store.Release(kept[index]);
      kept[index] = kept.back();
      kept.pop_back();
    }
    ASSERT_EQ(tree.mass(), kept.size());
    if (kept.empty()) {
      ASSERT_EQ(tree.root(), CutTree::kNoNode);
      continue;
    }
    if (step % 7 != 0) continue;
    const Subtree all = Check(tree, tree.root(), store, dimensions);
    ASSERT_EQ(all.mass, kept.size());
    std::map<std::vector<float>, int> expected;
    for (const std::uint32_t id : kept) expected[{store.At(id), store.At(id) + dimensions}] = 1;
    ASSERT_EQ(all.points.size(), expected.size()) << "one leaf a distinct point";
    ASSERT_EQ(store.used(), expected.size()) << "equal points are stored once";
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Dimensions, CutTreeProperty, testing::Values(1, 2, 3, 4, 7, 24));

// With cuts uniform over [0, 10], the points 0 and 1 part from 10 first with chance 0.9, whatever the order
// in which the points came and whatever was deleted on the way.
TEST(CutTree, FirstCutFallsInProportionToTheRangesWhateverTheOrder) {
  PointStore store(1);
  std::vector<std::uint32_t> ids;
  for (const float value : {0.0F, 1.0F, 10.0F, 4.0F, -30.0F}) ids.push_back(store.Add(&value));
  const std::vector<std::vector<std::uint32_t>> orders = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {3, 0, 4, 2, 1}};
  TreeRandom random(7);
  for (const auto& order : orders) {
    int low = 0;
    constexpr int kTrees = 20000;
    for (int i = 0; i < kTrees; ++i) {
      CutTree tree(1, 1);
      for (const std::uint32_t index : order) tree.Insert(ids[index], store, {}, random);
      if (order.size() > 3) {
        tree.Delete(ids[3], store);
        tree.Delete(ids[4], store);
      }
      if (tree.node(tree.root()).cut < 1) ++low;
    }
    // Standard deviation 0.0021: five of them.
    EXPECT_NEAR(static_cast<double>(low) / kTrees, 0.1, 0.011);
  }
}

// Expected inverse depth of the query when it is really inserted, in many trees, against the score.
TEST(CutTree, ScoreIsTheMeanInverseDepthOfAnInsertedPoint) {
  for (const std::size_t dimensions : {std::size_t{1}, std::size_t{3}}) {
    PointStore store(PointStore::WidthOf(dimensions));
    Random random(5);
    std::vector<std::uint32_t> ids;
    for (int i = 0; i < 20; ++i) {
      std::vector<float> point(store.width(), 0);
      for (std::size_t d = 0; d < dimensions; ++d) point[d] = static_cast<float>(random.Unit());
      ids.push_back(store.Add(point.data()));
    }
    std::vector<float> query(store.width(), 0);
    query[0] = 1.6F;
    for (std::size_t d = 1; d < dimensions; ++d) query[d] = 0.5F;
    const std::uint32_t query_id = store.Add(query.data());
    TreeRandom cuts(11);
    double scored = 0;
    double inserted = 0;
    constexpr int kTrees = 20000;
    for (int i = 0; i < kTrees; ++i) {
      CutTree tree(dimensions, store.width());
      for (const std::uint32_t id : ids) tree.Insert(id, store, {}, cuts);
      scored += tree.Score(query.data(), store);
      tree.Insert(query_id, store, {}, cuts);
      int depth = 0;  // of the node that was made for the query, counted from 1
      for (CutTree::NodeId at = tree.root(); !CutTree::IsLeaf(at); ++depth) {
        at = tree.node(at).child[query[tree.cut_dimension(at)] > tree.node(at).cut ? 1 : 0];
      }
      inserted += 1.0 / depth;
    }
    EXPECT_NEAR(scored / kTrees, inserted / kTrees, 0.01) << dimensions << " dimensions";
  }
}

TEST(CutTree, AScoreOfAnEqualPointFollowsTheNumberOfCopies) {
  PointStore store(1);
  const float value = 3;
  const std::uint32_t id = store.Add(&value);
  CutTree tree(1, 1);
  TreeRandom random(1);
  EXPECT_EQ(tree.Score(&value, store), 0);
  for (int i = 0; i < 3; ++i) tree.Insert(id, store, {}, random);
  EXPECT_DOUBLE_EQ(tree.Score(&value, store), 0.5 / std::log2(4.0));
  const float other = 4;
  EXPECT_DOUBLE_EQ(tree.Score(&other, store), 1);
}

}  // namespace
}  // namespace honryu::anomaly
