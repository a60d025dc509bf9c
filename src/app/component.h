#pragma once

#include "honryu/base/error.h"
#include "honryu/base/time.h"

namespace honryu::app {

/// A part of a process that is started and stopped as one: a listener, or what a role adds. All calls come
/// from the thread that runs the process, and may block; Ready also from others.
class Component {
 public:
  Component() = default;
  virtual ~Component() = default;
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;

  /// What logs and /readyz call it.
  virtual const char* name() const = 0;
  /// Called once, after every component that was added before it has started.
  virtual Result<void> Start() = 0;
  /// Asked by /readyz once the whole process has started. Thread-safe.
  virtual Result<void> Ready() const { return Ok(); }
  /// First phase of a stop: takes no new work from outside, returns at once. Also called if Start failed or
  /// was never called, as is Stop.
  virtual void BeginStop() {}
  /// Second phase: what runs comes to its end by `deadline`, or is cancelled.
  virtual void Stop(MonoTime deadline) = 0;
};

}  // namespace honryu::app
