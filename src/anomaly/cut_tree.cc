#include "anomaly/cut_tree.h"

#include "honryu/base/check.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace honryu::anomaly {
namespace {

using NodeId = CutTree::NodeId;
// Nodes from the root down; as long as the deepest tree, of which only the part in use is touched.
using Path = NodeId[CutTree::kMaxLeaves];  // NOLINT(modernize-avoid-c-arrays)

bool SamePoint(const float* a, const float* b, std::size_t width) { return std::equal(a, a + width, b); }

// log2(mass + 1)
double Log2Above(std::uint32_t mass) {
  static const std::vector<double> table = [] {
    std::vector<double> values(CutTree::kMaxLeaves + 1);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::log2(static_cast<double>(i) + 1);
    return values;
  }();
  return table[mass];
}

struct Growth {
  double grown;  // how far the query sticks out of the box, over all dimensions
  double range;  // the ranges of the box with the query
};

Growth GrowthOf(CutTree::Box box, const float* query, std::size_t width) {
  constexpr std::size_t kLane = PointStore::kLane;
  if (width == 1) {
    const double grown = std::max(0.0, static_cast<double>(*box.min) - static_cast<double>(*query)) +
                         std::max(0.0, static_cast<double>(*query) - static_cast<double>(*box.max));
    return {grown, static_cast<double>(*box.max) - static_cast<double>(*box.min) + grown};
  }
  // One accumulator a lane, so that the compiler may use vector instructions without reordering sums.
  std::array<float, kLane> grown{};
  std::array<float, kLane> range{};
  for (std::size_t i = 0; i < width; i += kLane) {
    for (std::size_t lane = 0; lane < kLane; ++lane) {
      const float low = box.min[i + lane];
      const float high = box.max[i + lane];
      const float q = query[i + lane];
      grown[lane] += std::max(low - q, 0.0F) + std::max(q - high, 0.0F);
      range[lane] += high - low;
    }
  }
  double total_grown = 0;
  double total_range = 0;
  for (std::size_t lane = 0; lane < kLane; ++lane) {
    total_grown += static_cast<double>(grown[lane]);
    total_range += static_cast<double>(range[lane]);
  }
  return {total_grown, total_range + total_grown};
}

}  // namespace

CutTree::NodeId CutTree::NewNode() {
  if (!free_nodes_.empty()) {
    const NodeId id = free_nodes_.back();
    free_nodes_.pop_back();
    return id;
  }
  nodes_.emplace_back();
  boxes_.resize(boxes_.size() + 2 * width_);
  if (dimensions_ > 1) cut_dimensions_.push_back(0);
  return static_cast<NodeId>(nodes_.size() - 1);
}

CutTree::NodeId CutTree::NewLeaf(std::uint32_t point) {
  NodeId index;
  if (free_leaves_.empty()) {
    HONRYU_CHECK(leaves_.size() < kMaxLeaves, "a tree holds at most kMaxLeaves points");
    leaves_.emplace_back();
    index = static_cast<NodeId>(leaves_.size() - 1);
  } else {
    index = free_leaves_.back();
    free_leaves_.pop_back();
  }
  leaves_[index] = {point, 1};
  return static_cast<NodeId>(index | kLeafBit);
}

void CutTree::SetUnion(NodeId id, Box a, Box b) {
  float* min = boxes_.data() + id * 2 * width_;
  float* max = min + width_;
  for (std::size_t i = 0; i < width_; ++i) {
    min[i] = std::min(a.min[i], b.min[i]);
    max[i] = std::max(a.max[i], b.max[i]);
  }
}

bool CutTree::Contains(Box box, const float* point) const {
  for (std::size_t i = 0; i < dimensions_; ++i) {
    if (point[i] < box.min[i] || point[i] > box.max[i]) return false;
  }
  return true;
}

// The cut of the box with the point that lies a share (uniform in [0,1)) of the way along its ranges laid end
// to end: a dimension with chance in proportion to its range, a place uniform in it.
CutTree::Cut CutTree::CutAt(Box box, const float* point, double share) const {
  double total = 0;
  for (std::size_t i = 0; i < dimensions_; ++i) {
    total += static_cast<double>(std::max(box.max[i], point[i])) -
             static_cast<double>(std::min(box.min[i], point[i]));
  }
  double rest = share * total;
  Cut cut{0, 0};
  for (std::size_t i = 0; i < dimensions_; ++i) {
    const float low = std::min(box.min[i], point[i]);
    const float high = std::max(box.max[i], point[i]);
    if (low == high) continue;
    const double range = static_cast<double>(high) - static_cast<double>(low);
    cut.dimension = i;
    cut.value = static_cast<float>(static_cast<double>(low) + std::min(rest, range));
    // Rounding may reach the upper end, where nothing would be left on the right.
    if (cut.value >= high) cut.value = std::nextafter(high, low);
    if (rest < range) break;
    rest -= range;
  }
  return cut;
}

