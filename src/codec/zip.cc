#include "honryu/codec/zip.h"

#include <zip.h>

#include <algorithm>
#include <memory>

namespace honryu::codec {

namespace {

Error Broken(const char* reason) {
  return Error(ErrorCode::kInvalidArgument, std::string("not a whole zip archive: ") + reason);
}

struct DiscardArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

Error Unreadable(zip_error_t* error) {
  const int code = zip_error_code_zip(error);
  if (code == ZIP_ER_NOPASSWD || code == ZIP_ER_COMPNOTSUPP || code == ZIP_ER_ENCRNOTSUPP ||
      code == ZIP_ER_WRONGPASSWD)
    return Error(ErrorCode::kUnimplemented,
                 std::string("zip archive not opened: ") + zip_error_strerror(error));
  return Broken(zip_error_strerror(error));
}

// Reads until libzip says that the file has ended, which is when it has compared the checksum.
Result<std::string> ReadFile(zip_t* archive, zip_uint64_t index, std::size_t limit) {
  const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive, index, 0));
  if (file == nullptr) return Unreadable(zip_get_error(archive));
  std::string content;
  char piece[16384];
  for (;;) {
    const zip_int64_t got = zip_fread(file.get(), piece, sizeof piece);
    if (got < 0) return Unreadable(zip_file_get_error(file.get()));
    if (got == 0) return content;
    if (static_cast<std::size_t>(got) > limit - content.size())
      return Error(ErrorCode::kTooLarge, "the zip archive holds more bytes than the limit");
    content.append(piece, static_cast<std::size_t>(got));
  }
}

}  // namespace

bool MayBeZip(std::string_view data) {
  using namespace std::string_view_literals;
  return data.starts_with("PK\x03\x04"sv) || data.starts_with("PK\x05\x06"sv);
}

Result<std::vector<std::string>> OpenZip(std::string_view packed, const ZipLimits& limits) {
  if (packed.empty()) return Broken("nothing at all");  // libzip takes that for an archive
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_error_t, void (*)(zip_error_t*)> cleanup(&error, zip_error_fini);
  zip_source_t* const source = zip_source_buffer_create(packed.data(), packed.size(), 0, &error);
  if (source == nullptr) return Broken(zip_error_strerror(&error));
  const std::unique_ptr<zip_t, DiscardArchive> archive(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (archive == nullptr) {
    const Error reason = Unreadable(&error);
    zip_source_free(source);
    return reason;
  }
  const auto count =
      static_cast<zip_uint64_t>(std::max<zip_int64_t>(0, zip_get_num_entries(archive.get(), 0)));
  if (count > limits.max_files)
    return Error(ErrorCode::kOutOfRange, "the zip archive holds more files than the limit");
  std::vector<std::string> contents;
  std::size_t left = limits.max_bytes;
  for (zip_uint64_t i = 0; i < count; ++i) {
    const char* const name = zip_get_name(archive.get(), i, ZIP_FL_ENC_RAW);
    if (name == nullptr) return Unreadable(zip_get_error(archive.get()));
    if (std::string_view(name).ends_with('/')) continue;
    HONRYU_TRY(std::string content, ReadFile(archive.get(), i, left));
    left -= content.size();
    contents.push_back(std::move(content));
  }
  return contents;
}

}  // namespace honryu::codec
