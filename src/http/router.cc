#include "honryu/http/router.h"

#include "error_response.h"

namespace honryu::http {
namespace {

bool PathMatches(std::string_view pattern, std::string_view path) {
  if (pattern.ends_with("/*")) return path.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == path;
}

}  // namespace

void Router::Add(std::string method, std::string pattern, Handler handler) {
  routes_.push_back(Route{std::move(method), std::move(pattern), std::move(handler)});
}

async::Task<Response> Router::Handle(async::Context ctx, const Request& request) const {
  std::string allowed;
  const Route* found = nullptr;
  for (const Route& route : routes_) {
    if (!PathMatches(route.pattern, request.path)) continue;
    const bool head_of_get = request.method == "HEAD" && route.method == "GET";
    if (route.method == "*" || route.method == request.method || head_of_get) {
      found = &route;
      break;
    }
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (found != nullptr) {
    Response response = co_await found->handler(std::move(ctx), request);
    co_return response;
  }
  if (allowed.empty())
    co_return ErrorResponse(404, "not_found", "no such path: " + request.path, request.request_id);
  Response response =
      ErrorResponse(405, "method_not_allowed", "allowed here: " + allowed, request.request_id);
  response.headers.Add("Allow", allowed);
  co_return response;
}

Handler Router::AsHandler() const {
  return [this](async::Context ctx, const Request& request) { return Handle(std::move(ctx), request); };
}

}  // namespace honryu::http
