#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace honryu::config {

/// The candidate that `word` is most likely a misspelling of, or "" if none is near: at most a third of its
/// letters (at least one) inserted, removed, replaced or swapped with a neighbour.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace honryu::config
