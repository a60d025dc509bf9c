#pragma once

#include "honryu/wire/event_stream.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace honryu::bench {

/// One SubscribeToShard answer over an HTTP/2 connection of its own (cleartext, prior knowledge) to
/// 127.0.0.1, read by a thread of its own until the subscriber goes. Aborts the program when the server
/// refuses.
class Subscriber {
 public:
  /// `body`: JSON of SubscribeToShard; answers come in `format`. `on_frame` gets every event's payload, with
  /// its frame checked, on the subscriber's thread; null: bytes are counted and thrown away.
  Subscriber(std::uint16_t port, std::string body, wire::Format format,
             std::function<void(const std::string& payload)> on_frame);
  ~Subscriber();
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  /// Waits for the first byte of the answer's body.
  void AwaitStart() const;
  std::uint64_t bytes() const { return bytes_; }
  /// Ends the thread; the CPU time that it took, seconds.
  double Stop();

 private:
  void Run(std::uint16_t port, const std::string& body, wire::Format format);

  const std::function<void(const std::string&)> on_frame_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<bool> stop_{false};
  std::atomic<int> fd_{-1};
  double cpu_seconds_ = 0;
  std::thread thread_;
};

}  // namespace honryu::bench
