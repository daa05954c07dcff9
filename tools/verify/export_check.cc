#include "tools/verify/export_check.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/counted.h"
#include "ledger/transfer/export_reader.h"

namespace tools {
namespace {

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

/// The events of the export lead to each checkpoint that was kept, as far as they reach.
class KeptCheckpoints {
 public:
  KeptCheckpoints(const std::vector<ledger::Witnessed>& entries, const std::string& name) : entries_(entries), name_(name) {}

  /// Call with growing sizes, the size before the first event too.
  base::Status compare(uint64_t size, const ledger::ExportReader& reader) {
    for (; at_ < entries_.size() && entries_[at_].checkpoint.size <= size; ++at_) {
      const ledger::Checkpoint& kept = entries_[at_].checkpoint;
      if (kept.size < size) continue;  // before the export begins
      if (const base::Sha256 root = reader.root(); root != kept.root) {
        return corrupt(fmt::format("the first {} events are not those of checkpoint {} of {} (root {}, not {}): the log was rewritten", size, at_ + 1,
                                   name_, base::hex(root), base::hex(kept.root)));
      }
      compared_ += 1;
    }
    return {};
  }
  uint64_t compared() const { return compared_; }

 private:
  const std::vector<ledger::Witnessed>& entries_;
  const std::string& name_;
  size_t at_ = 0;
  uint64_t compared_ = 0;
};

/// What the ledger signed for this export.
base::Result<ledger::Checkpoint> signed_end(const ledger::ExportHeader& header, const ledger::ExportTrailer& trailer,
                                            const std::vector<ledger::NoteKey>& keys) {
  if (trailer.checkpoint.empty()) {
    return corrupt(fmt::format("it is whole, its events lead to root {}, but it bears no signed checkpoint: its ledger could sign none when it was made",
                               base::hex(trailer.root)));
  }
  auto checkpoint = ledger::Checkpoint::open(trailer.checkpoint, keys);
  if (!checkpoint.is_ok()) return checkpoint.status().in("checkpoint");
  if (checkpoint->origin != ledger::checkpoint_origin(header.ledger_id)) {
    return corrupt(fmt::format("its checkpoint is of {}, its first line says ledger {}", checkpoint->origin, header.ledger_id));
  }
  if (checkpoint->size != header.to || checkpoint->root != trailer.root) {
    return corrupt(fmt::format("its events are not those that were signed: {} lead to root {}, the checkpoint is of {} under root {}",
                               base::counted(header.to, "event"), base::hex(trailer.root), base::counted(checkpoint->size, "event"),
                               base::hex(checkpoint->root)));
  }
  return checkpoint;
}

}  // namespace

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

base::Status check_export_file(Findings& findings, const std::string& path, const std::vector<ledger::NoteKey>& keys,
                               const std::vector<ledger::Witnessed>& kept, const std::string& kept_name) {
  findings.json["kind"] = "export";
  auto reader = ledger::ExportReader::open(path);
  if (!reader.is_ok()) return reader.status();
  const ledger::ExportHeader header = (*reader)->header();
  KeptCheckpoints checkpoints(kept, kept_name);
  base::Status status = checkpoints.compare(header.from - 1, **reader);
  while (status.is_ok()) {
    const auto item = (*reader)->next();
    if (!item.is_ok()) return item.status();
    if (!*item) break;
    status = checkpoints.compare((*item)->seq, **reader);
  }
  if (!status.is_ok()) return status;
  const auto signed_here = signed_end(header, (*reader)->trailer(), keys);
  if (!signed_here.is_ok()) return signed_here.status();
  if (!kept.empty() && checkpoints.compared() == 0) {
    return corrupt(fmt::format("no checkpoint of {} is of {} to {} events, as this export is; nothing could be compared", kept_name, header.from - 1, header.to));
  }

  findings.describe(*signed_here);
  const uint64_t blobs = (*reader)->trailer().blobs;
  findings.json["from"] = header.from;
  findings.json["to"] = header.to;
  findings.json["documents"] = blobs;
  findings.json["compared_checkpoints"] = checkpoints.compared();
  findings.text = fmt::format("PROVEN: events {} to {} of {}, with {}, are as they were signed, under its checkpoint of {} (root {})\n", header.from,
                              header.to, base::printable(signed_here->origin), base::counted(blobs, "document"),
                              base::counted(signed_here->size, "event"), base::hex(signed_here->root));
  if (header.from > 1) findings.text += fmt::format("It begins behind event {}: what the events before it say, it cannot show.\n", header.from - 1);
  if (!kept.empty()) {
    findings.text += fmt::format("It continues {} of {}.\n", base::counted(checkpoints.compared(), "checkpoint"), base::printable(kept_name));
  }
  return {};
}

}  // namespace tools
