#include "auth/canonical.h"

#include <algorithm>

namespace honryu::auth {

namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void AppendEncoded(std::string_view text, bool keep_slashes, std::string& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (IsUnreserved(c) || (keep_slashes && c == '/')) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = Lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string_view PathOf(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (!target.starts_with('/')) {  // absolute form
    const std::size_t authority = target.find("://");
    const std::size_t slash =
        authority == std::string_view::npos ? authority : target.find('/', authority + 3);
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target;
}

// Without empty, "." and ".." segments (RFC 3986 §5.2.4): //a/./b/../c/ -> /a/c/
std::string CanonicalPath(std::string_view path) {
  std::vector<std::string_view> segments;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : segments) {
    out.push_back('/');
    AppendEncoded(segment, true, out);
  }
  if (out.empty() || path.ends_with('/')) out.push_back('/');
  return out;
}

std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const QueryParameter& parameter : ParseRawQuery(query)) {
    if (parameter.name == "X-Amz-Signature") continue;
    auto& [name, value] = encoded.emplace_back();
    AppendEncoded(parameter.name, false, name);
    AppendEncoded(parameter.value, false, value);
  }
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

// All values of a header in order of arrival, with runs of blanks made one.
void AppendHeader(std::span<const HeaderField> headers, std::string_view name, std::string& out) {
  // Over HTTP/2 the host is the pseudo-header :authority, and some sign it by that name.
  const std::string_view wanted = name == ":authority" ? "host" : name;
  out.append(LowerCase(name)).push_back(':');
  bool first = true;
  for (const HeaderField& header : headers) {
    if (!EqualsIgnoringCase(header.first, wanted)) continue;
    if (!first) out.push_back(',');
    first = false;
    bool blank = false;
    for (const char c : Trim(header.second)) {
      if (!IsBlank(c)) out.push_back(c);
      if (IsBlank(c) && !blank) out.push_back(' ');
      blank = IsBlank(c);
    }
  }
  out.push_back('\n');
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), Lower);
  return out;
}

std::string_view FindHeader(std::span<const HeaderField> headers, std::string_view name) {
  for (const HeaderField& header : headers) {
    if (EqualsIgnoringCase(header.first, name)) return Trim(header.second);
  }
  return {};
}

std::string_view QueryOf(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::vector<QueryParameter> ParseRawQuery(std::string_view query) {
  std::vector<QueryParameter> out;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    out.push_back(QueryParameter{Decode(one.substr(0, equals)),
                                 equals == std::string_view::npos ? "" : Decode(one.substr(equals + 1))});
  }
  return out;
}

const QueryParameter* FindParameter(const std::vector<QueryParameter>& query, std::string_view name) {
  const auto found = std::ranges::find(query, name, &QueryParameter::name);
  return found == query.end() ? nullptr : &*found;
}

std::string CanonicalRequest(const RequestView& request, std::span<const std::string> signed_headers,
                             std::string_view payload_hash) {
  std::string out(request.method);
  out.append("\n").append(CanonicalPath(PathOf(request.target)));
  out.append("\n").append(CanonicalQuery(QueryOf(request.target))).append("\n");
  for (const std::string& name : signed_headers) AppendHeader(request.headers, name, out);
  out.append("\n");
  for (std::size_t i = 0; i < signed_headers.size(); ++i) {
    out.append(i > 0 ? ";" : "").append(LowerCase(signed_headers[i]));
  }
  return out.append("\n").append(payload_hash);
}

}  // namespace honryu::auth
