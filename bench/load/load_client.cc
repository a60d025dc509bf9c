#include "bench/load/load_client.h"

#include "honryu/base/random.h"
#include "honryu/codec/base64.h"
#include "honryu/codec/json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace honryu::bench {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace

LoadConnection::LoadConnection(std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

LoadConnection::~LoadConnection() { ::close(fd_); }

int LoadConnection::Exchange(const std::string& request, std::string* body) {
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(fd_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) Die("send");
    sent += static_cast<std::size_t>(n);
  }
  buffer_.clear();
  std::size_t head = std::string::npos, length = 0;
  char chunk[65536];
  while (head == std::string::npos || buffer_.size() < head + length) {
    const ssize_t n = ::recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) Die("recv");
    buffer_.append(chunk, static_cast<std::size_t>(n));
    if (head != std::string::npos) continue;
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    head = end + 4;
    const std::size_t field = buffer_.find("Content-Length: ");
    if (field == std::string::npos || field > end) {
      std::fprintf(stderr, "answer without Content-Length\n");
      std::exit(1);
    }
    length = std::strtoul(buffer_.c_str() + field + 16, nullptr, 10);
  }
  body->assign(buffer_, head, length);
  return std::atoi(buffer_.c_str() + 9);
}

std::string MakePost(const std::string& target, const std::string& content_type,
                     const std::string& amz_target, const std::string& body) {
  std::string request =
      "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: " + content_type + "\r\n";
  if (!amz_target.empty()) request += "X-Amz-Target: " + amz_target + "\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return request + body;
}

std::string MakeRecord(std::size_t size, bool json_like, std::uint64_t seed) {
  Random random(seed);
  std::string out;
  if (!json_like) {
    while (out.size() < size) {
      const std::uint64_t word = random.Next();
      out.append(reinterpret_cast<const char*>(&word), std::min<std::size_t>(8, size - out.size()));
    }
    return out;
  }
  static constexpr const char* kTypes[] = {"page_view", "button_click", "content_view", "location_share",
                                           "message_send"};
  codec::JsonWriter writer(out);
  writer.BeginObject();
  writer.Key("event_id");
  writer.String(RandomUuid());
  writer.Key("event_type");
  writer.String(kTypes[random.Below(5)]);
  writer.Key("timestamp");
  writer.Int(static_cast<std::int64_t>(1780000000000 + random.Below(100000000)));
  writer.Key("user_id");
  writer.String("user-" + std::to_string(random.Below(500000)));
  writer.Key("session_id");
  writer.String(std::to_string(random.Next()));
  writer.Key("location");
  writer.BeginObject();
  writer.Key("latitude");
  writer.Double(35.5 + random.Unit() * 0.4);
  writer.Key("longitude");
  writer.Double(139.5 + random.Unit() * 0.4);
  writer.EndObject();
  writer.Key("properties");
  writer.BeginObject();
  for (int i = 0; out.size() + 70 < size; ++i) {
    writer.Key("field_" + std::to_string(i));
    writer.String("value " + std::to_string(random.Below(1000000)) + " of some text that repeats");
  }
  writer.EndObject();
  writer.EndObject();
  if (out.size() < size) out.insert(out.size() - 1, size - out.size(), ' ');
  return out;
}

std::string MakePutRecordsBody(const std::string& stream, int count, std::size_t size, bool json_like,
                               std::uint64_t seed) {
  Random random(seed);
  std::string body;
  codec::JsonWriter writer(body);
  writer.BeginObject();
  writer.Key("StreamName");
  writer.String(stream);
  writer.Key("Records");
  writer.BeginArray();
  for (int i = 0; i < count; ++i) {
    writer.BeginObject();
    writer.Key("Data");
    writer.PlainString(codec::Base64Encode(MakeRecord(size, json_like, random.Next())));
    writer.Key("PartitionKey");
    writer.String("user-" + std::to_string(random.Below(500000)));
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  return body;
}

double Percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(values.size())));
  return values[std::min(values.size() - 1, rank == 0 ? 0 : rank - 1)];
}

}  // namespace honryu::bench
