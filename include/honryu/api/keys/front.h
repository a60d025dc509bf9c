#pragma once

#include "honryu/api/keys/api_keys.h"
#include "honryu/async/task.h"
#include "honryu/http/origin_list.h"
#include "honryu/http/router.h"
#include "honryu/obs/metrics.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace honryu::api::keys {

/// {"error":"<message>"}: how a surface with a Front says what is wrong.
http::Response ErrorAnswer(int status, std::string_view message);

struct FrontConfig {
  std::vector<ApiKey> api_keys;  ///< Empty: everybody.
  /// Pages of these web origins may ask (http::OriginList).
  std::vector<std::string> origins = {"loopback"};
  /// What becomes of requests from pages of other origins: refused, so that no page changes anything unseen,
  /// or answered without leave for the page to read it.
  bool refuse_others = true;
  std::string counter;  ///< Of requests by outcome (ok, refused, failed): its name…
  std::string help;     ///< …and what it counts.
};

/// The way in to an HTTP surface that people and their pages use: API keys, web origins, counts, errors of
/// one shape. Thread-safe once all routes are added.
class Front {
 public:
  /// `scope` of a route that everybody may use.
  static constexpr std::string_view kOpen = "";

  /// References must outlive it.
  Front(const FrontConfig& config, const Clock& clock, obs::Registry& metrics);
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  /// Adds a route that answers with `handler` those whose key has the scope (of kScopes, or kOpen). This
  /// object must outlive the router.
  void Add(http::Router& router, std::string method, std::string path, std::string_view scope,
           http::Handler handler);
  /// Answers one request as such a route does.
  async::Task<http::Response> Answer(const http::Handler& handler, std::string_view scope, async::Context ctx,
                                     const http::Request& request);
  const ApiKeys& keys() const { return keys_; }

 private:
  /// True: *refusal is the answer.
  bool Refuses(const http::Request& request, std::string_view scope, http::Response* refusal) const;

  const ApiKeys keys_;
  const http::OriginList origins_;
  const bool refuse_others_;
  std::map<std::string, obs::Counter, std::less<>> outcomes_;
};

}  // namespace honryu::api::keys
