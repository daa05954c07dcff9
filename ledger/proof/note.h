// Signed notes (c2sp.org/signed-note) with Ed25519 keys: text, an empty line, and a line for each signature.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ledger {

/// Who may have signed: name and public key.
///
/// Owns: values. Threads: a value.
struct NoteKey {
  std::string name;                     // no blanks, no '+'
  std::array<uint8_t, 32> public_key{};

  uint32_t id() const;                  // first 4 bytes of SHA-256(name, LF, 0x01, key)
  std::string line() const;             // "name+id+key", the form other verifiers take
  /// kInvalidArgument: not of that form, of another algorithm, or its id is not that of its key.
  static base::Result<NoteKey> parse(std::string_view line);
  bool operator==(const NoteKey&) const = default;
};

/// A private key.
///
/// Owns:    the key, wiped when destroyed. Threads: any.
/// Errors:  kUnavailable from the random source, kInvalidArgument for text that is no key.
class SigningKey {
 public:
  static base::Result<SigningKey> generate(std::string name);
  /// From secret_line(): "PRIVATE+KEY+name+id+seed".
  static base::Result<SigningKey> parse(std::string_view line);
  std::string secret_line() const;
  const NoteKey& public_key() const { return public_; }
  /// `text` ends with a newline and holds no other control characters; the whole note is returned.
  base::Result<std::string> sign(std::string_view text) const;

 private:
  struct Secret;
  SigningKey(NoteKey key, std::shared_ptr<const Secret> secret) : public_(std::move(key)), secret_(std::move(secret)) {}
  static base::Result<SigningKey> make(std::string name, std::shared_ptr<const Secret> secret);
  NoteKey public_;
  std::shared_ptr<const Secret> secret_;
};

/// The text of a note that one of `keys` signed; signatures of unknown keys are passed over.
/// kInvalidArgument: no note. kPermissionDenied: none of the keys signed it. kCorruption: a signature of theirs is wrong.
base::Result<std::string> open_note(std::string_view note, const std::vector<NoteKey>& keys);

}  // namespace ledger
