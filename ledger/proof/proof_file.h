// The files `runledger prove` writes: events with their place in the tree, or that one checkpoint continues another; all that is
// needed to check them but the public key. Every line of them: docs/formats/proofs.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "base/status.h"
#include "ledger/proof/checkpoint.h"

namespace ledger {

/// Owns: values. Threads: a value. Errors: parse() names the line.
struct ProofFile {
  struct Event {
    uint64_t seq = 0;
    std::string bytes;
    std::vector<base::Sha256> path;
  };
  std::string checkpoint;                       // the signed note as it is
  std::vector<Event> events;                    // by seq
  std::map<std::string, std::string> documents;  // bytes by SHA-256

  std::string text() const;
  static base::Result<ProofFile> parse(std::string_view text);
  /// The checkpoint, once one of `keys` signed it, every event is in its tree and every document has the bytes of its name.
  /// Errors as Checkpoint::open(); kCorruption names the first event or document that is not what the file says.
  base::Result<Checkpoint> check(const std::vector<NoteKey>& keys) const;
};

struct ConsistencyFile {
  std::string from;  // signed notes
  std::string to;
  std::vector<base::Sha256> path;

  struct Checkpoints {
    Checkpoint from;
    Checkpoint to;
  };
  std::string text() const;
  static base::Result<ConsistencyFile> parse(std::string_view text);
  /// Both, once `keys` signed them and the first is the beginning of the second. Errors as ProofFile::check().
  base::Result<Checkpoints> check(const std::vector<NoteKey>& keys) const;
};

}  // namespace ledger
