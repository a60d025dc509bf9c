#pragma once

#include "honryu/http/message.h"

#include <string>
#include <vector>

namespace honryu::http {

/// Picks a handler by method and path. A pattern is an exact path or ends in "/*" (prefix). Unknown path:
/// 404; known path with another method: 405 with Allow; HEAD falls back to GET. Build it before the server
/// starts; afterwards it is read-only and may be shared.
class Router {
 public:
  /// `method` "*" takes every method (the handler then decides about it).
  void Add(std::string method, std::string pattern, Handler handler);
  async::Task<Response> Handle(async::Context ctx, const Request& request) const;
  /// A Handler that calls this router; the router must outlive it.
  Handler AsHandler() const;

 private:
  struct Route {
    std::string method, pattern;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace honryu::http
