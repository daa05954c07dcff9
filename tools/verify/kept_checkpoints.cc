#include "tools/verify/kept_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/counted.h"

namespace tools {

base::Result<std::vector<ledger::Witnessed>> read_checkpoints(const std::string& path, const std::vector<ledger::NoteKey>& keys) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  if (!file) return base::Status(base::Code::kUnavailable, fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  const std::string text = all.str();
  if (ledger::is_witness_text(text)) return ledger::parse_witness_text(text, path, keys);
  auto checkpoint = ledger::Checkpoint::open(text, keys);
  if (!checkpoint.is_ok()) return checkpoint.status().in(path);
  return std::vector<ledger::Witnessed>{{*checkpoint, text}};
}

base::Status check_checkpoints(Findings& findings, const std::string& path, const std::vector<ledger::NoteKey>& keys) {
  findings.json["kind"] = "checkpoints";
  const auto entries = read_checkpoints(path, keys);
  if (!entries.is_ok()) return entries.status();
  const ledger::Witnessed* last = ledger::last_standing(*entries);
  if (!last) return {base::Code::kCorruption, "it holds no whole checkpoint"};
  findings.describe(last->checkpoint);
  findings.json["checkpoints"] = entries->size();
  findings.json["losses"] = nlohmann::ordered_json::array();
  findings.text = fmt::format("PROVEN: {} of {}, the last of {} (root {}), {} signed\n", base::counted(entries->size(), "checkpoint"),
                              base::printable(last->checkpoint.origin), base::counted(last->checkpoint.size, "event"), base::hex(last->checkpoint.root),
                              entries->size() == 1 ? "is" : "each is");
  for (const auto& entry : *entries) {
    for (const ledger::StatedLoss& loss : entry.checkpoint.losses) {
      const auto lost = std::count_if(entries->begin(), entries->end(), [&](const ledger::Witnessed& other) { return other.lost == loss; });
      const std::string words = fmt::format("event {} accepts that of {} promised events {} were kept; {} went with the others", loss.seq, loss.promised, loss.kept,
                                            base::counted(static_cast<uint64_t>(lost), "checkpoint"));
      findings.json["losses"].push_back(words);
      findings.text += fmt::format("stated loss: {}\n", words);
    }
  }
  findings.text += "That the log of one is the beginning of the next, a proof (`runledger prove --consistency`) or an export shows.\n";
  return {};
}

}  // namespace tools
