#pragma once

#include "honryu/processors/sql/application.h"

#include <map>
#include <string>

namespace honryu::processors::sql_app {

/// Keeps an application's reference tables as their files are. A file that is broken or gone leaves the rows
/// as they were; at the start it must be there.
class ReferenceTables {
 public:
  /// Loads all of them. kIo, kInvalidArgument.
  async::Task<Result<void>> Begin(Application::Impl& app);
  /// Looks at those whose time has come, and loads what has changed. Between two steps.
  async::Task<void> Refresh(Application::Impl& app);

 private:
  struct Known {
    std::string stamp;
    MonoTime next;
  };
  std::map<std::string, Known> known_;
};

}  // namespace honryu::processors::sql_app
