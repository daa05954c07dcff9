// Reading the ledger as it stood at one seq.
#pragma once

#include <memory>

#include "ledger/fold_board.h"
#include "ledger/health_board.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

namespace ledger {

/// Owns:    its share of a cut of the store. Threads: one at a time.
/// Errors:  as Snapshot says.
class StoreSnapshot final : public Snapshot {
 public:
  StoreSnapshot(std::shared_ptr<const Cut> cut, uint64_t head, std::shared_ptr<HealthBoard> health, std::shared_ptr<FoldBoard> board);

  std::optional<std::string> get(ViewId view, std::string_view key) const override;
  void scan(ViewId view, std::string_view from, const Visit& visit) const override;
  bool has_blob(std::string_view sha256) const override;
  std::optional<std::string> blob(std::string_view sha256) const override;

  base::Status status() const override { return status_; }
  uint64_t head() const override { return head_; }
  base::Result<kj::Array<capnp::word>> event(uint64_t seq) const override;
  base::Status events(uint64_t from, uint64_t to, const VisitEvent& visit) const override;
  std::vector<uint64_t> subject(std::string_view key, uint64_t from, size_t limit) const override;
  base::Result<base::Sha256> tree_node(int level, uint64_t index) const override;
  uint64_t position(std::string_view daemon) const override;
  std::optional<Answer> answered(const Identity& identity, std::string_view command_id) const override;
  std::string held_checkpoint() const override;

 private:
  std::optional<std::string> read(Table table, std::string_view key) const;
  void note(const base::Status& status) const;
  bool has_rows(ViewId view) const;

  const std::shared_ptr<const Cut> cut_;
  const uint64_t head_;
  const std::shared_ptr<HealthBoard> health_;
  const std::shared_ptr<FoldBoard> board_;
  mutable base::Status status_;
};

}  // namespace ledger
