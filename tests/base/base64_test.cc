#include "base/base64.h"

#include <gtest/gtest.h>

namespace {

TEST(Base64Test, WritesTheVectorsOfTheStandard) {  // RFC 4648 section 10
  const char* pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(base::base64(bytes), text);
    EXPECT_EQ(base::from_base64(text), bytes);
  }
}

TEST(Base64Test, AnyByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(base::from_base64(base::base64(bytes)), bytes);
}

TEST(Base64Test, OtherSpellingsAreRefused) {
  for (const char* text : {"Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", "Zm-v", " Zg=", "===="}) {
    EXPECT_EQ(base::from_base64(text), std::nullopt) << text;
  }
}

}  // namespace
