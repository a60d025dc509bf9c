#include "honryu/api/admin/admin_api.h"

#include "honryu/codec/json.h"

#include <mutex>
#include <utility>
#include <vector>

namespace honryu::api::admin {

namespace {

struct Check {
  std::string name;
  std::function<Result<void>()> run;
};

http::Response NotCached(http::Response response) {
  response.headers.Set("Cache-Control", "no-store");
  return response;
}

}  // namespace

struct AdminApi::Impl {
  Impl(AdminConfig settings, const obs::Registry& registry, const Clock& source)
      : config(std::move(settings)),
        metrics(registry),
        clock(source),
        started(source.Now()),
        started_mono(source.Mono()) {}

  void WriteIdentity(codec::JsonWriter* json) const {
    json->Key("version");
    json->String(config.version);
    if (!config.commit.empty()) {
      json->Key("commit");
      json->String(config.commit);
    }
    if (!config.roles.empty()) {
      json->Key("roles");
      json->String(config.roles);
    }
  }

  http::Response Health() const {
    std::string text;
    codec::JsonWriter json(text);
    json.BeginObject();
    json.Key("status");
    json.String("alive");
    WriteIdentity(&json);
    json.Key("started_at");
    json.String(FormatTimestamp(started));
    json.Key("uptime_seconds");
    json.Int(std::chrono::duration_cast<std::chrono::seconds>(clock.Mono() - started_mono).count());
    json.EndObject();
    return NotCached(http::Response::JsonText(200, std::move(text)));
  }

  http::Response Readiness() const {
    std::vector<Check> current;
    {
      const std::lock_guard lock(mutex);
      current = checks;
    }
    bool ready = true;
    std::string list;
    codec::JsonWriter json(list);
    json.BeginArray();
    for (const Check& check : current) {
      const Result<void> result = check.run();
      ready = ready && result.ok();
      json.BeginObject();
      json.Key("name");
      json.String(check.name);
      json.Key("ok");
      json.Bool(result.ok());
      if (!result.ok()) {
        json.Key("reason");
        json.String(result.error().message());
      }
      json.EndObject();
    }
    json.EndArray();
    std::string text;
    codec::JsonWriter body(text);
    body.BeginObject();
    body.Key("ready");
    body.Bool(ready);
    body.Key("checks");
    body.Raw(list);
    body.EndObject();
    return NotCached(http::Response::JsonText(ready ? 200 : 503, std::move(text)));
  }

  http::Response Version() const {
    std::string text;
    codec::JsonWriter json(text);
    json.BeginObject();
    WriteIdentity(&json);
    json.EndObject();
    return http::Response::JsonText(200, std::move(text));
  }

  http::Response Metrics() const {
    return NotCached(http::Response::Text(200, metrics.Render(), "text/plain; version=0.0.4; charset=utf-8"));
  }

  async::Task<http::Response> Answer(http::Response (Impl::*make)() const) const {
    co_return (this->*make)();
  }

  const AdminConfig config;
  const obs::Registry& metrics;
  const Clock& clock;
  const Timestamp started;
  const MonoTime started_mono;
  mutable std::mutex mutex;
  std::vector<Check> checks;  // guarded by mutex
};

AdminApi::AdminApi(AdminConfig config, const obs::Registry& metrics, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), metrics, clock)) {}

AdminApi::~AdminApi() = default;

void AdminApi::AddCheck(std::string name, std::function<Result<void>()> check) {
  const std::lock_guard lock(impl_->mutex);
  impl_->checks.push_back({std::move(name), std::move(check)});
}

void AdminApi::Register(http::Router& router) {
  const std::pair<const char*, http::Response (Impl::*)() const> routes[] = {{"/healthz", &Impl::Health},
                                                                             {"/readyz", &Impl::Readiness},
                                                                             {"/metrics", &Impl::Metrics},
                                                                             {"/version", &Impl::Version}};
  for (const auto& [path, make] : routes) {
    router.Add("GET", path,
               [impl = impl_.get(), answer = make](async::Context /*ctx*/, const http::Request& /*request*/) {
                 return impl->Answer(answer);
               });
  }
}

}  // namespace honryu::api::admin
