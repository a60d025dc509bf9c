#pragma once

#include "anomaly/tree_random.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace honryu::anomaly {

/// A reservoir of at most `capacity` point ids, biased to the recent by exponential decay.
///
/// Point number t gets the key ln(-ln(1 - q)) - lambda t, q uniform in (0,1), and the points with the
/// smallest keys stay (weighted reservoir sampling, Efraimidis and Spirakis 2006, with weights exp(lambda
/// t)).
class DecayedSampler {
 public:
  struct Entry {
    double key;
    std::uint32_t point;
  };
  static constexpr std::uint32_t kNone = 0xffffffff;

  DecayedSampler(std::size_t capacity, double lambda) : capacity_(capacity), lambda_(lambda) {}

  /// The key of point number `t` for a draw `q` in (0,1).
  double KeyOf(std::uint64_t t, double q) const;
  /// A key is taken if it lies below this: the largest key held, infinite while there is room.
  double Limit() const;
  /// The point that goes when the next one is taken, or kNone while there is room.
  std::uint32_t Evictable() const { return heap_.size() < capacity_ ? kNone : heap_.front().point; }
  /// Takes a point with a key below Limit() in the place of Evictable().
  void Take(double key, std::uint32_t point);

  std::size_t size() const { return heap_.size(); }
  /// A heap, largest key first.
  const std::vector<Entry>& entries() const { return heap_; }
  std::size_t MemoryBytes() const { return heap_.capacity() * sizeof(Entry); }
  /// Makes the sampler that a snapshot describes; false when `entries` is no heap or too large.
  bool SetEntries(std::vector<Entry> entries);

 private:
  std::size_t capacity_;
  double lambda_;
  std::vector<Entry> heap_;
};

/// Draws, for each point of a stream, one number q in (0,1) for each of `count` samplers, so that the draws
/// of one sampler are independent and uniform, and those of one point are spread evenly over the samplers:
/// one in each [j / count, (j + 1) / count). Each sampler keeps what it would keep with draws of its own, but
/// the share of samplers that keep a point varies far less, and with it the forest's score between seeds.
///
/// Only draws below a bound can be accepted, so only those are made: O(count x bound + 1) a point.
class StratifiedDraws {
 public:
  struct Draw {
    std::size_t sampler;
    double q;
  };
  explicit StratifiedDraws(std::size_t count);
  /// The draws of one point that may lie below `bound`, lowest stratum first; valid until the next call.
  const std::vector<Draw>& Below(double bound, TreeRandom& random);

 private:
  std::vector<std::uint32_t> order_;  ///< 0, 1, 2, … between calls.
  std::vector<Draw> draws_;
};

}  // namespace honryu::anomaly
