#pragma once

#include "anomaly/point_store.h"
#include "anomaly/tree_random.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace honryu::anomaly {

/// One random cut tree over points of a PointStore.
///
/// A node is named by 16 bits: an internal node by its index, a leaf by its index with kLeafBit set. What a
/// walk down needs (cut, children) lies apart from the boxes, 8 bytes a node; a leaf is one distinct point
/// and the number of equal copies. Left holds values <= cut, right those above. Boxes are tight.
class CutTree {
 public:
  using NodeId = std::uint16_t;
  static constexpr NodeId kLeafBit = 0x8000;
  static constexpr NodeId kNoNode = 0xffff;
  static constexpr std::size_t kMaxLeaves = 16384;

  struct Node {
    float cut;
    std::array<NodeId, 2> child;
  };
  struct Leaf {
    std::uint32_t point;
    std::uint32_t mass;
  };
  /// Corners; the pointers live as long as the tree and the store stay as they are.
  struct Box {
    const float* min;
    const float* max;
  };
  /// A point like the one looked for, and how far it lies from it in the values that are known.
  struct Neighbour {
    std::uint32_t point;
    float distance;
  };

  CutTree(std::size_t dimensions, std::size_t width) : dimensions_(dimensions), width_(width) {}

  /// Puts the point in. Returns the id it is kept under: that of an equal point that is there already, else
  /// `point`. Cuts are drawn with `first`, numbers uniform in [0,1), then with `random` when those are used
  /// up.
  std::uint32_t Insert(std::uint32_t point, const PointStore& store, std::span<const double> first,
                       TreeRandom& random);
  /// Takes one copy of a point out, by the id that Insert returned.
  void Delete(std::uint32_t point, const PointStore& store);

  /// Expected inverse depth at which `query` would be cut off, 0 in an empty tree: multiply by log2(mass() +
  /// 1).
  double Score(const float* query, const PointStore& store) const;
  /// Adds to `high` and `low` (one a dimension) the parts of Score() x `scale`.
  void Attribute(const float* query, const PointStore& store, double scale, std::span<double> high,
                 std::span<double> low) const;
  /// Appends the points nearest to `query` (sum of absolute differences) among those that the cuts leave when
  /// both sides of every cut in a `missing` dimension are tried; all of them if several are equally near.
  void AppendNearest(const float* query, std::span<const std::uint8_t> missing, const PointStore& store,
                     std::vector<Neighbour>& out) const;

  /// Points in the tree, copies counted.
  std::uint32_t mass() const { return mass_; }
  NodeId root() const { return root_; }
  static bool IsLeaf(NodeId id) { return (id & kLeafBit) != 0; }
  const Node& node(NodeId id) const { return nodes_[id]; }
  std::size_t cut_dimension(NodeId id) const { return dimensions_ == 1 ? 0 : cut_dimensions_[id]; }
  const Leaf& leaf(NodeId id) const { return leaves_[id & ~kLeafBit]; }
  Box BoxOf(NodeId id, const PointStore& store) const {
    if (IsLeaf(id)) {
      const float* point = store.At(leaf(id).point);
      return {point, point};
    }
    const float* box = boxes_.data() + id * 2 * width_;
    return {box, box + width_};
  }
  std::size_t MemoryBytes() const;

  /// For snapshots: makes a leaf, or a node over two that were made before; kNoNode when that would not be a
  /// valid tree (cut outside the box, points on the wrong side, no room). SetRoot ends it.
  NodeId MakeLeaf(std::uint32_t point, std::uint32_t mass);
  NodeId MakeNode(float cut, std::size_t dimension, NodeId left, NodeId right, const PointStore& store);
  void SetRoot(NodeId root) { root_ = root; }

 private:
  struct Cut {
    std::size_t dimension;
    float value;
  };

  NodeId NewNode();
  NodeId NewLeaf(std::uint32_t point);
  Cut CutAt(Box box, const float* point, double share) const;
  bool Separates(Cut cut, Box box, const float* point) const;
  bool Contains(Box box, const float* point) const;
  void SetUnion(NodeId id, Box a, Box b);
  /// From the root to the leaf on whose side `query` lies; the nodes passed go to `path`.
  NodeId Descend(const float* query, NodeId* path, std::size_t* depth) const {
    NodeId at = root_;
    while (!IsLeaf(at)) {
      path[(*depth)++] = at;
      at = nodes_[at].child[SideOf(at, query)];
    }
    return at;
  }
  unsigned SideOf(NodeId id, const float* query) const {
    return query[cut_dimension(id)] > nodes_[id].cut ? 1U : 0U;
  }
  double ScoreLine(float query, const PointStore& store) const;
  double ScoreWide(const float* query, const PointStore& store) const;
  double SeenScore(const Leaf& leaf, std::size_t depth) const;

  std::size_t dimensions_;
  std::size_t width_;
  NodeId root_ = kNoNode;
  std::uint32_t mass_ = 0;
  std::vector<Node> nodes_;
  std::vector<float> boxes_;                   // for every node, width_ minima, then width_ maxima
  std::vector<std::uint16_t> cut_dimensions_;  // empty when there is only one
  std::vector<Leaf> leaves_;
  std::vector<NodeId> free_nodes_;
  std::vector<NodeId> free_leaves_;
};

}  // namespace honryu::anomaly
