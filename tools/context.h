// What every command gets: global options, where results and messages go, the connection.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tools/client.h"
#include "tools/run_names.h"
#include "tools/table.h"

namespace tools {

/// Exit codes are a contract: kDone, kNothingFound, kError (also for usage).
enum ExitCode : int { kDone = 0, kNothingFound = 1, kError = 2 };

struct GlobalOptions {
  std::optional<std::string> site;     // --site
  std::optional<std::string> address;  // --connect
  std::optional<std::string> at;       // --at
  bool json = false;
};

/// What is looked back to.
struct AsOf {
  uint64_t event;
  int64_t time_ns;
};

/// One run of the command.
///
/// Owns:    the connection, made when a command first needs it. Borrows the streams.
/// Threads: one. Errors: Status; finish() turns what a command returns into messages and the exit code.
class Context {
 public:
  using Connect = std::function<base::Result<std::unique_ptr<Client>>(const GlobalOptions&)>;
  Context(std::ostream& results, std::ostream& messages, Terminal results_go_to, Connect connect)
      : out(results), err(messages), terminal(results_go_to), connect_(std::move(connect)) {}

  GlobalOptions options;
  std::ostream& out;  // results
  std::ostream& err;  // messages
  const Terminal terminal;
  int exit_code = kDone;

  /// The connection; the same one each time. With --at it looks back, and people are told to what.
  base::Result<Client*> client();
  /// Parses what names runs, asking the ledger which instruments there are.
  base::Result<RunSelection> selection(std::span<const std::string> words);
  base::Result<RunName> run(std::span<const std::string> words);
  /// The instrument that `word` names, in upper case. All three: kNotFound when the ledger has no such instrument.
  base::Result<std::string> instrument(const std::string& word);

  /// An object also says what was looked back to.
  void print(nlohmann::ordered_json json);
  void print(const Table& table) { out << table.text(terminal); }
  /// A listing: the JSON array or the table. When it is empty `nothing` is said, and the code is kNothingFound.
  int print_listing(const nlohmann::ordered_json& json, const Table& table, std::string_view nothing);
  /// Text that a script or user wrote: byte for byte into files and pipes, made harmless on a terminal.
  void print_raw(std::string_view bytes);
  /// "runledger: TEXT" on stderr.
  void say(std::string_view text);
  /// Sets the exit code; a Status is said, kNotFound is exit code 1, every other 2.
  void finish(const base::Result<int>& result);

 private:
  base::Result<std::vector<std::string>> known_instruments();
  base::Status look_back(const std::string& moment);

  Connect connect_;
  std::unique_ptr<Client> client_;
  std::optional<AsOf> as_of_;
};

}  // namespace tools
