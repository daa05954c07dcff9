#include "base/sha256.h"

#include <gtest/gtest.h>

namespace {

// FIPS 180-2, appendix B.1.
TEST(Sha256Test, MatchesThePublishedVector) {
  EXPECT_EQ(base::hex(base::sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, PiecesHashLikeTheWhole) {
  base::Sha256Stream stream;
  stream.update("a", 1);
  stream.update("bc", 2);
  EXPECT_EQ(stream.finish(), base::sha256("abc"));
}

}  // namespace
