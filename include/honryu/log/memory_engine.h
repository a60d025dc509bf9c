#pragma once

#include "honryu/base/time.h"
#include "honryu/log/engine.h"
#include "honryu/log/meta_store.h"

#include <memory>

namespace honryu::log {

/// The reference implementation: everything in memory, appends complete at once. For tests and as the model
/// that the contract suite compares other engines with.
/// `keys`: to open sealed records with.
std::unique_ptr<LogEngine> MakeMemoryEngine(const Clock& clock,
                                            std::shared_ptr<const KeyRing> keys = nullptr);
std::unique_ptr<MetaStore> MakeMemoryMetaStore();

}  // namespace honryu::log
