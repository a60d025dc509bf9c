#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

namespace honryu::app {

/// Each Add…Command registers one subcommand with its options and examples. The callback runs after parsing
/// and stores the process's exit code (0 ok, 1 failure, 2 wrong use) in *exit_code.
void AddServeCommand(CLI::App& app, int* exit_code);
void AddBenchCommand(CLI::App& app, int* exit_code);
void AddPutCommand(CLI::App& app, int* exit_code);
void AddGetCommand(CLI::App& app, int* exit_code);
void AddTailCommand(CLI::App& app, int* exit_code);
void AddAlertsCommand(CLI::App& app, int* exit_code);
void AddSearchCommand(CLI::App& app, int* exit_code);
void AddSqlCommand(CLI::App& app, int* exit_code);
void AddStreamsCommand(CLI::App& app, int* exit_code);
void AddDemoCommand(CLI::App& app, int* exit_code);
void AddDlqCommand(CLI::App& app, int* exit_code);
void AddLogCommand(CLI::App& app, int* exit_code);
void AddConfigCommand(CLI::App& app, int* exit_code);
void AddHealthcheckCommand(CLI::App& app, int* exit_code);

}  // namespace honryu::app
