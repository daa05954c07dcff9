#include "ledger/proof/note.h"

#include <gtest/gtest.h>

#include <cstring>

namespace {

// The example of Go's golang.org/x/mod/sumdb/note: another implementation's key, text and signature.
constexpr const char* kSecret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
constexpr const char* kPublic = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* kText = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
constexpr const char* kNote =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\xE2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

ledger::NoteKey key_of(const char* line) {
  auto key = ledger::NoteKey::parse(line);
  EXPECT_TRUE(key.is_ok()) << key.status().message();
  return *key;
}

TEST(NoteTest, SignsAsOtherImplementationsDo) {
  auto key = ledger::SigningKey::parse(kSecret);
  ASSERT_TRUE(key.is_ok()) << key.status().message();
  EXPECT_EQ(key->public_key().line(), kPublic);
  EXPECT_EQ(key->secret_line(), kSecret);
  auto note = key->sign(kText);
  ASSERT_TRUE(note.is_ok()) << note.status().message();
  EXPECT_EQ(*note, kNote);
}

TEST(NoteTest, TextIsTrustedOnlyUnderAKnownKey) {
  auto text = ledger::open_note(kNote, {key_of(kPublic)});
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  EXPECT_EQ(*text, kText);
  auto other = ledger::SigningKey::generate("PeterNeumann");
  ASSERT_TRUE(other.is_ok());
  EXPECT_EQ(ledger::open_note(kNote, {other->public_key()}).status().code(), base::Code::kPermissionDenied);
  EXPECT_EQ(ledger::open_note(kNote, {}).status().code(), base::Code::kPermissionDenied);
}

TEST(NoteTest, SignaturesOfOthersAreIgnored) {
  auto other = ledger::SigningKey::generate("somebody/else");
  const std::string theirs = *other->sign(kText);
  const std::string both = kNote + theirs.substr(theirs.rfind("\xE2\x80\x94"));
  EXPECT_TRUE(ledger::open_note(both, {key_of(kPublic)}).is_ok());
  EXPECT_TRUE(ledger::open_note(both, {other->public_key()}).is_ok());
}

TEST(NoteTest, ChangedTextOrSignatureIsCorrupt) {
  const std::string note = kNote;
  std::string changed = note;
  changed[0] = 'i';
  EXPECT_EQ(ledger::open_note(changed, {key_of(kPublic)}).status().code(), base::Code::kCorruption);
  changed = note;
  changed[note.find("ZJku")] = 'Y';
  EXPECT_EQ(ledger::open_note(changed, {key_of(kPublic)}).status().code(), base::Code::kCorruption);
}

TEST(NoteTest, WhatIsNoNoteIsRefused) {
  for (const std::string& note : {std::string(), std::string("text\n"), std::string("text\n\n"), std::string("text\n\nname abcd\n"),
                                 std::string("a\rb\n\n") + "\xE2\x80\x94 n AAAAAAA=\n", std::string(kNote, strlen(kNote) - 1)}) {
    EXPECT_EQ(ledger::open_note(note, {key_of(kPublic)}).status().code(), base::Code::kInvalidArgument) << note;
  }
}

TEST(NoteTest, KeysThatAreNoneAreRefused) {
  for (const char* line : {"", "name", "name+00000000", "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                           "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                           "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", kSecret}) {
    EXPECT_EQ(ledger::NoteKey::parse(line).status().code(), base::Code::kInvalidArgument) << line;
  }
  EXPECT_FALSE(ledger::SigningKey::parse(kPublic).is_ok());
  EXPECT_FALSE(ledger::SigningKey::generate("a b").is_ok());
}

TEST(NoteTest, NewKeysDiffer) {
  auto first = ledger::SigningKey::generate("x"), second = ledger::SigningKey::generate("x");
  ASSERT_TRUE(first.is_ok() && second.is_ok());
  EXPECT_NE(first->secret_line(), second->secret_line());
  EXPECT_FALSE(first->sign("no newline").is_ok());
}

}  // namespace
