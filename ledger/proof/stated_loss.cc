#include "ledger/proof/stated_loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace ledger {
namespace {

std::optional<base::Sha256> hash_of(capnp::Data::Reader bytes) {
  base::Sha256 hash;
  if (bytes.size() != hash.size()) return std::nullopt;
  std::memcpy(hash.data(), bytes.begin(), hash.size());
  return hash;
}

}  // namespace

std::optional<LossOnRecord> LossOnRecord::read(schema::Event::Reader event, const base::Sha256& root_before) {
  if (!event.getBody().isLossAccepted()) return std::nullopt;
  const auto accepted = event.getBody().getLossAccepted();
  if (accepted.getKeptEvents() + 1 != event.getSeq() || hash_of(accepted.getKeptRoot()) != root_before) return std::nullopt;
  LossOnRecord loss;
  loss.stated_ = {event.getSeq(), accepted.getPromisedEvents(), accepted.getKeptEvents()};
  loss.promised_root_ = hash_of(accepted.getPromisedRoot());
  return loss;
}

bool LossOnRecord::explains(const Checkpoint& checkpoint) const {
  if (!stated_.covers(checkpoint.size)) return false;
  return checkpoint.size < stated_.promised || promised_root_ == checkpoint.root;
}

std::string LossOnRecord::words() const {
  if (stated_.promised == 0) return fmt::format("event {} accepts that HEAD was lost; {} events were kept, how many there had been is not known", stated_.seq, stated_.kept);
  return stated_.promised == stated_.kept + 1 ? fmt::format("event {} accepts that event {} was lost", stated_.seq, stated_.promised)
                                             : fmt::format("event {} accepts that events {} to {} were lost", stated_.seq, stated_.kept + 1, stated_.promised);
}

std::vector<const LossOnRecord*> explained_by(const std::vector<Checkpoint>& checkpoints, const std::vector<LossOnRecord>& losses) {
  std::vector<const LossOnRecord*> explanations;
  std::set<uint64_t> stated;
  for (const Checkpoint& checkpoint : checkpoints) {
    for (const StatedLoss& loss : checkpoint.losses) stated.insert(loss.seq);
    const auto explains = [&](const LossOnRecord& loss) { return !stated.contains(loss.stated().seq) && loss.explains(checkpoint); };
    const auto loss = std::find_if(losses.begin(), losses.end(), explains);
    explanations.push_back(loss == losses.end() ? nullptr : &*loss);
  }
  return explanations;
}

}  // namespace ledger
