// The logins of this account: which token `runledger login` got, from which ledger. One file, for its owner alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tools {

struct StoredLogin {
  std::string address;  // as given: unix:/srv/runledger/run/ledger.sock
  std::string ledger;   // its id: another ledger at the same address is never shown this token
  std::string account;
  std::string token_id;
  std::string token;
  int64_t issued_ns = 0;   // by the ledger's clock
  int64_t expires_ns = 0;
};

/// FOLDER/tokens.json: one login for each address and ledger.
///
/// Owns:    nothing open; the folder (mode 0700) and the file (0600) are made when the first login is kept.
/// Threads: one at a time; processes take turns by a lock beside the file, and readers see it whole, as before or after a change.
/// Errors:  kPermissionDenied: others may read or write the file, or it is another's. kCorruption: it cannot be read as what it is.
class TokenStore {
 public:
  explicit TokenStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// In $XDG_STATE_HOME/runledger, else ~/.local/state/runledger; without either there is nothing stored and nothing can be.
  static TokenStore of_environment();

  std::filesystem::path file() const { return folder_ / "tokens.json"; }
  base::Result<std::vector<StoredLogin>> all() const;
  base::Result<std::optional<StoredLogin>> find(std::string_view address, std::string_view ledger) const;

  /// While it lives no other process changes the file.
  class Turn {
   public:
    Turn(Turn&& other) noexcept;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class TokenStore;
    explicit Turn(int lock) : lock_(lock) {}
    int lock_;
  };
  base::Result<Turn> take_turn() const;
  /// nullopt: another process has it.
  std::optional<Turn> try_turn() const;

  /// In place of the one for its address and ledger.
  base::Status keep(const Turn& turn, const StoredLogin& login) const;
  /// kOk also when it is not there.
  base::Status remove(const Turn& turn, const StoredLogin& login) const;

 private:
  base::Result<int> open_lock() const;
  /// All but the one of its address and ledger.
  base::Result<std::vector<StoredLogin>> others(const StoredLogin& login) const;
  base::Status write(const std::vector<StoredLogin>& logins) const;
  std::filesystem::path folder_;  // empty: none
};

}  // namespace tools
