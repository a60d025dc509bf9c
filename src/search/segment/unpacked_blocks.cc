#include "search/segment/unpacked_blocks.h"

#include "honryu/codec/compression.h"

namespace honryu::search {
namespace {

/// What keeping a block costs beyond its bytes, about.
constexpr std::size_t kOverhead = 160;

}  // namespace

std::shared_ptr<const std::string> UnpackedBlocks::Find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->text;
}

void UnpackedBlocks::Put(const Key& key, std::shared_ptr<const std::string> text) {
  if (text->size() > limit_ / 8) return;  // one must not push out all others
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;
  bytes_ += text->size() + kOverhead;
  kept_.push_front({key, std::move(text)});
  by_key_.emplace(key, kept_.begin());
  while (bytes_ > limit_) {
    bytes_ -= kept_.back().text->size() + kOverhead;
    by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

void UnpackedBlocks::Forget(std::uint64_t segment) {
  const std::lock_guard lock(mutex_);
  for (auto at = kept_.begin(); at != kept_.end();) {
    if (at->key.segment != segment) {
      ++at;
      continue;
    }
    bytes_ -= at->text->size() + kOverhead;
    by_key_.erase(at->key);
    at = kept_.erase(at);
  }
}

std::size_t UnpackedBlocks::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::shared_ptr<const std::string> Unpacker::Unpack(BytesView packed, std::size_t size) const {
  UnpackedBlocks::Key key;
  if (kept_ != nullptr) {
    key = {segment_, static_cast<std::uint64_t>(packed.data() - base_)};
    if (auto text = kept_->Find(key)) return text;
  }
  auto plain = codec::Decompress(codec::Compression::kZstd, packed, size);
  if (!plain.ok() || plain->size() != size) return nullptr;
  auto text = std::make_shared<const std::string>(std::move(*plain));
  if (kept_ != nullptr) kept_->Put(key, text);
  return text;
}

}  // namespace honryu::search
