#include "honryu/http/router.h"

#include "honryu/http/client.h"

#include <gtest/gtest.h>

namespace honryu::http {
namespace {

TEST(ParseUrl, TakesHostPortAndPathApart) {
  const Endpoint plain = ParseUrl("http://127.0.0.1:4567").value();
  EXPECT_EQ(plain.host, "127.0.0.1");
  EXPECT_EQ(plain.port, 4567);
  EXPECT_EQ(plain.path, "/");
  EXPECT_EQ(ParseUrl("http://h/a/b?c=d").value().path, "/a/b?c=d");
  EXPECT_EQ(ParseUrl("http://h?c=d").value().path, "/?c=d");
  EXPECT_EQ(ParseUrl("http://[::1]:80/").value().host, "::1");
  EXPECT_FALSE(plain.tls);
  EXPECT_TRUE(ParseUrl("https://h/").value().tls);
  EXPECT_EQ(ParseUrl("https://h/").value().port, 443);
  for (const char* bad : {"", "h:1", "ftp://h/", "https://", "http://", "http://h:0", "http://h:70000",
                          "http://h:x", "http://u@h", "http://[::1"}) {
    EXPECT_FALSE(ParseUrl(bad).ok()) << bad;
  }
}

TEST(Headers, CompareWithoutCase) {
  Headers headers;
  headers.Add("Content-Type", "a");
  EXPECT_EQ(headers.Get("content-type"), "a");
  headers.Set("CONTENT-TYPE", "b");
  EXPECT_EQ(headers.fields().size(), 1u);
  EXPECT_EQ(headers.Get("Content-Type"), "b");
  EXPECT_FALSE(headers.Has("Content"));
}

}  // namespace
}  // namespace honryu::http
