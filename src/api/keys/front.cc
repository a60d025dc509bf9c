#include "honryu/api/keys/front.h"

#include "honryu/codec/json.h"

#include <utility>

namespace honryu::api::keys {

http::Response ErrorAnswer(int status, std::string_view message) {
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("error");
  json.String(message);
  json.EndObject();
  return http::Response::JsonText(status, std::move(text));
}

Front::Front(const FrontConfig& config, const Clock& clock, obs::Registry& metrics)
    : keys_(config.api_keys, clock), origins_(config.origins), refuse_others_(config.refuse_others) {
  for (const char* outcome : {"ok", "refused", "failed"})
    outcomes_.emplace(outcome, metrics.MakeCounter(config.counter, config.help, {{"outcome", outcome}}));
}

bool Front::Refuses(const http::Request& request, std::string_view scope, http::Response* refusal) const {
  if (refuse_others_ && !origins_.Allows(request.headers.Get("Origin"))) {
    *refusal = ErrorAnswer(403, "pages of this web origin may not ask");
    return true;
  }
  if (scope == kOpen) return false;
  using Verdict = ApiKeys::Verdict;
  const Verdict verdict = keys_.Identify(request, scope).verdict;
  if (verdict == Verdict::kAllowed) return false;
  if (verdict == Verdict::kForbidden) {
    *refusal = ErrorAnswer(403, "the API key lacks the scope \"" + std::string(scope) + "\"");
    return true;
  }
  *refusal =
      ErrorAnswer(401, verdict == Verdict::kMissing ? "an API key is required: Authorization: Bearer KEY"
                                                    : "unknown API key");
  refusal->headers.Set("WWW-Authenticate", "Bearer");
  return true;
}

async::Task<http::Response> Front::Answer(const http::Handler& handler, std::string_view scope,
                                          async::Context ctx, const http::Request& request) {
  http::Response response;
  if (!Refuses(request, scope, &response)) {
    http::Response answered = co_await handler(std::move(ctx), request);
    response = std::move(answered);
  }
  outcomes_.find(response.status < 400 ? "ok" : response.status < 500 ? "refused" : "failed")->second.Add();
  const std::string_view origin = request.headers.Get("Origin");
  if (!origins_.any()) response.headers.Add("Vary", "Origin");
  if (!origin.empty() && origins_.Allows(origin))
    response.headers.Set("Access-Control-Allow-Origin", origins_.any() ? "*" : std::string(origin));
  if (!response.headers.Has("Cache-Control")) response.headers.Set("Cache-Control", "no-store");
  co_return response;
}

void Front::Add(http::Router& router, std::string method, std::string path, std::string_view scope,
                http::Handler handler) {
  router.Add(std::move(method), std::move(path),
             [this, scope, handler = std::move(handler)](async::Context ctx, const http::Request& request) {
               return Answer(handler, scope, std::move(ctx), request);
             });
}

}  // namespace honryu::api::keys
