#pragma once

#include "app_model.h"

namespace honryu::demo {

/// Writes the members "request" and "log" that a detailed event has: what a server that logs everything adds
/// to an event (trace, address, browser, timing), and a message of several sentences in the user's language.
/// About 600 bytes.
void WriteDetails(const Person& person, std::uint32_t user, std::uint64_t session, bool failed,
                  Random& random, codec::JsonWriter& json);

}  // namespace honryu::demo
