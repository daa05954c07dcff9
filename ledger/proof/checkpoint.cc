#include "ledger/proof/checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "base/base64.h"

namespace ledger {
namespace {

constexpr std::string_view kProofStart = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kLossStart = "runledger-loss ";

base::Status invalid(std::string message) { return {base::Code::kInvalidArgument, std::move(message)}; }

/// Takes the next line, without its newline; nullopt where none is ended.
std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return number;
}

/// "61 100 60".
std::optional<StatedLoss> parse_loss(std::string_view text) {
  const size_t first = text.find(' '), second = text.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto seq = parse_number(text.substr(0, first)), promised = parse_number(text.substr(first + 1, second - first - 1));
  const auto kept = parse_number(text.substr(second + 1));
  if (!seq || !promised || !kept) return std::nullopt;
  return StatedLoss{*seq, *promised, *kept};
}

std::optional<base::Sha256> parse_hash(std::string_view text) {
  const auto bytes = base::from_base64(text);
  base::Sha256 hash;
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::memcpy(hash.data(), bytes->data(), hash.size());
  return hash;
}

}  // namespace

std::string checkpoint_origin(std::string_view ledger_id) { return fmt::format("runledger/{}", ledger_id); }

std::string Checkpoint::text() const {
  std::string text = fmt::format("{}\n{}\n{}\n", origin, size, base::base64(base::as_bytes(root)));
  for (const StatedLoss& loss : losses) text += fmt::format("{}{} {} {}\n", kLossStart, loss.seq, loss.promised, loss.kept);
  return text;
}

base::Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  const auto origin = take_line(text), size = take_line(text), root = take_line(text);
  if (!root || origin->empty()) return invalid("a checkpoint has three lines: origin, size, root");
  const auto number = parse_number(*size);
  const auto hash = parse_hash(*root);
  if (!number) return invalid(fmt::format("the size of a checkpoint is a number, not \"{}\"", *size));
  if (!hash) return invalid("the root of a checkpoint is a SHA-256 in base 64");
  Checkpoint checkpoint{std::string(*origin), *number, *hash};
  while (!text.empty()) {
    const auto extension = take_line(text);
    if (!extension || extension->empty()) return invalid("a checkpoint holds no empty lines");
    if (!extension->starts_with(kLossStart)) continue;
    const auto loss = parse_loss(extension->substr(kLossStart.size()));
    if (!loss) return invalid("a loss in a checkpoint is three numbers: its event, the events promised, the events kept");
    checkpoint.losses.push_back(*loss);
  }
  return checkpoint;
}

base::Result<Checkpoint> Checkpoint::open(std::string_view note, const std::vector<NoteKey>& keys) {
  const auto text = open_note(note, keys);
  if (!text.is_ok()) return text.status();
  return parse(*text);
}

std::string TlogProof::text() const {
  std::string text = fmt::format("{}\nindex {}\n", kProofStart, index);
  for (const base::Sha256& hash : path) text += base::base64(base::as_bytes(hash)) + '\n';
  return text + '\n' + checkpoint;
}

base::Result<TlogProof> TlogProof::parse(std::string_view text) {
  auto line = take_line(text);
  if (line != kProofStart) return invalid(fmt::format("the first line of a proof is \"{}\"", kProofStart));
  line = take_line(text);
  if (line && line->starts_with("extra ")) line = take_line(text);
  if (!line || !line->starts_with("index ")) return invalid("a proof says \"index\" and a number");
  const auto index = parse_number(line->substr(6));
  if (!index) return invalid("a proof says \"index\" and a number");
  TlogProof proof;
  proof.index = *index;
  for (line = take_line(text); line && !line->empty(); line = take_line(text)) {
    const auto hash = parse_hash(*line);
    if (!hash || proof.path.size() == 64) return invalid("a proof has at most 64 hashes, each a SHA-256 in base 64");
    proof.path.push_back(*hash);
  }
  if (!line) return invalid("a proof ends with its checkpoint");
  proof.checkpoint = text;
  return proof;
}

}  // namespace ledger
