// Any text is a key, a note, a checkpoint, a proof or a witness file. What is read is the same again when it is written and read,
// and nothing is proven by a text that the key of the seeds did not sign.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ledger/proof/checkpoint.h"
#include "ledger/proof/proof_file.h"
#include "ledger/proof/witness_file.h"
#include "seed_key.h"

namespace {

void hold(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "proof_text: %s\n", what);
  std::abort();
}

template <typename T>
void comes_back(std::string_view text, const char* what) {
  const auto read = T::parse(text);
  if (!read.is_ok()) return;
  const std::string written = read->text();
  const auto again = T::parse(written);
  hold(again.is_ok() && again->text() == written, what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ledger::SigningKey signer = *ledger::SigningKey::parse(fuzz::kSeedKey);
  static const std::vector<ledger::NoteKey> keys = {signer.public_key()};
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  if (const auto key = ledger::NoteKey::parse(text); key.is_ok())
    hold(ledger::NoteKey::parse(key->line()).is_ok(), "a key's line is no key");
  if (const auto key = ledger::SigningKey::parse(text); key.is_ok())
    hold(ledger::SigningKey::parse(key->secret_line()).is_ok(), "a private key's line is no key");
  comes_back<ledger::Checkpoint>(text, "a checkpoint does not come back from its text");
  comes_back<ledger::TlogProof>(text, "a proof of one event does not come back from its text");
  comes_back<ledger::ProofFile>(text, "a proof file does not come back from its text");
  comes_back<ledger::ConsistencyFile>(text, "a consistency file does not come back from its text");

  static_cast<void>(ledger::Checkpoint::open(text, keys).is_ok());
  if (const auto file = ledger::ProofFile::parse(text); file.is_ok()) static_cast<void>(file->check(keys).is_ok());
  if (const auto file = ledger::ConsistencyFile::parse(text); file.is_ok()) static_cast<void>(file->check(keys).is_ok());
  static_cast<void>(ledger::is_witness_text(text));
  if (const auto entries = ledger::parse_witness_text(text, "witness", keys); entries.is_ok())
    static_cast<void>(ledger::last_standing(*entries));

  // Behind a signature that is right: whoever holds the key may sign anything.
  if (const auto note = signer.sign(text); note.is_ok()) {
    if (const auto opened = ledger::open_note(*note, keys); opened.is_ok())
      hold(*opened == text, "a note says something else than was signed");
    static_cast<void>(ledger::Checkpoint::open(*note, keys).is_ok());
    const std::string entry = ledger::witness_entry(*note, 1'800'000'000'000'000'000);
    static_cast<void>(ledger::parse_witness_text(entry + entry, "witness", keys).is_ok());
  }
  return 0;
}
