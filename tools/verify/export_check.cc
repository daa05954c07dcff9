#include "tools/verify/export_check.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "base/counted.h"
#include "ledger/proof/stated_loss.h"
#include "ledger/transfer/export_reader.h"
#include "tools/document.h"

namespace tools {
namespace {

base::Status corrupt(std::string message) { return {base::Code::kCorruption, std::move(message)}; }

/// Holds an export against the checkpoints that were kept, as far as they reach, and against the losses its events state.
class KeptCheckpoints {
 public:
  KeptCheckpoints(const std::vector<ledger::Witnessed>& entries, const std::string& name, uint64_t from) : entries_(entries), name_(name), from_(from) {
    for (const auto& entry : entries_) wanted_.emplace(entry.checkpoint.size, std::nullopt);
  }
  /// The tree at each size it has on the way, from that before the first event on.
  void pass(const ledger::TreeEdge& edge) {
    if (const auto wanted = wanted_.find(edge.size()); wanted != wanted_.end()) wanted->second = edge.root();
  }
  void pass_event(schema::Event::Reader event, const ledger::TreeEdge& before) {
    if (!event.getBody().isLossAccepted()) return;
    if (auto loss = ledger::LossOnRecord::read(event, before.root())) losses_.push_back(std::move(*loss));
  }
  /// Call behind the last event. kCorruption: the log was rewritten.
  base::Status compare() {
    std::vector<ledger::Checkpoint> checkpoints;
    for (const auto& entry : entries_) checkpoints.push_back(entry.checkpoint);
    const auto explanations = ledger::explained_by(checkpoints, losses_);
    for (size_t i = 0; i < entries_.size(); ++i) {
      const auto& root = wanted_.at(checkpoints[i].size);
      const bool stated = explanations[i] || (entries_[i].lost && entries_[i].lost->seq < from_);
      if (root == checkpoints[i].root) {
        compared_ += 1;
      } else if (stated) {
        lost_ += 1;
      } else if (root) {
        return corrupt(fmt::format("the first {} events are not those of checkpoint {} of {} (root {}, not {}): the log was rewritten", checkpoints[i].size,
                                   i + 1, name_, base::hex(*root), base::hex(checkpoints[i].root)));
      }
    }
    return {};
  }
  uint64_t compared() const { return compared_; }
  uint64_t lost() const { return lost_; }
  const std::vector<ledger::LossOnRecord>& losses() const { return losses_; }

 private:
  const std::vector<ledger::Witnessed>& entries_;
  const std::string& name_;
  const uint64_t from_;
  std::map<uint64_t, std::optional<base::Sha256>> wanted_;  // roots by size
  std::vector<ledger::LossOnRecord> losses_;
  uint64_t compared_ = 0, lost_ = 0;
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

base::Status check_export_file(Findings& findings, const std::string& path, const std::vector<ledger::NoteKey>& keys,
                               const std::vector<ledger::Witnessed>& kept, const std::string& kept_name) {
  findings.json["kind"] = "export";
  auto reader = ledger::ExportReader::open(path);
  if (!reader.is_ok()) return reader.status();
  const ledger::ExportHeader header = (*reader)->header();
  KeptCheckpoints checkpoints(kept, kept_name, header.from);
  checkpoints.pass(header.before);
  for (;;) {
    const ledger::TreeEdge before = (*reader)->edge();
    const auto item = (*reader)->next();
    if (!item.is_ok()) return item.status();
    if (!*item) break;
    const auto event = Document<schema::Event>::open((*item)->event);  // the reader knows that it can be read
    if (!event.is_ok()) return event.status();
    checkpoints.pass_event(event->get(), before);
    checkpoints.pass((*reader)->edge());
  }
  if (base::Status continued = checkpoints.compare(); !continued.is_ok()) return continued;
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
  findings.json["losses"] = nlohmann::ordered_json::array();
  findings.text = fmt::format("PROVEN: events {} to {} of {}, with {}, are as they were signed, under its checkpoint of {} (root {})\n", header.from,
                              header.to, base::printable(signed_here->origin), base::counted(blobs, "document"),
                              base::counted(signed_here->size, "event"), base::hex(signed_here->root));
  if (header.from > 1) findings.text += fmt::format("It begins behind event {}: what the events before it say, it cannot show.\n", header.from - 1);
  for (const ledger::LossOnRecord& loss : checkpoints.losses()) {
    findings.json["losses"].push_back(loss.words());
    findings.text += fmt::format("stated loss: {}\n", loss.words());
  }
  if (!kept.empty()) {
    findings.text += fmt::format("It continues {} of {}{}.\n", base::counted(checkpoints.compared(), "checkpoint"), base::printable(kept_name),
                                 checkpoints.lost() == 0 ? "" : fmt::format("; {} went with a loss that is stated", checkpoints.lost()));
  }
  return {};
}

}  // namespace tools
