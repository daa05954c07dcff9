#include "ledger/proof/proof_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "base/base64.h"
#include "base/text.h"
#include "ledger/proof/merkle.h"
#include "ledger/proof/tree_proof.h"

namespace ledger {
namespace {

constexpr std::string_view kProofStart = "runledger proof 1";
constexpr std::string_view kConsistencyStart = "runledger consistency 1";
constexpr size_t kMaxPath = 64;

std::string quoted_note(std::string_view note) {
  std::string text;
  while (!note.empty()) {
    const std::string_view line = note.substr(0, note.find('\n'));
    text += fmt::format("|{}{}\n", line.empty() ? "" : " ", line);
    note.remove_prefix(std::min(note.size(), line.size() + 1));
  }
  return text;
}
std::string path_lines(const std::vector<base::Sha256>& path) {
  std::string text;
  for (const base::Sha256& hash : path) text += fmt::format("node {}\n", base::base64(base::as_bytes(hash)));
  return text;
}

/// Line by line; the first thing that is not as it should be is remembered with its line, and nothing is read after it.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) { read(); }

  /// The line must be this.
  void expect(std::string_view wanted) {
    if (line_ != wanted) fail(fmt::format("\"{}\" is expected", wanted));
    read();
  }
  bool starts_with(std::string_view word) const { return problem_.is_ok() && line_.starts_with(word); }
  /// What follows `word` and a blank.
  std::string_view after(std::string_view word) {
    if (!line_.starts_with(word) || line_.size() < word.size() + 1 || line_[word.size()] != ' ') {
      fail(fmt::format("\"{}\" and more is expected", word));
      return {};
    }
    const std::string_view value = line_.substr(word.size() + 1);
    read();
    return value;
  }
  std::string note() {
    std::string text;
    while (starts_with("|")) {
      if (line_ != "|" && !line_.starts_with("| ")) {
        fail("a line of the checkpoint begins with \"| \"");
        break;
      }
      text += line_ == "|" ? std::string_view() : line_.substr(2);
      text += '\n';
      read();
    }
    if (text.empty()) fail("a checkpoint is expected, each line beginning with \"| \"");
    return text;
  }
  std::string bytes() {
    const size_t at = number_;
    auto decoded = base::from_base64(after("bytes"));
    if (!decoded) fail_at(at, "these are no bytes in base 64");
    return decoded.value_or("");
  }
  std::vector<base::Sha256> path() {
    std::vector<base::Sha256> hashes;
    while (starts_with("node ")) {
      const size_t at = number_;
      const auto decoded = base::from_base64(after("node"));
      base::Sha256 hash{};
      if (!decoded || decoded->size() != hash.size() || hashes.size() == kMaxPath) {
        fail_at(at, "a node is a SHA-256 in base 64, and there are at most 64");
        break;
      }
      std::memcpy(hash.data(), decoded->data(), hash.size());
      hashes.push_back(hash);
    }
    return hashes;
  }
  uint64_t number(std::string_view word) {
    const size_t at = number_;
    const std::string_view text = after(word);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0) fail_at(at, "a number from 1 on is expected");
    return value;
  }
  std::string hash_name(std::string_view word) {
    const size_t at = number_;
    const auto bytes = base::from_hex(after(word));
    if (!bytes || bytes->size() != 32) fail_at(at, "a SHA-256 in hex digits is expected");
    return bytes.value_or("");
  }
  void end() {
    expect("end");
    if (!ended_) fail("nothing may follow \"end\"");
  }
  const base::Status& problem() const { return problem_; }

 private:
  void read() {
    number_ += 1;
    const size_t end = rest_.find('\n');
    ended_ = rest_.empty();
    line_ = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      if (!rest_.empty()) fail("the last line is cut short");
      rest_ = {};
    } else {
      rest_.remove_prefix(end + 1);
    }
  }
  void fail(std::string_view why) { fail_at(number_, why); }
  void fail_at(size_t number, std::string_view why) {
    if (problem_.is_ok()) problem_ = {base::Code::kInvalidArgument, fmt::format("line {}: {}", number, why)};
  }
  std::string_view rest_;
  std::string_view line_;
  size_t number_ = 0;
  bool ended_ = false;
  base::Status problem_;
};

}  // namespace

std::string ProofFile::text() const {
  std::string text = fmt::format("{}\ncheckpoint\n{}", kProofStart, quoted_note(checkpoint));
  for (const Event& event : events) {
    text += fmt::format("event {}\nbytes {}\n{}", event.seq, base::base64(event.bytes), path_lines(event.path));
  }
  for (const auto& [sha256, bytes] : documents) {
    text += fmt::format("document {}\nbytes {}\n", base::hex(sha256), base::base64(bytes));
  }
  return text + "end\n";
}

base::Result<ProofFile> ProofFile::parse(std::string_view text) {
  Lines lines(text);
  ProofFile file;
  lines.expect(kProofStart);
  lines.expect("checkpoint");
  file.checkpoint = lines.note();
  while (lines.starts_with("event ")) {
    Event event;
    event.seq = lines.number("event");
    event.bytes = lines.bytes();
    event.path = lines.path();
    file.events.push_back(std::move(event));
  }
  while (lines.starts_with("document ")) {
    std::string name = lines.hash_name("document");
    file.documents.insert_or_assign(std::move(name), lines.bytes());
  }
  lines.end();
  if (!lines.problem().is_ok()) return lines.problem();
  return file;
}

base::Result<Checkpoint> ProofFile::check(const std::vector<NoteKey>& keys) const {
  auto opened = Checkpoint::open(checkpoint, keys);
  if (!opened.is_ok()) return opened.status().in("checkpoint");
  for (const Event& event : events) {
    const base::Status included = check_inclusion(leaf_hash(event.bytes), event.seq - 1, opened->size, event.path, opened->root);
    if (!included.is_ok()) return included.in(fmt::format("event {}", event.seq));
  }
  for (const auto& [sha256, bytes] : documents) {
    if (base::as_bytes(base::sha256(bytes)) != sha256) {
      return base::Status(base::Code::kCorruption, fmt::format("document {}: its bytes have another SHA-256", base::hex(sha256)));
    }
  }
  return opened;
}

std::string ConsistencyFile::text() const {
  return fmt::format("{}\nfrom\n{}to\n{}{}end\n", kConsistencyStart, quoted_note(from), quoted_note(to), path_lines(path));
}

base::Result<ConsistencyFile> ConsistencyFile::parse(std::string_view text) {
  Lines lines(text);
  ConsistencyFile file;
  lines.expect(kConsistencyStart);
  lines.expect("from");
  file.from = lines.note();
  lines.expect("to");
  file.to = lines.note();
  file.path = lines.path();
  lines.end();
  if (!lines.problem().is_ok()) return lines.problem();
  return file;
}

base::Result<ConsistencyFile::Checkpoints> ConsistencyFile::check(const std::vector<NoteKey>& keys) const {
  auto first = Checkpoint::open(from, keys);
  if (!first.is_ok()) return first.status().in("earlier checkpoint");
  auto second = Checkpoint::open(to, keys);
  if (!second.is_ok()) return second.status().in("later checkpoint");
  if (first->origin != second->origin) {
    return base::Status(base::Code::kCorruption, fmt::format("the checkpoints are of two ledgers, {} and {}", first->origin, second->origin));
  }
  const base::Status continued = check_consistency(first->size, first->root, second->size, second->root, path);
  if (!continued.is_ok()) return continued;
  return Checkpoints{*first, *second};
}

}  // namespace ledger