bool CutTree::Separates(Cut cut, Box box, const float* point) const {
  const float p = point[cut.dimension];
  return (p <= cut.value && cut.value < box.min[cut.dimension]) ||
         (box.max[cut.dimension] <= cut.value && cut.value < p);
}

// A cut of a box that holds the point cannot part the point from the box, so fresh cuts are drawn only from
// the first box on the way down that does not hold it; the first cut that parts the point from what is there
// stays.
std::uint32_t CutTree::Insert(std::uint32_t point, const PointStore& store, std::span<const double> first,
                              TreeRandom& random) {
  const float* p = store.At(point);
  ++mass_;
  if (root_ == kNoNode) {
    root_ = NewLeaf(point);
    return point;
  }
  Path path;
  std::size_t depth = 0;
  const NodeId at = Descend(p, path, &depth);
  Leaf& found = leaves_[at & ~kLeafBit];
  if (SamePoint(store.At(found.point), p, width_)) {
    ++found.mass;
    return found.point;
  }
  std::size_t outside = depth;  // path[outside..) do not hold the point
  while (outside > 0 && !Contains(BoxOf(path[outside - 1], store), p)) --outside;
  const auto draw = [&](Box box) {
    if (first.empty()) return CutAt(box, p, random.Unit());
    const double share = first.front();
    first = first.subspan(1);
    return CutAt(box, p, share);
  };
  // The new node takes the place of path[level], or of the leaf if level == depth.
  std::size_t level = outside;
  NodeId below = level < depth ? path[level] : at;
  Cut cut = draw(BoxOf(below, store));
  while (level < depth && !Separates(cut, BoxOf(below, store), p)) {
    ++level;
    below = level < depth ? path[level] : at;
    cut = draw(BoxOf(below, store));
  }
  const NodeId leaf = NewLeaf(point);
  const NodeId made = NewNode();
  const bool point_left = p[cut.dimension] <= cut.value;
  nodes_[made] = {cut.value, point_left ? std::array{leaf, below} : std::array{below, leaf}};
  if (dimensions_ > 1) cut_dimensions_[made] = static_cast<std::uint16_t>(cut.dimension);
  SetUnion(made, BoxOf(below, store), {p, p});
  if (level == 0) {
    root_ = made;
  } else {
    Node& parent = nodes_[path[level - 1]];
    parent.child[parent.child[0] == below ? 0 : 1] = made;
  }
  for (std::size_t i = outside; i < level; ++i) SetUnion(path[i], BoxOf(path[i], store), {p, p});
  return point;
}

void CutTree::Delete(std::uint32_t point, const PointStore& store) {
  const float* p = store.At(point);
  HONRYU_CHECK(mass_ > 0, "deleting from an empty tree");
  Path path;
  std::size_t depth = 0;
  const NodeId at = Descend(p, path, &depth);
  const NodeId index = static_cast<NodeId>(at & ~kLeafBit);
  HONRYU_CHECK(leaves_[index].point == point, "the tree does not hold the point it is to delete");
  --mass_;
  if (--leaves_[index].mass > 0) return;
  free_leaves_.push_back(index);
  if (depth == 0) {
    root_ = kNoNode;
    return;
  }
  const NodeId parent = path[--depth];
  const NodeId sibling = nodes_[parent].child[nodes_[parent].child[0] == at ? 1 : 0];
  free_nodes_.push_back(parent);
  if (depth == 0) {
    root_ = sibling;
    return;
  }
  Node& above = nodes_[path[depth - 1]];
  above.child[above.child[0] == parent ? 0 : 1] = sibling;
  while (depth > 0) {
    const NodeId id = path[--depth];
    const Box box = BoxOf(id, store);
    bool touches = false;
    for (std::size_t i = 0; i < dimensions_ && !touches; ++i)
      touches = p[i] == box.min[i] || p[i] == box.max[i];
    if (!touches) break;
    SetUnion(id, BoxOf(nodes_[id].child[0], store), BoxOf(nodes_[id].child[1], store));
  }
}

