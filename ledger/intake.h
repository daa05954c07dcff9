// Events that were recorded elsewhere become a ledger here: the same bytes, the same tree. For imports, salvage and followers.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "ledger/head_file.h"
#include "ledger/log_state.h"
#include "ledger/overlay.h"
#include "ledger/rules.h"
#include "ledger/store.h"
#include "ledger/tree_rows.h"

namespace ledger {

/// A ledger folder that takes stored events as they are. What follows from them (tree, subjects, views, records of commands, positions)
/// is made here.
///
/// Owns:    the folder (locked), and up to one batch that is not written yet. Borrows the views.
/// Threads: one. Errors: Status; after one nothing more is taken. What was written before stays a whole, shorter ledger.
class Intake {
 public:
  /// The ledger `id` of a folder, empty and new where none is. kConflict: it is another ledger. Else as Ledger::open().
  static base::Result<std::unique_ptr<Intake>> open(const std::filesystem::path& folder, std::string_view id, const Rules& rules,
                                                    const base::Clock& clock);
  /// Writes nothing: end with finish().
  ~Intake();

  uint64_t head() const { return state_.head(); }
  const TreeEdge& edge() const { return state_.edge; }
  /// The next event, with documents it names. kCorruption: it cannot stand there (seq, time, size, cause).
  base::Status add(std::string_view event, const std::vector<std::string>& blobs);
  /// All of it on disk, and promised in HEAD.
  base::Status finish();

 private:
  Intake(std::shared_ptr<Store> store, LogState state, std::unique_ptr<HeadFile> head_file, std::shared_ptr<base::Status> head_fault, const Rules& rules);
  base::Status write();
  void forget(schema::Event::Reader event);
  void remember(schema::Event::Reader event);

  const std::shared_ptr<Store> store_;
  const std::shared_ptr<const Cut> live_;
  std::vector<const View*> views_;  // those with rows; others are folded when the ledger is opened
  LogState state_;
  uint64_t forgotten_;
  Overlay overlay_;
  Store::Batch batch_;
  TreeRows tree_rows_;
  uint64_t batch_events_ = 0, batch_bytes_ = 0;
  std::deque<std::string> blobs_;  // of the batch; the overlay has their addresses
  // The command whose events are coming: the record of its answer counts them.
  std::string command_;
  uint64_t command_first_ = 0, command_last_ = 0;
  std::map<std::string, uint64_t> positions_;
  const std::shared_ptr<base::Status> head_fault_;  // written by its thread; read once that has ended
  std::unique_ptr<HeadFile> head_file_;             // ends first
};

}  // namespace ledger
