#include "base/json_text.h"

#include <gtest/gtest.h>

namespace {

TEST(JsonTextTest, BytesThatAreNotUtf8AreShownNotThrown) {
  EXPECT_EQ(base::json_text({{"file", "/data/\xff/caf\xc3\xa9"}, {"all", {1, "\xfe"}}}, -1), R"({"file":"/data/\\xff/café","all":[1,"\\xfe"]})");
}

}  // namespace