// A query equal to a leaf of mass m at depth d: (1 - m / 2M) / (d + log2(m + 1)).
double CutTree::SeenScore(const Leaf& leaf, std::size_t depth) const {
  const double share = static_cast<double>(leaf.mass) / (2.0 * static_cast<double>(mass_));
  return (1 - share) / (static_cast<double>(depth) + Log2Above(leaf.mass));
}

double CutTree::Score(const float* query, const PointStore& store) const {
  if (root_ == kNoNode) return 0;
  return width_ == 1 ? ScoreLine(*query, store) : ScoreWide(query, store);
}

// In one dimension the walk down meets the boxes that hold the query first; from the first that does not,
// none does. So the sum over ancestors can be taken on the way down. A leaf below a box that holds the query
// is one of the box's ends.
double CutTree::ScoreLine(float query, const PointStore& store) const {
  NodeId at = root_;
  if (IsLeaf(at)) return *store.At(leaf(at).point) == query ? SeenScore(leaf(at), 0) : 1.0;
  const Node* const nodes = nodes_.data();
  const float* const boxes = boxes_.data();
  double depth = 0;
  for (;;) {
    const float low = boxes[2 * at];
    const float high = boxes[2 * at + 1];
    if (query < low || query > high) break;
    const Node& node = nodes[at];
    const unsigned side = query > node.cut ? 1U : 0U;
    at = node.child[side];
    depth += 1;
    if (IsLeaf(at)) {
      if (query == (side == 1 ? high : low)) return SeenScore(leaf(at), static_cast<std::size_t>(depth));
      return 1 / (depth + 1);
    }
  }
  double score = 0;
  double remaining = 1;
  do {
    const double low = static_cast<double>(boxes[2 * at]);
    const double high = static_cast<double>(boxes[2 * at + 1]);
    const double q = static_cast<double>(query);
    const double grown = q < low ? low - q : q - high;
    const double cut_off = grown / (high - low + grown);
    depth += 1;
    score += remaining * cut_off / depth;
    remaining *= 1 - cut_off;
    at = nodes[at].child[query > nodes[at].cut ? 1 : 0];
  } while (!IsLeaf(at));
  return score + remaining / (depth + 1);
}

double CutTree::ScoreWide(const float* query, const PointStore& store) const {
  Path path;
  std::size_t depth = 0;
  const NodeId at = Descend(query, path, &depth);
  if (SamePoint(store.At(leaf(at).point), query, width_)) return SeenScore(leaf(at), depth);
  double score = 1 / (static_cast<double>(depth) + 1);
  while (depth > 0) {
    const Growth growth = GrowthOf(BoxOf(path[depth - 1], store), query, width_);
    if (growth.grown <= 0) break;
    const double cut_off = growth.grown / growth.range;
    score = cut_off / static_cast<double>(depth) + (1 - cut_off) * score;
    --depth;
  }
  return score;
}

