#pragma once

namespace honryu::app {
/// The project's version, set by the build.
inline constexpr char kVersion[] = HONRYU_VERSION;
}  // namespace honryu::app
