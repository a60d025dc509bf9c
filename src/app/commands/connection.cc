#include "connection.h"

#include "honryu/client/signing.h"
#include "honryu/wire/fault.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace honryu::app {
namespace {

client::RemoteClientConfig RemoteConfig(const std::string& endpoint) {
  client::RemoteClientConfig config;
  config.endpoint = endpoint;
  const char* id = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (id != nullptr && secret != nullptr) {
    config.access_key_id = id;
    config.secret_access_key = secret;
  }
  return config;
}

http::ClientConfig HttpConfig() {
  http::ClientConfig config;
  if (const char* bundle = std::getenv("AWS_CA_BUNDLE"); bundle != nullptr) config.ca_file = bundle;
  return config;
}

async::RuntimeOptions ClientRuntime() {
  async::RuntimeOptions options;
  options.io_threads = 1;
  options.blocking_threads = 1;
  return options;
}

async::Task<Result<http::ClientResponse>> SendOne(http::Client* http, http::ClientRequest request) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(30));
  Result<http::ClientResponse> response = co_await http->Send(ctx, std::move(request));
  co_return response;
}

volatile std::sig_atomic_t stop_requested = 0;

extern "C" void OnStopSignal(int) {
  if (stop_requested != 0) std::_Exit(130);
  stop_requested = 1;
}

}  // namespace

Connection::Connection(const std::string& endpoint)
    : config_(RemoteConfig(endpoint)), runtime_(ClientRuntime()), http_(runtime_, HttpConfig()) {
  streams_ = client::MakeRemoteClient(http_, config_);
}

Connection::~Connection() = default;

Result<codec::Json> Connection::Call(const std::string& operation, const std::string& body) {
  HONRYU_TRY(http::Endpoint endpoint, http::ParseUrl(config_.endpoint));
  http::ClientRequest request;
  request.method = "POST";
  request.endpoint = endpoint;
  request.headers.Add("Content-Type", "application/x-amz-json-1.1");
  request.headers.Add("X-Amz-Target", "Kinesis_20131202." + operation);
  request.body = Bytes(body);
  if (!config_.access_key_id.empty()) {
    auth::Signer signer;
    signer.access_key = config_.access_key_id;
    signer.secret = config_.secret_access_key;
    client::SignRequest(signer, SystemClock().Now(), request);
  }
  HONRYU_TRY(http::ClientResponse response, runtime_.BlockOn(SendOne(&http_, std::move(request))));
  if (response.status == 200 && response.body.empty()) return codec::Json(codec::Json::Object{});
  HONRYU_TRY(codec::Json json, codec::Json::Parse(response.body));
  if (response.status != 200) {
    const codec::Json* name = json.Find("__type");
    const codec::Json* message = json.Find("message");
    const std::string_view type = name != nullptr ? name->StringOr("error") : "error";
    const std::optional<wire::FaultName> fault = wire::FindFault(type);
    return Error(fault ? wire::TraitsOf(*fault).code : ErrorCode::kInvalidArgument,
                 std::string(type) + ": " +
                     std::string(message != nullptr ? message->StringOr("")
                                                    : "HTTP " + std::to_string(response.status)));
  }
  return json;
}

int Fail(const Error& error) {
  std::fprintf(stderr, "honryu: %s\n", error.message().c_str());
  return 1;
}

void InstallStopSignals() {
  struct sigaction action{};
  action.sa_handler = OnStopSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool StopRequested() { return stop_requested != 0; }

}  // namespace honryu::app
