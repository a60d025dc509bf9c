#include "command.h"
#include "connection.h"

#include <cstdio>
#include <memory>
#include <string>

namespace honryu::app {
namespace {

async::Task<Result<http::ClientResponse>> Get(http::Client* http, http::Endpoint endpoint) {
  const async::Context ctx = async::Context::WithTimeout(std::chrono::seconds(5));
  http::ClientRequest request;
  request.endpoint = std::move(endpoint);
  Result<http::ClientResponse> response = co_await http->Send(ctx, std::move(request));
  co_return response;
}

int RunHealthcheck(const std::string& url) {
  const Result<http::Endpoint> endpoint = http::ParseUrl(url);
  if (!endpoint.ok()) return Fail(endpoint.error().WithContext(url));
  Connection connection(url);
  const auto response = connection.runtime().BlockOn(Get(&connection.http(), *endpoint));
  if (!response.ok()) return Fail(response.error().WithContext(url));
  if (response->status != 200) {
    std::fprintf(stderr, "%s answered %d: %.*s\n", url.c_str(), response->status,
                 static_cast<int>(response->body.size()), response->body.data());
    return 1;
  }
  return 0;
}

}  // namespace

void AddHealthcheckCommand(CLI::App& app, int* exit_code) {
  auto url = std::make_shared<std::string>("http://127.0.0.1:9600/readyz");
  CLI::App* command =
      app.add_subcommand("healthcheck", "Exit 0 if a daemon answers 200 on its health page (for containers)");
  command->add_option("--url", *url, "Page to ask")->capture_default_str();
  command->footer("Example:\n  honryu healthcheck --url http://127.0.0.1:9600/healthz");
  command->callback([url, exit_code] { *exit_code = RunHealthcheck(*url); });
}

}  // namespace honryu::app
