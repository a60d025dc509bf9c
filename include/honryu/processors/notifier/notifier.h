#pragma once

#include "honryu/async/runtime.h"
#include "honryu/async/sleeper.h"
#include "honryu/client/stream_client.h"
#include "honryu/obs/metrics.h"
#include "honryu/processors/notifier/channel.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace honryu::processors::notifier {

struct NotifierConfig {
  std::string application = "notifier";  ///< Each channel's is "<application>-<channel>".
  std::string alerts_stream = "alerts";
  std::string dead_letter_stream = "alerts-dead-letter";
  std::vector<ChannelConfig> channels;
  std::string public_url;
  Duration retry_initial = std::chrono::seconds(1);  ///< Pauses grow from this…
  Duration retry_max = std::chrono::minutes(1);      ///< …to this, with jitter (half to whole).
  Duration give_up_after = std::chrono::hours(24);  ///< Since the notification was written; at least one try.
  Duration look_back = std::chrono::minutes(10);    ///< Of a channel that is new.
  /// Between two looks at the clock while waiting for the next attempt.
  Duration wait_step = std::chrono::milliseconds(200);
  Duration lease_duration = std::chrono::seconds(10);
  Duration sync_interval = std::chrono::seconds(2);
  Duration poll_wait = std::chrono::seconds(1);

  /// kInvalidArgument names the first fault.
  Result<void> Validate() const;
};

/// Delivers notifications, each channel by itself: at least once, in order, each id once as far as this side
/// can know it. What cannot be delivered goes to the dead-letter stream, with the reason, before the next one
/// is tried. Runs on: the executor given.
class Notifier {
 public:
  /// References must outlive it; `config` must be valid. Pauses between attempts are slept by `sleeper`.
  Notifier(NotifierConfig config, client::StreamClient& client, http::Client& http, async::Runtime& runtime,
           async::Executor executor, const Clock& clock, obs::Registry& metrics,
           async::Sleeper& sleeper = async::SystemSleeper());
  /// With channels of the caller's, by name, in place of the configured ones.
  Notifier(NotifierConfig config, std::map<std::string, std::unique_ptr<Channel>> channels,
           client::StreamClient& client, async::Executor executor, const Clock& clock, obs::Registry& metrics,
           async::Sleeper& sleeper = async::SystemSleeper());
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Begins to work; waits for the stream to exist. Call once.
  void Start();
  /// Call once, also if never started.
  async::Task<void> Stop(MonoTime deadline);
  /// kUnavailable while a stream cannot be read or dead letters cannot be written. A receiver that is down is
  /// no reason: honryu_notifier_waiting tells of it. Thread-safe.
  Result<void> Ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace honryu::processors::notifier
