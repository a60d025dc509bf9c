#pragma once

#include "app/wiring.h"

#include <memory>

namespace honryu::app {

/// A listening server, from Start to Stop; a component's own, or one by itself.
class Listener {
 public:
  /// `config` and `router` must outlive it.
  Listener(Wiring& wiring, const http::ServerConfig& config, const http::Router& router)
      : wiring_(wiring), config_(config), router_(router) {}

  /// Binds the port and leaves it in wiring.ports.
  Result<void> Start();
  void BeginStop();
  void Stop(MonoTime deadline);

 private:
  Wiring& wiring_;
  const http::ServerConfig& config_;
  const http::Router& router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace honryu::app
