#include "ledger/subject_rows.h"

#include <gtest/gtest.h>

namespace {

using Seqs = std::vector<uint64_t>;

TEST(SubjectRowsTest, SeqsOfAGroupAreReadAsTheyWereWritten) {
  for (const Seqs& seqs : {Seqs{7}, Seqs{1, 2, 3}, Seqs{5, 132, 133, 20000, uint64_t{1} << 40, (uint64_t{1} << 63) + 5}}) {
    EXPECT_EQ(ledger::decode_seqs(seqs.back(), ledger::encode_seqs(seqs)), seqs);
  }
  EXPECT_EQ(ledger::encode_seqs({12}), "");
  EXPECT_EQ(ledger::encode_seqs({1, 2, 4}), std::string("\x02\x01"));
}

TEST(SubjectRowsTest, WhatIsNoRowIsNotRead) {
  EXPECT_FALSE(ledger::decode_seqs(9, std::string(1, '\0')));        // the same event twice
  EXPECT_FALSE(ledger::decode_seqs(9, "\x09"));                      // there is no event 0
  EXPECT_FALSE(ledger::decode_seqs(9, "\x81"));                      // cut short
  EXPECT_FALSE(ledger::decode_seqs(~0ull, std::string(12, '\xFF')));  // more than any distance
}

}  // namespace
