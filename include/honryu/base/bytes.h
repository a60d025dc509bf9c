#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace honryu {

/// Borrowed bytes. May not outlive its owner, nor cross a co_await unless the owner is in
/// the same coroutine frame.
using BytesView = std::string_view;

/// Owned, immutable, reference-counted slice: copying shares the buffer, slicing keeps it
/// alive. Thread-safe to copy and read.
class Bytes {
 public:
  Bytes() = default;
  /// Takes over a string's buffer (no copy of long strings).
  explicit Bytes(std::string text) {
    auto owned = std::make_shared<const std::string>(std::move(text));
    view_ = *owned;
    owner_ = std::move(owned);
  }
  /// A view into memory that `owner` keeps alive.
  Bytes(std::shared_ptr<const void> owner, BytesView view) : owner_(std::move(owner)), view_(view) {}
  static Bytes Copy(BytesView view) { return Bytes(std::string(view)); }

  BytesView view() const { return view_; }
  operator BytesView() const { return view_; }  // NOLINT(google-explicit-constructor)
  const char* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  /// A part that shares the buffer; `offset` and `length` are clamped to the slice.
  Bytes Slice(std::size_t offset, std::size_t length = BytesView::npos) const {
    return Bytes(owner_, offset > view_.size() ? BytesView{} : view_.substr(offset, length));
  }
  const std::shared_ptr<const void>& owner() const { return owner_; }
  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const void> owner_;
  BytesView view_;
};

}  // namespace honryu
