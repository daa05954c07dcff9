// How far long work at the ledger is, for whoever waits at a terminal.
#pragma once

#include <ostream>
#include <string_view>

#include "schema/api.capnp.h"

namespace tools {

class Context;

/// One line that is written over, on a terminal, and wiped at the end; nothing where a program reads the results.
///
/// Owns:    nothing; borrows the stream of the context's messages.
/// Threads: one. Errors: none.
class ProgressLine {
 public:
  explicit ProgressLine(Context& context);
  ~ProgressLine() { wipe(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  bool is_shown() const { return err_ != nullptr; }
  void show(std::string_view text);
  /// For a message of another kind; the next show() writes it again.
  void wipe();

 private:
  std::ostream* const err_;  // nullptr: nobody looks
  bool is_there_ = false;
};

/// What the ledger says of its progress, on such a line.
schema::Progress::Client shown_progress(Context& context);

}  // namespace tools
