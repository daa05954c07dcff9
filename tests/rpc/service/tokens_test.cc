// The form of tokens: what is taken for one, and that nothing about it can be foreseen.
#include "rpc/service/tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "base/text.h"

namespace {

TEST(TokensTest, NewTokenProvesItselfByItsHash) {
  const rpc::NewToken token = rpc::make_token();
  const auto shown = rpc::read_token(token.text);
  ASSERT_TRUE(shown) << token.text.size();
  EXPECT_EQ(shown->id, token.id);
  EXPECT_TRUE(rpc::is_same_hash(shown->secret_sha256, base::as_bytes(token.secret_sha256)));
  EXPECT_EQ(token.text.substr(0, 21), "rlt_" + token.id + "_");
}

TEST(TokensTest, NoTwoAreTheSame) {
  std::set<std::string> ids, texts;
  for (int i = 0; i < 1000; ++i) {
    const rpc::NewToken token = rpc::make_token();
    ids.insert(token.id);
    texts.insert(token.text.substr(21));
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(texts.size(), 1000u);
}

TEST(TokensTest, AnyOtherFormIsNoToken) {
  const std::string good = rpc::make_token().text;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = 'G';
    EXPECT_FALSE(rpc::read_token(bad)) << i;
    EXPECT_FALSE(rpc::read_token(good.substr(0, i))) << i;
  }
  EXPECT_FALSE(rpc::read_token(good + "0"));
  EXPECT_FALSE(rpc::read_token(base::ascii_upper(good)));
  EXPECT_FALSE(rpc::read_token(" " + good));
  EXPECT_FALSE(rpc::read_token(""));
}

TEST(TokensTest, HashesDifferInAnyByteAndLength) {
  const base::Sha256 hash = base::sha256("secret");
  for (size_t i = 0; i < hash.size(); ++i) {
    base::Sha256 other = hash;
    other[i] ^= 1;
    EXPECT_FALSE(rpc::is_same_hash(other, base::as_bytes(hash))) << i;
  }
  EXPECT_FALSE(rpc::is_same_hash(hash, ""));
  EXPECT_FALSE(rpc::is_same_hash(hash, base::as_bytes(hash).substr(0, 31)));
}

TEST(TokensTest, IdIsFoundInATokenOrGivenAsItIs) {
  const rpc::NewToken token = rpc::make_token();
  EXPECT_EQ(rpc::token_id(token.text), token.id);
  EXPECT_EQ(rpc::token_id(token.id), token.id);
  EXPECT_FALSE(rpc::token_id("rlt_"));
  EXPECT_FALSE(rpc::token_id("password"));
}

TEST(TokensTest, WipedTextHoldsNothing) {
  std::string text(100, 'x');
  const char* where = text.data();
  rpc::wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string(where, 1).find('x'), std::string::npos);
}

}  // namespace
