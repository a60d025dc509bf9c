#include "search/segment/segment.h"

#include "honryu/base/crc32c.h"
#include "honryu/codec/endian.h"
#include "search/segment/byte_reader.h"

#include <algorithm>
#include <atomic>

namespace honryu::search {
namespace {

BytesView ListOf(BytesView postings, const TermEntry& term) {
  return term.offset > postings.size() || term.length > postings.size() - term.offset
             ? BytesView{}
             : postings.substr(term.offset, term.length);
}

Error Corrupt(const std::string& field, const Error& error) {
  return Error(ErrorCode::kCorrupt, "field " + field + ": " + error.message());
}

}  // namespace

PostingsCursor TextColumn::Open(const TermEntry& term) const {
  if (is_exact) return PostingsCursor::Of(term.ordinal);
  return PostingsCursor(ListOf(postings, term), term.doc_count, true);
}

BytesView TextColumn::List(const TermEntry& term) const { return ListOf(postings, term); }

PostingsCursor KeywordColumn::Open(const TermEntry& term) const {
  return PostingsCursor(ListOf(postings, term), term.doc_count, false);
}

Segment::~Segment() {
  if (unpacked_ != nullptr) unpacked_->Forget(number_);
}

Result<std::shared_ptr<const Segment>> Segment::Open(Bytes bytes, Checking checking,
                                                     std::shared_ptr<UnpackedBlocks> unpacked,
                                                     const std::atomic<bool>* torn) {
  HONRYU_TRY(const auto file, SegmentFile::Open(bytes, checking == Checking::kNow));
  auto segment = std::shared_ptr<Segment>(new Segment);
  segment->bytes_ = std::move(bytes);
  segment->torn_ = torn;
  static std::atomic<std::uint64_t> opened{0};
  segment->number_ = ++opened;
  segment->unpacked_ = std::move(unpacked);
  segment->unpacker_ = Unpacker(segment->unpacked_.get(), segment->number_, segment->bytes_.data());
  segment->doc_count_ = file.doc_count;
  segment->checksum_ = file.checksum;
  HONRYU_TRY(segment->source_, SourceBlocks::Open(file.Find(SectionKind::kSource, kNoField), file.doc_count,
                                                  segment->unpacker_));
  for (std::uint32_t i = 0; i < file.fields.size(); ++i) HONRYU_TRY_VOID(segment->OpenField(file, i));
  if (checking == Checking::kWhenUsed) {
    const auto places = segment->fields_.size() + 1;
    for (const auto& [key, section] : file.sections)
      segment->parts_.push_back(
          {key.first == kNoField ? places - 1 : key.first, section, file.checksums.at(key)});
    segment->unchecked_ = std::make_unique<std::atomic<bool>[]>(places);
    for (std::size_t place = 0; place < places; ++place) segment->unchecked_[place] = true;
  }
  ByteReader detached(file.Find(SectionKind::kDetached, kNoField));
  while (detached.left() > 0) {
    segment->detached_.emplace_back(detached.String());
    if (!detached.ok() || segment->detached_.size() > kMaxDetached)
      return Error(ErrorCode::kCorrupt, "the list of fields that sources refer to does not hold together");
  }
  if (const auto* time = segment->Find(kTimeField); time != nullptr && time->dates) {
    const auto& values = time->dates->values();
    for (std::size_t b = 0; b < values.blocks(); ++b) {
      segment->min_time_ = std::min(segment->min_time_, values.BlockMin(b));
      segment->max_time_ = std::max(segment->max_time_, values.BlockMax(b));
    }
  }
  return std::shared_ptr<const Segment>(std::move(segment));
}

Result<void> Segment::OpenField(const SegmentFile& file, std::uint32_t number) {
  const auto& entry = file.fields[number];
  SegmentField field;
  field.name = entry.name;
  const auto open = [&](SectionKind kind, std::optional<Column>& column) -> Result<void> {
    const auto bytes = file.Find(kind, number);
    if (bytes.data() == nullptr) return Ok();
    auto opened = Column::Open(bytes, doc_count_);
    if (!opened.ok()) return Corrupt(entry.name, opened.error());
    column = *opened;
    return Ok();
  };
  HONRYU_TRY_VOID(open(SectionKind::kLongs, field.longs));
  HONRYU_TRY_VOID(open(SectionKind::kDoubles, field.doubles));
  HONRYU_TRY_VOID(open(SectionKind::kBooleans, field.booleans));
  HONRYU_TRY_VOID(open(SectionKind::kDates, field.dates));
  std::optional<Column> ordinals;
  HONRYU_TRY_VOID(open(SectionKind::kKeywordOrdinals, ordinals));
  if (ordinals) {
    KeywordColumn& keywords = field.keywords.emplace();
    keywords.ordinals = *ordinals;
    auto terms = Dictionary::Open(file.Find(SectionKind::kKeywordTerms, number), unpacker_);
    if (!terms.ok()) return Corrupt(entry.name, terms.error());
    keywords.terms = *terms;
    keywords.postings = file.Find(SectionKind::kKeywordPostings, number);
    const auto overlong = file.Find(SectionKind::kOverlong, number);
    for (std::size_t i = 0; i + 4 <= overlong.size(); i += 4) {
      const auto doc = codec::LoadU32(overlong.data() + i);
      if (doc >= doc_count_ || (i > 0 && doc <= keywords.overlong.back()))
        return Error(ErrorCode::kCorrupt,
                     "field " + entry.name + ": the list of long values is out of order");
      keywords.overlong.push_back(doc);
    }
  }
  if (entry.analyzer != FieldEntry::kNoText) {
    TextColumn& text = field.text.emplace();
    text.analyzer = static_cast<AnalyzerKind>(entry.analyzer);
    text.by_ordinal = entry.text_by_ordinal;
    text.tokens = entry.text_tokens;
    text.is_exact = entry.text_is_exact;
    if (text.is_exact && field.keywords) {
      text.terms = field.keywords->terms;
    } else {
      auto terms = Dictionary::Open(file.Find(SectionKind::kTextTerms, number), unpacker_);
      if (!terms.ok()) return Corrupt(entry.name, terms.error());
      text.terms = *terms;
    }
    text.postings = file.Find(SectionKind::kTextPostings, number);
    auto lengths = PackedInts::Open(file.Find(SectionKind::kTextLengths, number));
    if (!lengths.ok()) return Corrupt(entry.name, lengths.error());
    text.lengths = *lengths;
    const std::size_t targets = !text.by_ordinal ? doc_count_
                                : field.keywords ? field.keywords->terms.size()
                                                 : 0;
    if (text.lengths.size() != targets || (text.by_ordinal && !field.keywords) ||
        entry.analyzer > static_cast<std::uint8_t>(AnalyzerKind::kKeyword))
      return Error(ErrorCode::kCorrupt, "field " + entry.name + ": its text does not fit its documents");
  }
  by_name_.emplace(field.name, fields_.size());
  fields_.push_back(std::move(field));
  return Ok();
}

bool Segment::Torn() const {
  // Looking at the end is what notices a cut of which nothing else was read.
  return !EndsAsWritten(bytes_) || torn_->load(std::memory_order_acquire);
}

const SegmentField* Segment::Find(std::string_view name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  Check(found->second);
  return &fields_[found->second];
}

void Segment::CompareChecksums(std::size_t place) const {
  const auto [begin, end] = std::equal_range(parts_.begin(), parts_.end(), Part{place, {}, 0},
                                             [](const Part& a, const Part& b) { return a.place < b.place; });
  for (auto part = begin; part != end; ++part)
    if (Crc32c(part->bytes) != part->crc) damaged_.store(true, std::memory_order_release);
  // Behind the damage: whoever sees it checked sees that, too.
  unchecked_[place].store(false, std::memory_order_release);
}

Result<BytesView> Segment::Source(std::uint32_t doc, SourceCache& cache) const {
  HONRYU_TRY(const auto stored, source().Get(doc, cache.block));
  const auto is_mark = [this](char c) {
    return static_cast<std::size_t>(c - kDetachedMark) < detached_.size();
  };
  auto mark = detached_.empty() ? stored.end() : std::find_if(stored.begin(), stored.end(), is_mark);
  if (mark == stored.end()) return stored;
  cache.whole.clear();
  auto from = stored.begin();
  for (; mark != stored.end(); from = mark + 1, mark = std::find_if(from, stored.end(), is_mark)) {
    cache.whole.append(from, mark);
    const auto* field = Find(detached_[static_cast<std::size_t>(*mark - kDetachedMark)]);
    std::size_t begin, end;
    if (field == nullptr || !field->keywords || !field->keywords->ordinals.index().Find(doc, &begin, &end))
      return Error(ErrorCode::kCorrupt, "a source refers to a string that the document does not have");
    cache.whole += field->keywords->terms.Term(field->keywords->Ordinal(begin));
  }
  cache.whole.append(from, stored.end());
  return BytesView(cache.whole);
}

std::string Segment::Id(std::uint32_t doc) const {
  const auto text = [&](std::string_view name, std::string* out) {
    const auto* field = Find(name);
    std::size_t begin, end;
    if (field == nullptr || !field->keywords) return false;
    if (!field->keywords->ordinals.index().Find(doc, &begin, &end)) return false;
    *out = field->keywords->terms.Term(field->keywords->Ordinal(begin));
    return true;
  };
  const auto number = [&](std::string_view name, std::int64_t* out) {
    const auto* field = Find(name);
    if (field == nullptr || !field->longs) return false;
    bool found = false;
    field->longs->Of(doc, [&](std::int64_t value) { *out = value, found = true; });
    return found;
  };
  std::string id;
  if (text(kIdField, &id)) return id;
  if (std::string path; text(kIdPathField, &path) && text(path, &id)) return id;
  std::int64_t sequence = 0, part = 0;
  text(kShardField, &id);
  number(kSequenceField, &sequence);
  id += ':';
  id += std::to_string(sequence);
  if (number(kPartField, &part)) id += ':' + std::to_string(part);
  return id;
}

}  // namespace honryu::search
