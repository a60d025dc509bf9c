#include "search/store/id_filter.h"

#include "honryu/base/crc32c.h"
#include "search/query/field_view.h"

#include <algorithm>

namespace honryu::search {
namespace {

constexpr std::size_t kBitsOfId = 10;
constexpr int kProbes = 4;

}  // namespace

IdFilter::IdFilter(const Segment& segment) {
  const auto fields = IdFields(segment);
  std::size_t count = 0;
  for (const auto& field : fields) count += field.values->keywords->terms.size();
  if (count == 0) return;
  blocks_.resize((count * kBitsOfId + 511) / 512);
  for (const auto& field : fields)
    field.values->keywords->terms.Scan(0, [this](BytesView term, const TermEntry&) {
      auto hash = Hash64(term);
      auto& line = blocks_[(hash >> 36) % blocks_.size()].bits;
      for (int i = 0; i < kProbes; ++i, hash >>= 9) line[(hash >> 6) & 7] |= 1ULL << (hash & 63);
      return true;
    });
}

bool IdFilter::MayHold(std::string_view id) const {
  if (blocks_.empty()) return false;
  auto hash = Hash64(id);
  const auto& line = blocks_[(hash >> 36) % blocks_.size()].bits;
  for (int i = 0; i < kProbes; ++i, hash >>= 9)
    if ((line[(hash >> 6) & 7] >> (hash & 63) & 1) == 0) return false;
  return true;
}

std::string EncodeDocs(const DocSet& docs) {
  std::string text;
  std::uint32_t last = 0;
  docs.ForEach([&](std::uint32_t doc) {
    codec::AppendVarint(text, doc - last);
    last = doc;
  });
  return text;
}

std::optional<DocSet> DecodeDocs(std::string_view text, std::uint32_t doc_count) {
  std::vector<std::uint32_t> docs;
  std::uint64_t doc = 0, step = 0;
  while (!text.empty()) {
    if (!codec::TakeVarint(&text, &step) || (step == 0 && !docs.empty())) return std::nullopt;
    doc += step;
    if (doc >= doc_count) return std::nullopt;
    docs.push_back(static_cast<std::uint32_t>(doc));
  }
  return DocSet::FromSorted(doc_count, std::move(docs));
}

}  // namespace honryu::search
