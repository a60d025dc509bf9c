#include "honryu/api/alerts/alerts_api.h"

#include "honryu/alerting/chart.h"
#include "honryu/alerting/view.h"
#include "honryu/api/keys/front.h"
#include "honryu/base/random.h"
#include "honryu/base/units.h"
#include "honryu/codec/json.h"
#include "honryu/consumer/follower.h"
#include "honryu/obs/log.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <mutex>
#include <utility>

namespace honryu::api::alerts {

namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr std::string_view kSilencePath = "/v1/silences/";

using keys::ErrorAnswer;

std::string TextOf(const codec::Json& object, std::string_view key, std::string_view otherwise) {
  const codec::Json* member = object.Find(key);
  return std::string(member == nullptr ? otherwise : member->StringOr(otherwise));
}

/// An object whose members are texts of these names: what is misspelt must not silence everything.
Result<void> CheckTexts(const codec::Json& body, std::initializer_list<std::string_view> names) {
  const auto wrong = [](const std::string& message) { return Error(ErrorCode::kInvalidArgument, message); };
  if (!body.is_object()) return wrong("expected an object");
  for (const auto& [name, value] : body.object()) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      return wrong("no such member: " + name.substr(0, 100));
    if (!value.is_string()) return wrong(name + ": expected a text");
  }
  return Ok();
}

}  // namespace

struct AlertsApi::Impl {
  Impl(AlertsConfig settings, client::StreamClient& stream_client, async::Executor executor,
       const Clock& source, obs::Registry& registry)
      : config(std::move(settings)),
        client(stream_client),
        clock(source),
        front(FrontOf(config), source, registry),
        malformed(registry.MakeCounter("honryu_alerts_api_malformed_total",
                                       "Records of the stream of alerts that could not be read")),
        view(config.history),
        follower(FollowerOf(config), client, std::move(executor),
                 [this](const client::StreamRecord& record) { Take(record); }) {}
  static keys::FrontConfig FrontOf(const AlertsConfig& config) {
    keys::FrontConfig front;
    front.api_keys = config.api_keys;
    front.origins = config.cors_origins;
    front.counter = "honryu_alerts_api_requests_total";
    front.help = "Requests by outcome";
    return front;
  }
  static consumer::FollowerConfig FollowerOf(const AlertsConfig& config) {
    consumer::FollowerConfig follower;
    follower.stream = config.alerts_stream;
    return follower;
  }
  void Take(const client::StreamRecord& record) {
    const std::lock_guard lock(mutex);
    if (view.Apply(record.data.view()).ok()) return;
    malformed.Add();
  }

