#include "api/gateway/event_reader.h"

#include <algorithm>
#include <cctype>

namespace honryu::api::gateway {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlanks = " \t\r\n";
/// Bytes that may be scanned in vain, as a multiple of the body.
constexpr std::size_t kMaxWaste = 4;

std::string MediaType(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type;
}

}  // namespace

BodyForm DetectForm(std::string_view content_type, BytesView body) {
  const std::string type = MediaType(content_type);
  if (type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl" ||
      type == "application/x-jsonlines" || type == "application/json-lines") {
    return BodyForm::kLines;
  }
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  const std::size_t first = body.find_first_not_of(kBlanks);
  return first != BytesView::npos && body[first] == '[' ? BodyForm::kArray : BodyForm::kConcatenated;
}

EventReader::EventReader(BytesView body, BodyForm form) : body_(body), form_(form) {
  if (body_.starts_with(kByteOrderMark)) position_ = kByteOrderMark.size();
}

EventReader::Step EventReader::Next(JsonScanner* scanner) {
  if (ended_) return Step::kEnd;
  Step step = Step::kEnd;
  switch (form_) {
    case BodyForm::kArray:
      step = NextElement(scanner);
      break;
    case BodyForm::kLines:
      step = NextLine(scanner);
      break;
    case BodyForm::kConcatenated:
      step = NextConcatenated(scanner);
      break;
  }
  if (step == Step::kEnd) ended_ = true;
  return step;
}

void EventReader::SkipBlanks() {
  position_ = std::min(body_.find_first_not_of(kBlanks, position_), body_.size());
}

// Where a broken object of an array ends by its braces, when its strings are whole and what follows is what
// follows an element. Looks at each byte of the object once.
std::optional<std::size_t> EventReader::ObjectEnd(BytesView body, std::size_t begin) {
  if (begin >= body.size() || body[begin] != '{') return std::nullopt;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = begin; at < body.size(); ++at) {
    const char c = body[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        return std::nullopt;  // a string that never ended
      }
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++depth;
    if (c != '}' && c != ']') continue;
    if (--depth > 0) continue;
    if (c != '}') return std::nullopt;
    const std::size_t next = body.find_first_not_of(kBlanks, at + 1);
    const bool follows = next != BytesView::npos && (body[next] == ',' || body[next] == ']');
    return follows ? std::optional(at + 1) : std::nullopt;
  }
  return std::nullopt;
}

EventReader::Step EventReader::Broken(std::size_t begin, std::size_t end, std::size_t at,
                                      std::string_view reason) {
  raw_ = body_.substr(begin, end - begin);
  message_ = std::string(reason) + ", at byte " + std::to_string(at) + " of the body";
  position_ = end;
  return Step::kBroken;
}

EventReader::Step EventReader::NextElement(JsonScanner* scanner) {
  const auto broken_for_good = [this](std::size_t begin, std::size_t at, std::string_view reason) {
    ended_ = true;
    Broken(begin, body_.size(), at, reason);
    message_ += "; nothing behind it was read";
    return Step::kBroken;
  };
  SkipBlanks();
  if (first_) {
    ++position_;  // '[', as DetectForm saw.
    SkipBlanks();
  }
  if (position_ == body_.size())
    return broken_for_good(position_, position_, "the text ends inside the array");
  if (body_[position_] == ']') {
    ++position_;
    SkipBlanks();
    if (position_ == body_.size()) return Step::kEnd;
    return broken_for_good(position_, position_, "text behind the array");
  }
  const std::size_t before = position_;
  if (!first_) {
    if (body_[position_] != ',') {
      return broken_for_good(before, position_, "expected ',' or ']' after an element");
    }
    ++position_;
  }
  first_ = false;
  if (!scanner->Scan(body_, position_)) {
    const std::optional<std::size_t> end = ObjectEnd(body_, scanner->begin());
    if (end && *end >= scanner->error_at())
      return Broken(scanner->begin(), *end, scanner->error_at(), scanner->error_reason());
    return broken_for_good(scanner->begin(), scanner->error_at(), scanner->error_reason());
  }
  raw_ = body_.substr(scanner->begin(), scanner->end() - scanner->begin());
  position_ = scanner->end();
  return Step::kValue;
}

EventReader::Step EventReader::NextLine(JsonScanner* scanner) {
  SkipBlanks();
  if (position_ == body_.size()) return Step::kEnd;
  const std::size_t begin = position_;
  const std::size_t line_end = std::min(body_.find('\n', begin), body_.size());
  std::size_t end = line_end;
  while (end > begin && kBlanks.find(body_[end - 1]) != std::string_view::npos) --end;
  // The scanner sees the body up to the line's end only, and positions count from the body's begin.
  const BytesView upto = body_.substr(0, end);
  if (!scanner->Scan(upto, begin)) return Broken(begin, end, scanner->error_at(), scanner->error_reason());
  if (scanner->end() != end)
    return Broken(begin, end, scanner->end(), "text behind the value on the same line");
  raw_ = body_.substr(begin, end - begin);
  position_ = end;
  return Step::kValue;
}

EventReader::Step EventReader::NextConcatenated(JsonScanner* scanner) {
  SkipBlanks();
  if (position_ == body_.size()) return Step::kEnd;
  const std::size_t begin = position_;
  if (scanner->Scan(body_, begin)) {
    raw_ = body_.substr(begin, scanner->end() - begin);
    position_ = scanner->end();
    return Step::kValue;
  }
  const std::size_t next = body_.find("\n{", begin);
  const std::size_t end = next == BytesView::npos ? body_.size() : next + 1;
  if (scanner->error_at() > end) wasted_ += scanner->error_at() - end;
  if (wasted_ > kMaxWaste * body_.size()) {
    ended_ = true;
    Broken(begin, body_.size(), scanner->error_at(), scanner->error_reason());
    message_ += "; too many broken values lie inside each other, nothing behind this one was read";
    return Step::kBroken;
  }
  return Broken(begin, end, scanner->error_at(), scanner->error_reason());
}

}  // namespace honryu::api::gateway
