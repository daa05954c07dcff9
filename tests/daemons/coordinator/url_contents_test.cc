#include "daemons/coordinator/url_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/web_server.h"

namespace {

using base::Code;
using daemons::is_allowed_url;
using testing::HasSubstr;

class UrlContentsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = new support::WebServer; }
  static void TearDownTestSuite() { delete server; }
  base::Result<daemons::UrlContents::Bytes> get(const std::string& path) { return urls.get(server->url(path), {server->url("open/")}); }
  base::Status trouble(const std::string& path) { return get(path).status(); }

  static inline support::WebServer* server = nullptr;
  support::FakeClock clock;
  daemons::UrlContents urls{clock};
};

TEST_F(UrlContentsTest, TextIsFetchedAndRememberedForAMinute) {
  ASSERT_TRUE(get("open/text").is_ok()) << trouble("open/text").message();
  EXPECT_EQ(**get("open/text"), "the text");
  const std::string asked = **get("open/asked?1");
  clock.advance(59 * clock.kSecond);
  EXPECT_TRUE(get("open/text").is_ok());
  EXPECT_EQ(**get("open/asked?2"), asked);
  clock.advance(2 * clock.kSecond);
  EXPECT_TRUE(get("open/text").is_ok());
  EXPECT_NE(**get("open/asked?3"), asked);
}

TEST_F(UrlContentsTest, RedirectsAreFollowedWithinWhatIsAllowed) {
  EXPECT_EQ(**get("open/hop"), "the text");
  EXPECT_EQ(trouble("open/away").code(), Code::kPermissionDenied);
  EXPECT_EQ(trouble("open/away").message(), server->url("open/away") + ": it is redirected to " + server->url("closed/text") +
                                                ", which begins with none of the instrument's support_urls");
  EXPECT_THAT(trouble("open/circle").message(), HasSubstr("redirected again and again"));
}

TEST_F(UrlContentsTest, WhatCannotBeHadSaysWhy) {
  EXPECT_EQ(trouble("closed/text").code(), Code::kPermissionDenied);
  EXPECT_EQ(trouble("open/none").message(), server->url("open/none") + ": its server answered with status 404");
  EXPECT_EQ(trouble("open/none").code(), Code::kUnavailable);
  EXPECT_EQ(trouble("open/long").code(), Code::kInvalidArgument);
  EXPECT_THAT(trouble("open/long").message(), HasSubstr("over 16 MiB"));
  EXPECT_EQ(urls.get("http://127.0.0.1:1/x", {"http://127.0.0.1:1/"}).status().code(), Code::kUnavailable);
  EXPECT_THAT(urls.get("file:///etc/hostname", {"file:///etc/"}).status().message(), HasSubstr("file:///etc/hostname: Protocol \"file\" not supported"));
}

TEST(UrlTest, OnlyWhatStaysBelowAnAllowedBeginningIsAllowed) {
  const std::vector<std::string> allowed = {"https://host/group/"};
  for (const char* url : {"https://host/group/a", "https://host/group/a.b/c..d?x=/../", "https://host/group/"}) EXPECT_TRUE(is_allowed_url(url, allowed)) << url;
  for (const char* url : {"https://host/other/", "http://host/group/a", "https://host/group/../other", "https://host/group/%2e%2E/other", "https://host/group/.%2e",
                          "https://host/group/a\nb", "https://host/group/..\\x", "", "https://host.evil/group/"}) {
    EXPECT_FALSE(is_allowed_url(url, allowed)) << url;
  }
  EXPECT_FALSE(is_allowed_url("https://host/", {}));
  EXPECT_FALSE(is_allowed_url("https://host/", {""}));
}

}  // namespace