  using Method = async::Task<http::Response> (Impl::*)(async::Context, const http::Request&);
  async::Task<http::Response> List(async::Context ctx, const http::Request& request);
  async::Task<http::Response> History(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Chart(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Silences(async::Context ctx, const http::Request& request);
  async::Task<http::Response> AddSilence(async::Context ctx, const http::Request& request);
  async::Task<http::Response> EndSilence(async::Context ctx, const http::Request& request);
  async::Task<http::Response> Test(async::Context ctx, const http::Request& request);
  async::Task<Result<void>> Put(async::Context ctx, std::string key, std::string record);
  Result<alerting::Silence> ReadSilence(const codec::Json& body) const;

  const AlertsConfig config;
  client::StreamClient& client;
  const Clock& clock;
  keys::Front front;
  const http::Handler chart = [this](async::Context ctx, const http::Request& request) {
    return Chart(std::move(ctx), request);
  };
  obs::Counter malformed;
  std::mutex mutex;
  alerting::AlertView view;  // guarded by mutex
  consumer::Follower follower;
};

async::Task<http::Response> AlertsApi::Impl::List(async::Context /*ctx*/, const http::Request& /*request*/) {
  std::vector<alerting::Alert> active;
  {
    const std::lock_guard lock(mutex);
    active = view.Active();
  }
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("alerts");
  json.BeginArray();
  for (const alerting::Alert& alert : active) alerting::WriteAlert(alert, false, json);
  json.EndArray();
  json.Key("complete");
  json.Bool(follower.caught_up());
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<http::Response> AlertsApi::Impl::History(async::Context /*ctx*/, const http::Request& request) {
  std::size_t limit = 100;
  if (const std::string* given = request.Query("limit"); given != nullptr) {
    const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), limit);
    if (error != std::errc() || end != given->data() + given->size() || limit < 1)
      co_return ErrorAnswer(400, "limit: expected a number from 1");
  }
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("changes");
  json.BeginArray();
  {
    const std::lock_guard lock(mutex);
    for (const alerting::Change& change : view.history()) {
      if (limit-- == 0) break;
      json.BeginObject();
      json.Key("id");
      json.String(change.id);
      json.Key("from");
      json.String(alerting::AlertStateName(change.from));
      json.Key("silenced");
      json.Bool(change.silenced);
      json.Key("alert");
      alerting::WriteAlert(change.alert, false, json);
      json.EndObject();
    }
  }
  json.EndArray();
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

namespace {

http::Response Picture(const alerting::Alert& alert, const char* caching) {
  const Result<std::string> png = alerting::DrawChart(alert);
  if (!png.ok()) return ErrorAnswer(500, png.error().message());
  http::Response response = http::Response::Text(200, *png, "image/png");
  response.headers.Set("Cache-Control", caching);
  return response;
}

}  // namespace

// Slack and mail readers fetch pictures without a key: a link that holds what is drawn is leave enough, and
// tells its holder nothing new. What the server knows is drawn for those who may read only.
async::Task<http::Response> AlertsApi::Impl::Chart(async::Context /*ctx*/, const http::Request& request) {
  if (const std::string* text = request.Query("chart"); text != nullptr) {
    const Result<alerting::Alert> alert = alerting::ParseChartText(*text);
    if (!alert.ok()) co_return ErrorAnswer(400, alert.error().message());
    co_return Picture(*alert, "public, max-age=31536000, immutable");
  }
  const std::string* fingerprint = request.Query("alert");
  if (fingerprint == nullptr) co_return ErrorAnswer(400, "alert is missing: rule{key}");
  const std::string* at = request.Query("at");
  std::optional<alerting::Alert> alert;
  {
    const std::lock_guard lock(mutex);
    if (at != nullptr) {  // as it was then, while that is remembered
      for (const alerting::Change& change : view.history()) {
        if (change.alert.Fingerprint() == *fingerprint && std::to_string(ToMs(change.alert.at)) == *at)
          alert = change.alert;
      }
    }
    if (const alerting::Alert* found = view.Find(*fingerprint); !alert.has_value() && found != nullptr)
      alert = *found;
  }
  if (!alert.has_value()) co_return ErrorAnswer(404, "no such alert");
  co_return Picture(*alert, "no-cache");
}

async::Task<http::Response> AlertsApi::Impl::Silences(async::Context /*ctx*/,
                                                      const http::Request& /*request*/) {
  std::vector<alerting::Silence> silences;
  {
    const std::lock_guard lock(mutex);
    silences = view.Silences(clock.Now());
  }
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("silences");
  json.BeginArray();
  for (const alerting::Silence& silence : silences) alerting::WriteSilence(silence, json);
  json.EndArray();
  json.EndObject();
  co_return http::Response::JsonText(200, std::move(text));
}

async::Task<Result<void>> AlertsApi::Impl::Put(async::Context ctx, std::string key, std::string record) {
  ctx.deadline = std::min(ctx.deadline, std::chrono::steady_clock::now() + kCallTimeout);
  std::vector<client::PutEntry> entries;
  client::PutEntry entry;
  entry.partition_key = std::move(key);
  entry.data = Bytes(std::move(record));
  entries.push_back(std::move(entry));
  Result<std::vector<Result<client::PutPosition>>> put =
      co_await client.Put(std::move(ctx), config.alerts_stream, std::move(entries));
  if (!put.ok()) co_return put.error();
  if (!put->front().ok()) co_return put->front().error();
  co_return Ok();
}

Result<alerting::Silence> AlertsApi::Impl::ReadSilence(const codec::Json& body) const {
  const auto wrong = [](const char* message) { return Error(ErrorCode::kInvalidArgument, message); };
  HONRYU_TRY_VOID(CheckTexts(body, {"rule", "key", "for", "by", "comment"}));
  if (body.Find("rule") == nullptr && body.Find("key") == nullptr)
    return wrong("rule or key is missing: which alerts; {\"rule\":\"*\"} silences all");
  alerting::Silence silence;
  silence.id = RandomUuid();
  silence.rule = TextOf(body, "rule", "*");
  silence.key = TextOf(body, "key", "*");
  silence.by = TextOf(body, "by", "");
  silence.comment = TextOf(body, "comment", "");
  silence.from = clock.Now();
  const std::string text = TextOf(body, "for", "");
  if (text.empty()) return wrong("for is missing: how long, for instance \"2h\"");
  HONRYU_TRY(const Duration length, ParseDuration(text));
  if (length <= Duration::zero() || length > config.longest_silence)
    return wrong("for: longer than 0 and at most a month");
  silence.until = silence.from + std::chrono::milliseconds(ToMs(length));
  HONRYU_TRY_VOID(silence.Validate());
  return silence;
}

async::Task<http::Response> AlertsApi::Impl::AddSilence(async::Context ctx, const http::Request& request) {
  const Result<codec::Json> body = codec::Json::Parse(request.body.view());
  if (!body.ok()) co_return ErrorAnswer(400, body.error().message());
  const Result<alerting::Silence> silence = ReadSilence(*body);
  if (!silence.ok()) co_return ErrorAnswer(400, silence.error().message());
  Result<void> put = co_await Put(std::move(ctx), silence->id, alerting::ToJson(*silence));
  if (!put.ok()) co_return ErrorAnswer(503, "the silence cannot be stored: " + put.error().message());
  {
    const std::lock_guard lock(mutex);  // seen by its maker at once
    if (const Result<void> taken = view.Apply(alerting::ToJson(*silence)); !taken.ok()) malformed.Add();
  }
  LOG(info, "alerts silenced", {"id", silence->id}, {"rule", silence->rule}, {"key", silence->key},
      {"by", silence->by});
  std::string text;
  codec::JsonWriter json(text);
  alerting::WriteSilence(*silence, json);
  co_return http::Response::JsonText(201, std::move(text));
}

async::Task<http::Response> AlertsApi::Impl::EndSilence(async::Context ctx, const http::Request& request) {
  const std::string id = request.path.substr(kSilencePath.size());
  std::optional<alerting::Silence> silence;
  {
    const std::lock_guard lock(mutex);
    for (const alerting::Silence& one : view.Silences(clock.Now())) {
      if (one.id == id) silence = one;
    }
  }
  if (!silence.has_value()) co_return ErrorAnswer(404, "no silence of that id");
  silence->until = silence->from;
  Result<void> put = co_await Put(std::move(ctx), silence->id, alerting::ToJson(*silence));
  if (!put.ok()) co_return ErrorAnswer(503, "the silence cannot be ended: " + put.error().message());
  {
    const std::lock_guard lock(mutex);
    if (const Result<void> taken = view.Apply(alerting::ToJson(*silence)); !taken.ok()) malformed.Add();
  }
  LOG(info, "silence ended", {"id", silence->id});
  co_return http::Response::JsonText(200, "{\"ended\":true}");
}

async::Task<http::Response> AlertsApi::Impl::Test(async::Context ctx, const http::Request& request) {
  alerting::Notification note;
  if (!request.body.empty()) {
    const Result<codec::Json> body = codec::Json::Parse(request.body.view());
    if (!body.ok()) co_return ErrorAnswer(400, body.error().message());
    const Result<void> good = CheckTexts(*body, {"channel"});
    if (!good.ok()) co_return ErrorAnswer(400, good.error().message());
    if (const std::string channel = TextOf(*body, "channel", ""); !channel.empty()) note.channels = {channel};
  }
  for (const std::string& channel : note.channels) {
    if (std::find(config.channels.begin(), config.channels.end(), channel) == config.channels.end())
      co_return ErrorAnswer(404, "no channel of that name");
  }
  if (config.channels.empty()) co_return ErrorAnswer(409, "no channel is configured");
  note.id = "test/" + RandomUuid();
  note.group = note.rule = "test";
  note.severity = alerting::Severity::kInfo;
  note.at = clock.Now();
  note.test = true;
  note.firing = 0;
  alerting::Alert alert;
  alert.rule = "test";
  alert.state = alerting::AlertState::kFiring;
  alert.severity = note.severity;
  alert.at = alert.since = note.at;
  alert.summary = "this is a test: nothing is wrong";
  for (int i = 0; i < 20; ++i)
    alert.points.push_back({note.at - std::chrono::seconds(5 * (19 - i)), i < 15 ? 1.0 : 4.0});
  alert.value = 4;
  alert.limit = 3;
  note.alerts = {alert};
  Result<void> put = co_await Put(std::move(ctx), "test", alerting::ToJson(note));
  if (!put.ok()) co_return ErrorAnswer(503, "the test cannot be stored: " + put.error().message());
  std::string text;
  codec::JsonWriter json(text);
  json.BeginObject();
  json.Key("id");
  json.String(note.id);
  json.Key("channels");
  json.BeginArray();
  for (const std::string& channel : note.channels.empty() ? config.channels : note.channels)
    json.String(channel);
  json.EndArray();
  json.EndObject();
  co_return http::Response::JsonText(202, std::move(text));
}

AlertsApi::AlertsApi(AlertsConfig config, client::StreamClient& client, async::Executor executor,
                     const Clock& clock, obs::Registry& metrics)
    : impl_(std::make_unique<Impl>(std::move(config), client, std::move(executor), clock, metrics)) {}
AlertsApi::~AlertsApi() = default;

void AlertsApi::Register(http::Router& router) {
  const auto add = [this, &router](const char* verb, const std::string& path, Impl::Method method,
                                   std::string_view scope) {
    impl_->front.Add(router, verb, path, scope,
                     [impl = impl_.get(), method](async::Context ctx, const http::Request& request) {
                       return (impl->*method)(std::move(ctx), request);
                     });
  };
  add("GET", "/v1/alerts", &Impl::List, "read");
  add("GET", "/v1/alerts/history", &Impl::History, "read");
  router.Add("GET", "/v1/alerts/chart.png",
             [impl = impl_.get()](async::Context ctx, const http::Request& request) {
               const std::string_view scope =
                   request.Query("chart") != nullptr ? keys::Front::kOpen : std::string_view("read");
               return impl->front.Answer(impl->chart, scope, std::move(ctx), request);
             });
  add("POST", "/v1/alerts/test", &Impl::Test, "admin");
  add("GET", "/v1/silences", &Impl::Silences, "read");
  add("POST", "/v1/silences", &Impl::AddSilence, "admin");
  add("DELETE", std::string(kSilencePath) + "*", &Impl::EndSilence, "admin");
}

void AlertsApi::Start() { impl_->follower.Start(); }
async::Task<void> AlertsApi::Stop() { co_await impl_->follower.Stop(); }

}  // namespace honryu::api::alerts
