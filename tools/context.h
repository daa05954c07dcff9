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
#include "tools/moment.h"
#include "tools/run_names.h"
#include "tools/table.h"
#include "tools/token_store.h"

namespace tools {

/// Exit codes are a contract: kDone, kNothingFound, kError (also for usage).
enum ExitCode : int { kDone = 0, kNothingFound = 1, kError = 2 };

struct GlobalOptions {
  std::optional<std::string> site;     // --site
  std::optional<std::string> address;  // --connect
  std::optional<std::string> at;       // --at
  std::optional<std::string> token_file;  // --token-file
  rpc::TlsClientFiles tls;  // --tls-ca, --tls-name, --tls-certificate, --tls-key
  bool json = false;
};

/// What to trust and show at a tls address: as given, the authorities else of RUNLEDGER_TLS_CA.
rpc::TlsClientFiles tls_files(const GlobalOptions& options);

/// How a ledger is found, and reached there.
struct Reach {
  std::function<base::Result<std::string>(const GlobalOptions&)> address;
  std::function<base::Result<std::unique_ptr<Client>>(const std::string& address, const GlobalOptions&)> connect;
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
  Context(std::ostream& results, std::ostream& messages, Terminal results_go_to, Reach reach, TokenStore logins_kept)
      : out(results), err(messages), terminal(results_go_to), logins(std::move(logins_kept)), reach_(std::move(reach)) {}

  GlobalOptions options;
  std::ostream& out;  // results
  std::ostream& err;  // messages
  const Terminal terminal;
  const TokenStore logins;
  int exit_code = kDone;

  /// The connection, logged in; the same one each time. With --at it looks back, and people are told to what.
  base::Result<Client*> client();
  /// The same, but of now: for who deals with --at otherwise.
  base::Result<Client*> present_client();
  /// What it is logged in by, for a program that goes on in its place; empty: the connection.
  base::Result<std::string> token();
  /// Before anybody is logged in.
  base::Result<Client*> connection();
  /// One more connection, to `address`; the caller's.
  base::Result<std::unique_ptr<Client>> connect_to(const std::string& address);
  /// Of the ledger that is asked.
  base::Result<std::string> address();
  /// A moment as people write it; that no zone is named is said. `option` is where it was given.
  base::Result<MomentName> moment(std::string_view option, const std::string& text);
  /// What is printed from here on is of then; people are told.
  void is_of(uint64_t event, int64_t time_ns);
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

  Reach reach_;
  std::unique_ptr<Client> client_;
  bool is_logged_in_ = false;
  std::string token_;
  std::optional<AsOf> as_of_;
};

}  // namespace tools
