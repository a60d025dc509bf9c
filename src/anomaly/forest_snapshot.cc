#include "anomaly/forest_state.h"
#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"
#include "honryu/codec/varint.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace honryu::anomaly {
namespace {

// Format: docs/formats/forest-snapshot.md. On disk: never renumber.
constexpr BytesView kMagic = "HRCF";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kMinimumReader = 1;
constexpr std::size_t kHeaderBytes = 6;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::uint64_t kLeafTag = 0;
constexpr std::uint64_t kNodeTag = 1;

void AppendFloat(std::string& out, float value) {
  codec::AppendU32(out, std::bit_cast<std::uint32_t>(value));
}
void AppendDouble(std::string& out, double value) {
  codec::AppendU64(out, std::bit_cast<std::uint64_t>(value));
}

// Children before parents, left before right: a reader needs only a stack.
void AppendTree(std::string& out, const CutTree& tree) {
  std::vector<CutTree::NodeId> order;
  std::vector<CutTree::NodeId> open;
  if (tree.root() != CutTree::kNoNode) open.push_back(tree.root());
  while (!open.empty()) {
    const CutTree::NodeId id = open.back();
    open.pop_back();
    order.push_back(id);
    if (!CutTree::IsLeaf(id)) {
      const auto& children = tree.node(id).child;
      open.insert(open.end(), children.begin(), children.end());
    }
  }
  std::reverse(order.begin(), order.end());
  codec::AppendVarint(out, order.size());
  for (const CutTree::NodeId id : order) {
    if (CutTree::IsLeaf(id)) {
      codec::AppendVarint(out, kLeafTag);
      codec::AppendVarint(out, tree.leaf(id).point);
      codec::AppendVarint(out, tree.leaf(id).mass);
    } else {
      codec::AppendVarint(out, kNodeTag);
      codec::AppendVarint(out, tree.cut_dimension(id));
      AppendFloat(out, tree.node(id).cut);
    }
  }
}

Error Damaged(std::string_view what) {
  return Error(ErrorCode::kCorrupt, fmt::format("forest snapshot: {}", what));
}

bool InRange(float value) { return std::abs(static_cast<double>(value)) <= kLargestCoordinate * 1.000001; }

// Takes numbers off the front; after the first one that is cut short, `whole` stays false.
struct Input {
  BytesView rest;
  bool whole = true;

  std::uint64_t Varint() {
    std::uint64_t value = 0;
    if (!codec::TakeVarint(&rest, &value)) whole = false;
    return whole ? value : 0;
  }
  std::uint64_t Word() {
    if (rest.size() < 8) whole = false;
    if (!whole) return 0;
    const std::uint64_t value = codec::LoadU64(rest.data());
    rest.remove_prefix(8);
    return value;
  }
  double Double() { return std::bit_cast<double>(Word()); }
  float Float() {
    if (rest.size() < 4) whole = false;
    if (!whole) return 0;
    const auto value = std::bit_cast<float>(codec::LoadU32(rest.data()));
    rest.remove_prefix(4);
    return value;
  }
  // A count of things that take at least `bytes` each.
  std::size_t Count(std::size_t bytes) {
    const std::uint64_t count = Varint();
    if (count > rest.size() / bytes) whole = false;
    return whole ? static_cast<std::size_t>(count) : 0;
  }
};

Result<CutTree> ReadTree(Input& input, std::size_t dimensions, const PointStore& store) {
  CutTree tree(dimensions, store.width());
  std::vector<CutTree::NodeId> made;
  const std::size_t nodes = input.Count(3);
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::uint64_t tag = input.Varint();
    CutTree::NodeId id = CutTree::kNoNode;
    if (tag == kLeafTag) {
      const std::uint64_t point = input.Varint();
      const std::uint64_t mass = input.Varint();
      if (point >= store.size() || mass > CutTree::kMaxLeaves) return Damaged("a leaf names no point");
      id = tree.MakeLeaf(static_cast<std::uint32_t>(point), static_cast<std::uint32_t>(mass));
    } else if (tag == kNodeTag && made.size() >= 2) {
      const std::uint64_t dimension = input.Varint();
      const float cut = input.Float();
      const CutTree::NodeId right = made.back();
      made.pop_back();
      const CutTree::NodeId left = made.back();
      made.pop_back();
      id = tree.MakeNode(cut, dimension, left, right, store);
    }
    if (!input.whole || id == CutTree::kNoNode) return Damaged("a tree's nodes do not form a tree");
    made.push_back(id);
  }
  if (!input.whole || made.size() > 1) return Damaged("a tree's nodes do not form a tree");
  if (!made.empty()) tree.SetRoot(made.back());
  return tree;
}

// The points of a tree must be those of its sample, copy for copy.
bool SamePoints(const CutTree& tree, const DecayedSampler& sampler) {
  std::vector<std::uint32_t> sampled;
  for (const auto& entry : sampler.entries()) sampled.push_back(entry.point);
  std::sort(sampled.begin(), sampled.end());
  std::vector<std::uint32_t> held;
  std::vector<CutTree::NodeId> open;
  if (tree.root() != CutTree::kNoNode) open.push_back(tree.root());
  while (!open.empty()) {
    const CutTree::NodeId id = open.back();
    open.pop_back();
    if (CutTree::IsLeaf(id)) {
      held.insert(held.end(), tree.leaf(id).mass, tree.leaf(id).point);
    } else {
      open.insert(open.end(), tree.node(id).child.begin(), tree.node(id).child.end());
    }
  }
  std::sort(held.begin(), held.end());
  return held == sampled;
}

}  // namespace

