#pragma once

namespace honryu::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* message);
}  // namespace honryu::internal

/// Aborts in every build when an invariant of our own code is broken. Never for input,
/// disk content or network data: those are errors, not bugs.
#define HONRYU_CHECK(condition, message)                                        \
  do {                                                                          \
    if (!(condition)) [[unlikely]]                                              \
      ::honryu::internal::CheckFailed(__FILE__, __LINE__, #condition, message); \
  } while (false)
#ifdef NDEBUG
#define HONRYU_DCHECK(condition, message) ((void)0)
#else
#define HONRYU_DCHECK(condition, message) HONRYU_CHECK(condition, message)
#endif
