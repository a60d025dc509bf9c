#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::obs {

using Labels = std::map<std::string, std::string>;

/// A monotone count. Cheap handle; valid while its Registry lives. Thread-safe.
class Counter {
  friend class Registry;

 public:
  Counter() = default;
  explicit Counter(void* impl) : impl_(impl) {}
  void Add(double amount = 1);
  double Value() const;

 private:
  void* impl_ = nullptr;
};

/// A value that goes up and down. Cheap handle; valid while its Registry lives. Thread-safe.
class Gauge {
  friend class Registry;

 public:
  Gauge() = default;
  explicit Gauge(void* impl) : impl_(impl) {}
  void Set(double value);
  void Add(double amount);
  double Value() const;

 private:
  void* impl_ = nullptr;
};

/// A distribution over fixed buckets. Cheap handle; valid while its Registry lives. Thread-safe.
class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(void* impl) : impl_(impl) {}
  void Observe(double value);

 private:
  void* impl_ = nullptr;
};

/// Upper bounds in seconds from 100 µs to 10 s, for latencies.
std::vector<double> LatencyBuckets();
/// Powers of four from 1 to about 1e6, for batch sizes and counts.
std::vector<double> SizeBuckets();

/// The process's metrics; one is made in main and passed down. Asking again for the same name and labels
/// gives the same metric. Names follow Prometheus: honryu_<module>_<noun>_<unit>[_total]; label values come
/// from bounded sets. Thread-safe. A default-constructed handle (no registry) ignores every call.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter MakeCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge MakeGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram MakeHistogram(const std::string& name, const std::string& help,
                          const std::vector<double>& buckets, const Labels& labels = {});
  /// Takes a series away, from the exposition and from memory; every handle of it is dead from then on, so
  /// the caller must know that no other one is in use. One that was never made here is ignored.
  void Remove(const Counter& counter);
  void Remove(const Gauge& gauge);
  /// Called before every render, to refresh gauges that are read rather than pushed. The callable must stay
  /// valid while the registry lives.
  void OnCollect(std::function<void()> refresh);
  /// The Prometheus text exposition format, version 0.0.4.
  std::string Render() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::obs
