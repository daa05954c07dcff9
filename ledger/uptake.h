// Events that were recorded elsewhere, taken as they are: the same bytes, the same tree. For imports, salvage and followers.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ledger/fold.h"
#include "ledger/ledger.h"
#include "ledger/log_state.h"
#include "ledger/overlay.h"
#include "ledger/store.h"
#include "ledger/tree_rows.h"

namespace ledger {

/// One group of them at a time, and what follows from it: tree, subjects, view rows, records of commands, positions.
///
/// Owns:    a batch. Borrows the views.
/// Threads: one. Errors: Status; throws StoreFault where the tables cannot be read. After either, begin() again.
class Uptake {
 public:
  explicit Uptake(std::span<const View* const> views) : all_views_(views) {}

  /// Drops what was not written; the next event continues `state`.
  void begin(std::shared_ptr<const Cut> live, const LogState& state, uint64_t forgotten);
  /// The next event, with documents it names. kCorruption: it cannot stand there (seq, time, size, cause).
  base::Status add(std::string_view event, const std::vector<std::string>& blobs);
  /// All of it, for one synced write. Once, after the last add().
  Store::Batch& batch();

  const LogState& state() const { return state_; }    // with them
  uint64_t forgotten() const { return forgotten_; }   // what Store::forget() is told once they are written
  bool purges() const { return purges_; }             // something is to be taken off the disk
  uint64_t events() const { return events_; }
  uint64_t bytes() const { return bytes_; }

 private:
  void fold(schema::Event::Reader event, const std::vector<std::string>& blobs);
  void forget(schema::Event::Reader event);
  void remember(schema::Event::Reader event);

  const std::span<const View* const> all_views_;
  std::shared_ptr<const Cut> live_;
  std::vector<const View*> views_;  // those with rows; others are folded by the upkeep
  LogState state_;
  uint64_t forgotten_ = 0;
  Overlay overlay_;
  Store::Batch batch_;
  TreeRows tree_rows_;
  uint64_t events_ = 0, bytes_ = 0;
  bool purges_ = false;
  std::deque<std::string> blobs_;  // of the batch; the overlay has their addresses
  // The command whose events are coming: the record of its answer counts them.
  std::string command_;
  uint64_t command_first_ = 0, command_last_ = 0;
  std::map<std::string, uint64_t> positions_;
};

}  // namespace ledger
