#pragma once

#include "honryu/base/check.h"
#include "honryu/base/error.h"

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace honryu {

/// Either a value or an Error. Default-constructed it holds an "unset" error, because
/// coroutine results must be default-constructible. Accessing the wrong side aborts.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result() : state_(Error{}) {}
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  template <class U = T>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::decay_t<U>, Error> &&
             !std::is_same_v<std::decay_t<U>, Result>)
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(U&& value) : state_(std::in_place_index<1>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 1; }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    HONRYU_CHECK(!ok(), "error() of an ok result");
    return *std::get_if<0>(&state_);
  }
  T& value() & {
    HONRYU_CHECK(ok(), error_text());
    return *std::get_if<1>(&state_);
  }
  const T& value() const& {
    HONRYU_CHECK(ok(), error_text());
    return *std::get_if<1>(&state_);
  }
  T&& value() && {
    HONRYU_CHECK(ok(), error_text());
    return std::move(*std::get_if<1>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  const char* error_text() const { return std::get_if<0>(&state_)->message().c_str(); }
  std::variant<Error, T> state_;
};

/// Success or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() : error_(Error{}) {}
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  static Result Ok() {
    Result r;
    r.error_.reset();
    return r;
  }
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    HONRYU_CHECK(!ok(), "error() of an ok result");
    return *error_;
  }
  void value() const { HONRYU_CHECK(ok(), error_->message().c_str()); }

 private:
  std::optional<Error> error_;
};

inline Result<void> Ok() { return Result<void>::Ok(); }

}  // namespace honryu

#define HONRYU_CONCAT_INNER(a, b) a##b
#define HONRYU_CONCAT(a, b) HONRYU_CONCAT_INNER(a, b)

// HONRYU_TRY(auto x, f());      returns f()'s error from the enclosing function, else binds the value.
// HONRYU_TRY_VOID(f());         the same for Result<void>.
// HONRYU_CO_TRY(auto x, co_await f());  and HONRYU_CO_TRY_VOID: the same inside a coroutine.
// They expand to declarations, one per line, never to statement expressions.
#define HONRYU_TRY_IMPL(tmp, ret, decl, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) ret tmp.error();             \
  decl = std::move(tmp).value()
#define HONRYU_TRY_VOID_IMPL(tmp, ret, expr) \
  if (auto tmp = (expr); !tmp.ok()) ret tmp.error()
#define HONRYU_TRY(decl, expr) HONRYU_TRY_IMPL(HONRYU_CONCAT(try_, __LINE__), return, decl, expr)
#define HONRYU_TRY_VOID(expr) HONRYU_TRY_VOID_IMPL(HONRYU_CONCAT(try_, __LINE__), return, expr)
#define HONRYU_CO_TRY(decl, expr) HONRYU_TRY_IMPL(HONRYU_CONCAT(try_, __LINE__), co_return, decl, expr)
#define HONRYU_CO_TRY_VOID(expr) HONRYU_TRY_VOID_IMPL(HONRYU_CONCAT(try_, __LINE__), co_return, expr)