std::string RandomCutForest::State::Snapshot() const {
  std::string out(kMagic);
  out += static_cast<char>(kVersion);
  out += static_cast<char>(kMinimumReader);
  for (const std::uint64_t value :
       {std::uint64_t{options.dimensions}, std::uint64_t{options.shingle}, std::uint64_t{options.trees},
        std::uint64_t{options.sample_size}, options.time_decay, std::uint64_t{options.silent_rows},
        options.seed, rows}) {
    codec::AppendVarint(out, value);
  }
  for (const double value : origin_) AppendDouble(out, value);
  for (std::size_t i = 0; i < point_dimensions_; ++i) {
    AppendFloat(out, window_.values[i]);
    out += static_cast<char>(window_.replaced[i]);
  }
  codec::AppendVarint(out, store_.size());
  for (std::uint32_t id = 0; id < store_.size(); ++id) {
    for (std::size_t i = 0; i < point_dimensions_; ++i) AppendFloat(out, store_.At(id)[i]);
  }
  codec::AppendVarint(out, store_.free_places().size());
  for (const std::uint32_t id : store_.free_places()) codec::AppendVarint(out, id);
  codec::AppendU64(out, sampling_.state());
  for (const SampledTree& each : trees_) {
    codec::AppendU64(out, each.random.state());
    codec::AppendVarint(out, each.sampler.size());
    for (const auto& entry : each.sampler.entries()) {
      AppendDouble(out, entry.key);
      codec::AppendVarint(out, entry.point);
    }
    AppendTree(out, each.tree);
  }
  codec::AppendU32(out, Crc32c(out));
  return out;
}

// `body`: what follows the options and `rows`, which the state was made from.
Result<void> RandomCutForest::State::ReadSnapshot(BytesView body) {
  Input input{body};
  for (double& value : origin_) {
    value = input.Double();
    if (std::isinf(value)) return Damaged("an origin is infinite");  // not yet known: NaN
  }
  for (std::size_t i = 0; i < point_dimensions_; ++i) {
    window_.values[i] = input.Float();
    if (!InRange(window_.values[i])) return Damaged("a value is out of range");
    if (input.rest.empty()) return Damaged("cut short");
    window_.replaced[i] = input.rest.front() == 0 ? 0 : 1;
    input.rest.remove_prefix(1);
  }
  const std::size_t places = input.Count(4 * point_dimensions_);
  std::vector<float> values(places * store_.width());
  for (std::size_t id = 0; id < places; ++id) {
    for (std::size_t i = 0; i < point_dimensions_; ++i) {
      const float value = input.Float();
      if (!InRange(value)) return Damaged("a value is out of range");
      values[id * store_.width() + i] = value;
    }
  }
  std::vector<std::uint32_t> free(input.Count(1));
  std::vector<std::uint8_t> is_free(places, 0);
  for (std::uint32_t& id : free) {
    const std::uint64_t given = input.Varint();
    if (given >= places || is_free[given] != 0) return Damaged("the list of free places is wrong");
    is_free[given] = 1;
    id = static_cast<std::uint32_t>(given);
  }
  store_ = PointStore::FromParts(store_.width(), std::move(values), std::vector<std::uint32_t>(places, 0),
                                 std::move(free));
  sampling_ = TreeRandom(input.Word());
  for (SampledTree& each : trees_) {
    each.random = TreeRandom(input.Word());
    std::vector<DecayedSampler::Entry> entries(input.Count(9));
    for (auto& entry : entries) {
      entry.key = input.Double();
      const std::uint64_t point = input.Varint();
      if (!std::isfinite(entry.key) || point >= places || is_free[point] != 0)
        return Damaged("a sample is wrong");
      entry.point = static_cast<std::uint32_t>(point);
      store_.AddReference(entry.point);
    }
    if (!each.sampler.SetEntries(std::move(entries))) return Damaged("a sample is not in order");
    HONRYU_TRY(each.tree, ReadTree(input, point_dimensions_, store_));
    if (!SamePoints(each.tree, each.sampler)) return Damaged("a tree does not hold its sample");
  }
  for (std::uint32_t id = 0; id < places; ++id) {
    if (is_free[id] == 0 && store_.references(id) == 0) return Damaged("a point belongs to no tree");
  }
  if (!input.whole || !input.rest.empty()) return Damaged("not as long as it says");
  UpdateLimit();
  return Ok();
}

Result<RandomCutForest> RandomCutForest::Restore(BytesView snapshot) {
  if (snapshot.size() < kHeaderBytes + kChecksumBytes || !snapshot.starts_with(kMagic)) {
    return Damaged("not a forest snapshot");
  }
  if (const auto minimum = static_cast<std::uint8_t>(snapshot[5]); minimum > kVersion) {
    return Error(
        ErrorCode::kUnimplemented,
        fmt::format("forest snapshot: needs a reader of version {}, this is version {}", minimum, kVersion));
  }
  const BytesView body = snapshot.substr(0, snapshot.size() - kChecksumBytes);
  if (Crc32c(body) != codec::LoadU32(snapshot.data() + body.size())) return Damaged("the checksum is wrong");
  Input input{body.substr(kHeaderBytes)};
  ForestOptions options;
  options.dimensions = input.Varint();
  options.shingle = input.Varint();
  options.trees = input.Varint();
  options.sample_size = input.Varint();
  options.time_decay = input.Varint();
  options.silent_rows = input.Varint();
  options.seed = input.Varint();
  const std::uint64_t rows = input.Varint();
  if (!input.whole) return Damaged("cut short");
  Result<RandomCutForest> forest = Create(options);
  if (!forest.ok()) return Damaged(forest.error().message());
  forest->state_->rows = rows;
  HONRYU_TRY_VOID(forest->state_->ReadSnapshot(input.rest));
  return forest;
}

}  // namespace honryu::anomaly
