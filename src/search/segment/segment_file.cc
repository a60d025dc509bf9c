#include "search/segment/segment_file.h"

#include "honryu/base/crc32c.h"
#include "search/segment/byte_reader.h"

namespace honryu::search {
namespace {

constexpr BytesView kMagic = "HYSEGMT\n";
constexpr std::size_t kTrailer = 32;

Error Corrupt(const std::string& what) { return Error(ErrorCode::kCorrupt, "segment file: " + what); }

}  // namespace

SegmentFileWriter::SegmentFileWriter(bool pack_terms, std::size_t expected) : pack_terms_(pack_terms) {
  out_.reserve(expected);
  out_ = kMagic;
}

std::uint32_t SegmentFileWriter::AddField(FieldEntry field) {
  fields_.push_back(std::move(field));
  return static_cast<std::uint32_t>(fields_.size() - 1);
}

void SegmentFileWriter::AddSection(SectionKind kind, std::uint32_t field, BytesView bytes, BytesView more) {
  out_.append((8 - out_.size() % 8) % 8, '\0');
  sections_.push_back({kind, field, out_.size(), bytes.size() + more.size(), Crc32c(more, Crc32c(bytes))});
  out_.append(bytes);
  out_.append(more);
}

std::string SegmentFileWriter::Finish(std::uint32_t doc_count) {
  std::string directory;
  codec::AppendVarint(directory, doc_count);
  codec::AppendVarint(directory, fields_.size());
  for (const auto& field : fields_) {
    AppendString(directory, field.name);
    directory += static_cast<char>(field.analyzer);
    directory += static_cast<char>((field.text_by_ordinal ? 1 : 0) | (field.text_is_exact ? 2 : 0));
    codec::AppendVarint(directory, field.text_tokens);
  }
  codec::AppendVarint(directory, sections_.size());
  for (const auto& section : sections_) {
    directory += static_cast<char>(section.kind);
    codec::AppendU32(directory, section.field);
    codec::AppendVarint(directory, section.offset);
    codec::AppendVarint(directory, section.size);
    codec::AppendU32(directory, section.crc);
  }
  const auto offset = out_.size();
  out_ += directory;
  codec::AppendU64(out_, offset);
  codec::AppendU32(out_, static_cast<std::uint32_t>(directory.size()));
  codec::AppendU32(out_, Crc32c(directory));
  codec::AppendU32(out_, kSegmentVersion);
  codec::AppendU32(out_, kSegmentVersion);
  out_ += kMagic;
  if (out_.capacity() / 2 > out_.size())
    out_.shrink_to_fit();  // it was expected to be larger, and may stay in memory
  return std::move(out_);
}

bool EndsAsWritten(BytesView bytes) { return bytes.ends_with(kMagic); }

Result<SegmentFile> SegmentFile::Open(BytesView bytes, bool verify) {
  if (bytes.size() < kMagic.size() + kTrailer || !bytes.starts_with(kMagic) || !bytes.ends_with(kMagic))
    return Corrupt("not a segment, or cut short");
  ByteReader trailer(bytes.substr(bytes.size() - kTrailer));
  const auto offset = trailer.U64();
  const auto size = trailer.U32(), crc = trailer.U32();
  const auto version = trailer.U32(), needs = trailer.U32();
  if (version == 0 || needs == 0 || needs > version) return Corrupt("its versions contradict each other");
  if (needs > kSegmentVersion)
    return Error(ErrorCode::kFailedPrecondition, "segment file needs a reader of format version " +
                                                     std::to_string(needs) + ", this one knows " +
                                                     std::to_string(kSegmentVersion));
  const auto end = bytes.size() - kTrailer;
  if (offset > end || size != end - offset) return Corrupt("the directory is not where the trailer says");
  const auto directory = bytes.substr(offset, size);
  if (Crc32c(directory) != crc)
    return Corrupt("the checksum of the directory at byte " + std::to_string(offset) + " is wrong");

  SegmentFile file;
  file.checksum = crc;
  ByteReader in(directory);
  const auto docs = in.Varint(), fields = in.Varint();
  if (!in.ok() || docs > INT32_MAX || fields > size) return Corrupt("the directory does not hold together");
  file.doc_count = static_cast<std::uint32_t>(docs);
  for (std::uint64_t i = 0; in.ok() && i < fields; ++i) {
    FieldEntry field;
    field.name = std::string(in.String());
    field.analyzer = in.U8();
    const auto form = in.U8();
    field.text_by_ordinal = (form & 1) != 0;
    field.text_is_exact = (form & 2) != 0;
    if (field.text_is_exact && !field.text_by_ordinal) return Corrupt("a field has an unknown form of text");
    field.text_tokens = in.Varint();
    file.fields.push_back(std::move(field));
  }
  const auto sections = in.Varint();
  for (std::uint64_t i = 0; in.ok() && i < sections; ++i) {
    const auto kind = static_cast<SectionKind>(in.U8());
    const auto field = in.U32();
    const auto begin = in.Varint(), length = in.Varint();
    const auto checksum = in.U32();
    if (!in.ok() || begin > offset || length > offset - begin || (field != kNoField && field >= fields))
      return Corrupt("a section lies outside the file");
    const auto section = bytes.substr(begin, length);
    if (verify && Crc32c(section) != checksum)
      return Corrupt("the checksum of section " + std::to_string(i) + " at byte " + std::to_string(begin) +
                     " is wrong");
    file.sections[{field, kind}] = section;
    file.checksums[{field, kind}] = checksum;
  }
  if (!in.ok()) return Corrupt("the directory ends too early");
  return file;
}

BytesView SegmentFile::Find(SectionKind kind, std::uint32_t field) const {
  const auto found = sections.find({field, kind});
  return found == sections.end() ? BytesView{} : found->second;
}

}  // namespace honryu::search
