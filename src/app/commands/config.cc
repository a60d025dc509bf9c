#include "app/settings.h"
#include "command.h"
#include "connection.h"
#include "honryu/config/load.h"
#include "honryu/config/print.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace honryu::app {

void AddConfigCommand(CLI::App& app, int* exit_code) {
  struct Options {
    std::string file;
    std::vector<std::string> overrides;
    std::string format = "yaml";
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("config", "Check a configuration, or print the default one");
  command->require_subcommand(1);
  CLI::App* check = command->add_subcommand(
      "check", "Read a file, the environment and --set, and report every fault with file, line and key");
  check->add_option("file", options->file, "YAML file")->required()->check(CLI::ExistingFile);
  check->add_option("--set", options->overrides, "Override one setting");
  check->callback([options, exit_code] {
    const Result<Settings> settings = LoadSettings(options->file, options->overrides);
    if (!settings.ok()) {
      *exit_code = Fail(settings.error());
      return;
    }
    std::printf("%s is valid\n", options->file.c_str());
  });
  CLI::App* print =
      command->add_subcommand("print-default", "Print every setting with its default, meaning and range");
  print->add_option("--format", options->format, "yaml, markdown or json-schema")
      ->capture_default_str()
      ->check(CLI::IsMember({"yaml", "markdown", "json-schema"}));
  print->callback([options, exit_code] {
    Settings settings;
    const config::DescribeFunction describe = [&settings](config::Section& section) {
      DescribeSettings(settings, section);
    };
    const std::string text = options->format == "yaml"       ? config::PrintYaml(describe)
                             : options->format == "markdown" ? config::PrintMarkdown(describe, "Settings")
                                                             : config::PrintJsonSchema(describe, "honryu");
    std::fputs(text.c_str(), stdout);
    *exit_code = 0;
  });
  command->footer(
      "Settings come from the file, then the environment (HONRYU__SECTION__KEY), then --set; the later "
      "wins.\n"
      "Examples:\n  honryu config print-default > honryu.yaml\n  honryu config check honryu.yaml");
}

}  // namespace honryu::app
