#pragma once

#include "honryu/base/result.h"
#include "honryu/config/schema.h"

#include <map>
#include <string>
#include <vector>

namespace honryu::config {

/// Variables by name.
using Environment = std::map<std::string, std::string>;
/// A copy of this process's environment.
Environment ProcessEnvironment();

/// Where settings come from; the later wins over the earlier.
struct Sources {
  std::string text;                    ///< YAML; empty: defaults only.
  std::string file_name;               ///< Of `text`, for faults: "honryu.yaml:12: …".
  Environment environment;             ///< HONRYU__BROKER__PORT=4567 sets broker.port; also feeds ${NAME}.
  std::vector<std::string> overrides;  ///< "broker.port=4567", "api_keys.0.name=ops"; shown as "--set".
};

struct LoadNotes {
  std::vector<std::string> warnings;  ///< Deprecated or renamed keys in use, one sentence each.
};

/// Reads settings into the targets that `describe` binds. Texts in the file may hold ${NAME} and
/// ${NAME:-default} ("$${" stands for "${"); a secret text `x` may be given as `x_file: path`, whose content
/// is taken without its trailing newline (relative paths: from the working directory).
/// kInvalidArgument with every fault found, one a line: "file:line: key: what was expected and found"; the
/// targets are then half written and to be thrown away. Secrets are in no message. Blocking (reads x_file).
Result<LoadNotes> Load(const Sources& sources, const DescribeFunction& describe);
/// The same with the text taken from the file `path` ("" for none). kIo when it cannot be read. Blocking.
Result<LoadNotes> LoadFile(const std::string& path, Environment environment,
                           std::vector<std::string> overrides, const DescribeFunction& describe);

}  // namespace honryu::config
