#include "app/process.h"
#include "app/settings.h"
#include "app/version.h"
#include "command.h"
#include "connection.h"
#include "honryu/base/units.h"
#include "honryu/codec/json.h"
#include "honryu/obs/log.h"

#include <poll.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace honryu::app {
namespace {

struct ServeOptions {
  std::string config;
  std::vector<std::string> roles;
  std::string data_dir;
  std::vector<std::string> overrides;
  std::string ports_file;
};

Result<void> WritePorts(const std::string& path, const std::map<std::string, std::uint16_t>& ports) {
  // Written aside and renamed, so that a reader never sees half of it.
  std::string json;
  codec::JsonWriter writer(json);
  writer.BeginObject();
  for (const auto& [name, port] : ports) {
    writer.Key(name);
    writer.Uint(port);
  }
  writer.EndObject();
  const std::string aside = path + ".tmp";
  {
    std::ofstream out(aside);
    out << json << '\n';
    if (!out.flush()) return Error(ErrorCode::kIo, "cannot write " + aside);
  }
  if (std::rename(aside.c_str(), path.c_str()) != 0) return Error(ErrorCode::kIo, "cannot rename " + aside);
  return Ok();
}

int RunServe(const ServeOptions& options) {
  InstallStopSignals();
  std::vector<std::string> overrides = options.overrides;
  if (!options.data_dir.empty()) overrides.push_back("data_dir=" + options.data_dir);
  Result<Settings> settings = LoadSettings(options.config, overrides);
  if (!settings.ok()) return Fail(settings.error());
  if (const Result<void> logging = obs::InitLogging(settings->log); !logging.ok())
    return Fail(logging.error());
  std::set<std::string> roles(options.roles.begin(), options.roles.end());
  if (roles.empty()) roles.insert(std::begin(kRoles), std::end(kRoles));
  std::string role_names;
  for (const std::string& role : roles) role_names += (role_names.empty() ? "" : ",") + role;
  LOG(info, "honryu starts", {"version", kVersion}, {"roles", role_names}, {"data_dir", settings->data_dir});
  const Duration grace = settings->stop_grace;
  Process process(std::move(*settings), roles);
  if (const Result<void> started = process.Start(StopRequested); !started.ok()) {
    if (StopRequested() && started.error().code() == ErrorCode::kCancelled) {
      LOG(info, "honryu has stopped before it was ready");
      obs::FlushLog();
      return 0;
    }
    LOG(error, "start failed", {"error", started.error()});
    obs::FlushLog();
    return Fail(started.error());
  }
  const auto ports = process.Ports();
  if (!options.ports_file.empty()) {
    if (const Result<void> written = WritePorts(options.ports_file, ports); !written.ok()) {
      process.Stop(grace);
      return Fail(written.error());
    }
  }
  for (const auto& [name, port] : ports) LOG(info, "listening", {"listener", name}, {"port", port});
  LOG(info, "honryu is ready");
  obs::FlushLog();
  // Signals interrupt poll(); the flag is looked at again at least once a second.
  while (!StopRequested()) ::poll(nullptr, 0, 1000);
  LOG(info, "honryu stops", {"grace", FormatDuration(grace)});
  process.Stop(grace);
  LOG(info, "honryu has stopped");
  obs::FlushLog();
  return 0;
}

}  // namespace

void AddServeCommand(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      app.add_subcommand("serve", "Run the server: all roles in one process, or some of them as a daemon");
  command->add_option("-c,--config", options->config, "YAML file (see `honryu config print-default`)")
      ->check(CLI::ExistingFile);
  command->add_option("-r,--role", options->roles, "Run only this role; may be repeated")
      ->check(CLI::IsMember(std::set<std::string>(std::begin(kRoles), std::end(kRoles))));
  command->add_option("--data-dir", options->data_dir,
                      "Folder for the log and all state (data_dir in the file)");
  command->add_option("--set", options->overrides,
                      "Override one setting, e.g. --set http.port=8081; may be repeated");
  command->add_option("--ports-file", options->ports_file,
                      "Write the bound ports here as JSON once everything listens");
  command->footer(
      "Roles: gateway (HTTP ingest), broker (the log and the Kinesis API), aggregator (SQL applications: key "
      "figures and your own), query (keeps key figures, serves them and alerts over HTTP), indexer (search, "
      "and its API), detector (finds what is odd in key figures), alerter (rules, and telling people).\n"
      "A process without the broker role talks to the broker at broker.endpoint.\n"
      "Settings: file, then environment (HONRYU__HTTP__PORT=8081), then --set; the later wins.\n"
      "Signals: SIGTERM or SIGINT stops gracefully (in-flight requests finish, state is checkpointed); a "
      "second one ends at once.\n"
      "Pages of every role on the admin port: /healthz, /readyz, /metrics.\n"
      "Examples:\n"
      "  honryu serve --data-dir /var/lib/honryu\n"
      "  honryu serve --role gateway --set broker.endpoint=http://10.0.0.5:4567");
  command->callback([options, exit_code] { *exit_code = RunServe(*options); });
}

}  // namespace honryu::app
