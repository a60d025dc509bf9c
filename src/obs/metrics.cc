#include "honryu/obs/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <unordered_map>

namespace honryu::obs {
namespace {
prometheus::Counter* AsCounter(void* impl) { return static_cast<prometheus::Counter*>(impl); }
prometheus::Gauge* AsGauge(void* impl) { return static_cast<prometheus::Gauge*>(impl); }
prometheus::Histogram* AsHistogram(void* impl) { return static_cast<prometheus::Histogram*>(impl); }
}  // namespace

void Counter::Add(double amount) {
  if (impl_ != nullptr) AsCounter(impl_)->Increment(amount);
}
double Counter::Value() const { return impl_ != nullptr ? AsCounter(impl_)->Value() : 0; }
void Gauge::Set(double value) {
  if (impl_ != nullptr) AsGauge(impl_)->Set(value);
}
void Gauge::Add(double amount) {
  if (impl_ != nullptr) AsGauge(impl_)->Increment(amount);
}
double Gauge::Value() const { return impl_ != nullptr ? AsGauge(impl_)->Value() : 0; }
void Histogram::Observe(double value) {
  if (impl_ != nullptr) AsHistogram(impl_)->Observe(value);
}

std::vector<double> LatencyBuckets() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}
std::vector<double> SizeBuckets() { return {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576}; }

struct Registry::Impl {
  prometheus::Registry registry;
  mutable std::mutex mutex;  // guards what follows; leaf
  std::vector<std::function<void()>> refreshers;
  std::unordered_map<const void*, prometheus::Family<prometheus::Counter>*> counters;  // by metric
  std::unordered_map<const void*, prometheus::Family<prometheus::Gauge>*> gauges;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

// Asking prometheus-cpp again for a name or a set of labels gives the same family and the same metric.
Counter Registry::MakeCounter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
  prometheus::Counter& metric = family.Add(labels);
  impl_->counters[&metric] = &family;
  return Counter(&metric);
}
Gauge Registry::MakeGauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(impl_->mutex);
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
  prometheus::Gauge& metric = family.Add(labels);
  impl_->gauges[&metric] = &family;
  return Gauge(&metric);
}
Histogram Registry::MakeHistogram(const std::string& name, const std::string& help,
                                  const std::vector<double>& buckets, const Labels& labels) {
  return Histogram(
      &prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry).Add(labels, buckets));
}

void Registry::Remove(const Counter& counter) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->counters.find(counter.impl_);
  if (found == impl_->counters.end()) return;
  found->second->Remove(AsCounter(counter.impl_));
  impl_->counters.erase(found);
}
void Registry::Remove(const Gauge& gauge) {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->gauges.find(gauge.impl_);
  if (found == impl_->gauges.end()) return;
  found->second->Remove(AsGauge(gauge.impl_));
  impl_->gauges.erase(found);
}

void Registry::OnCollect(std::function<void()> refresh) {
  const std::lock_guard lock(impl_->mutex);
  impl_->refreshers.push_back(std::move(refresh));
}

std::string Registry::Render() const {
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard lock(impl_->mutex);
    refreshers = impl_->refreshers;
  }
  for (const auto& refresh : refreshers) refresh();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace honryu::obs