// The walk of Score(), with the chance of being cut off split by dimension and side. Where the query equals a
// leaf, its score is spread evenly and the walk goes on against the boxes of the siblings, as if the leaf
// were not there; the parts are scaled to the score at the end.
void CutTree::Attribute(const float* query, const PointStore& store, double scale, std::span<double> high,
                        std::span<double> low) const {
  if (root_ == kNoNode) return;
  Path path;
  std::size_t depth = 0;
  NodeId at = Descend(query, path, &depth);
  std::vector<double> above(dimensions_);
  std::vector<double> below(dimensions_);
  const float* point = store.At(leaf(at).point);
  const bool seen = SamePoint(point, query, width_);
  double score = seen ? SeenScore(leaf(at), depth) : 1 / (static_cast<double>(depth) + 1);
  if (seen) {
    std::fill(above.begin(), above.end(), score / (2 * static_cast<double>(dimensions_)));
    below = above;
  } else {
    const Growth growth = GrowthOf({point, point}, query, width_);
    for (std::size_t i = 0; i < dimensions_; ++i) {
      const double out = static_cast<double>(query[i]) - static_cast<double>(point[i]);
      (out > 0 ? above : below)[i] = score * std::abs(out) / growth.range;
    }
  }
  std::vector<float> shadow;  // corners of the siblings' box
  while (depth > 0) {
    const NodeId node = path[--depth];
    Box box = BoxOf(node, store);
    if (seen) {
      const Box sibling = BoxOf(nodes_[node].child[nodes_[node].child[0] == at ? 1 : 0], store);
      if (shadow.empty()) {
        shadow.assign(sibling.min, sibling.min + width_);
        shadow.insert(shadow.end(), sibling.max, sibling.max + width_);
      }
      for (std::size_t i = 0; i < width_; ++i) {
        shadow[i] = std::min(shadow[i], sibling.min[i]);
        shadow[width_ + i] = std::max(shadow[width_ + i], sibling.max[i]);
      }
      box = {shadow.data(), shadow.data() + width_};
    }
    at = node;
    const Growth growth = GrowthOf(box, query, width_);
    if (growth.grown <= 0) break;
    const double cut_off = growth.grown / growth.range;
    const double here = 1 / (static_cast<double>(depth) + 1);
    if (!seen) score = cut_off * here + (1 - cut_off) * score;
    for (std::size_t i = 0; i < dimensions_; ++i) {
      const double q = static_cast<double>(query[i]);
      const double up = std::max(0.0, q - static_cast<double>(box.max[i])) / growth.range;
      const double down = std::max(0.0, static_cast<double>(box.min[i]) - q) / growth.range;
      above[i] = up * here + (1 - cut_off) * above[i];
      below[i] = down * here + (1 - cut_off) * below[i];
    }
  }
  double total = 0;
  for (std::size_t i = 0; i < dimensions_; ++i) total += above[i] + below[i];
  if (total <= 0) return;
  for (std::size_t i = 0; i < dimensions_; ++i) {
    high[i] += above[i] * score / total * scale;
    low[i] += below[i] * score / total * scale;
  }
}

void CutTree::AppendNearest(const float* query, std::span<const std::uint8_t> missing,
                            const PointStore& store, std::vector<Neighbour>& out) const {
  if (root_ == kNoNode) return;
  const std::size_t begin = out.size();
  float nearest = std::numeric_limits<float>::max();
  std::vector<NodeId> open{root_};
  while (!open.empty()) {
    const NodeId at = open.back();
    open.pop_back();
    if (!IsLeaf(at)) {
      const Node& node = nodes_[at];
      if (missing[cut_dimension(at)] != 0) {
        open.insert(open.end(), {node.child[1], node.child[0]});
      } else {
        open.push_back(node.child[SideOf(at, query)]);
      }
      continue;
    }
    const std::uint32_t id = leaf(at).point;
    const float* point = store.At(id);
    float distance = 0;
    for (std::size_t i = 0; i < dimensions_; ++i) {
      if (missing[i] == 0) distance += std::abs(point[i] - query[i]);
    }
    if (distance > nearest) continue;
    if (distance < nearest) out.resize(begin);
    nearest = distance;
    out.push_back({id, distance});
  }
}

std::size_t CutTree::MemoryBytes() const {
  return nodes_.capacity() * sizeof(Node) + boxes_.capacity() * sizeof(float) +
         leaves_.capacity() * sizeof(Leaf) +
         (cut_dimensions_.capacity() + free_nodes_.capacity() + free_leaves_.capacity()) *
             sizeof(std::uint16_t);
}

CutTree::NodeId CutTree::MakeLeaf(std::uint32_t point, std::uint32_t mass) {
  if (leaves_.size() >= kMaxLeaves || mass == 0 || mass > kMaxLeaves - mass_) return kNoNode;
  const NodeId made = NewLeaf(point);
  leaves_[made & ~kLeafBit].mass = mass;
  mass_ += mass;
  return made;
}

CutTree::NodeId CutTree::MakeNode(float cut, std::size_t dimension, NodeId left, NodeId right,
                                  const PointStore& store) {
  if (dimension >= dimensions_ || nodes_.size() + 1 >= kMaxLeaves) return kNoNode;
  // Also refuses a cut that is not a number.
  if (!(BoxOf(left, store).max[dimension] <= cut && cut < BoxOf(right, store).min[dimension])) return kNoNode;
  const NodeId made = NewNode();
  nodes_[made] = {cut, {left, right}};
  if (dimensions_ > 1) cut_dimensions_[made] = static_cast<std::uint16_t>(dimension);
  SetUnion(made, BoxOf(left, store), BoxOf(right, store));
  return made;
}

}  // namespace honryu::anomaly
