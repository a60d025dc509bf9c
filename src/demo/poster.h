#pragma once

#include "honryu/base/random.h"
#include "honryu/demo/demo.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace honryu::demo {

/// Posts batches to one gateway and keeps the books. Runs on: one executor, that of its tasks.
class Poster {
 public:
  /// Counts go to `progress`, which must outlive the poster. `on_pause` is called several times a second
  /// while a batch waits for its next attempt; when it returns true the batch is given up with kCancelled.
  Poster(http::Client& client, http::Endpoint endpoint, const Target& target, Progress& progress,
         std::function<bool()> on_pause);

  /// Posts one NDJSON body of `events` events, again and again until the server has settled every one of
  /// them. The error that ended it otherwise: kCancelled, what waiting does not heal, or nothing came through
  /// for target.give_up_after. Several may run at a time.
  async::Task<Result<void>> Post(std::string body, std::size_t events);

 private:
  http::ClientRequest MakeRequest(const std::string& body);
  /// Takes the counts of an answer over. `taken` sums up what earlier attempts got accepted.
  void Count(const http::ClientResponse& response, std::uint64_t* taken, bool last);
  /// True: settled; false: send again; an error: waiting will not heal it.
  static Result<bool> Judge(const http::ClientResponse& response);
  async::Task<Result<void>> Pause(Duration duration);
  void Problem(std::string text) { progress_.last_problem = std::move(text); }

  http::Client& client_;
  const http::Endpoint endpoint_;
  const Target& target_;
  Progress& progress_;
  const std::function<bool()> on_pause_;
  Random random_;
  MonoTime last_success_;
};

/// Puts /v1/events behind the path of a gateway's URL.
Result<http::Endpoint> EventsEndpoint(const std::string& url);

}  // namespace honryu::demo
