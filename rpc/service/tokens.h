// What a token looks like, and how one is made and compared: "rlt_ID_SECRET". What it may: rpc/service/token_keeper.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/sha256.h"

namespace rpc {

/// A token that has just been made. `text` is the only place its secret is in.
struct NewToken {
  std::string id;
  base::Sha256 secret_sha256;
  std::string text;
};

/// A token as somebody shows it: what it says of itself, and the hash of what is to prove it.
struct ShownToken {
  std::string id;
  base::Sha256 secret_sha256;
};

NewToken make_token();
/// nullopt: not the form of a token.
std::optional<ShownToken> read_token(std::string_view text);
/// The id in a token or an id as people paste it; nullopt: neither. Of a token nothing but its id is to be printed.
std::optional<std::string> token_id(std::string_view text);
/// Takes the same time wherever they differ.
bool is_same_hash(const base::Sha256& shown, std::string_view stored);

/// Hexadecimal digits of so many bytes that nobody can foresee.
std::string random_hex(size_t bytes);
/// Overwrites what `text` holds.
void wipe(std::string& text);

}  // namespace rpc
