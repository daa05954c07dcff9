#include "rpc/service/tokens.h"

#include <spdlog/spdlog.h>
#include <strings.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace rpc {
namespace {

constexpr std::string_view kMark = "rlt_";
constexpr size_t kIdBytes = 8, kSecretBytes = 32;
constexpr size_t kIdDigits = 2 * kIdBytes, kSecretDigits = 2 * kSecretBytes;

/// Lower case only: one token has one form.
bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string random_bytes(size_t size) {
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    const ssize_t got = getrandom(bytes.data() + done, size - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      spdlog::critical("the kernel gives no random bytes: {}; without them no token can be made", strerror(errno));
      std::abort();
    }
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace

void wipe(std::string& text) {
  explicit_bzero(text.data(), text.size());
  text.clear();
}

std::string random_hex(size_t bytes) { return base::hex(random_bytes(bytes)); }

NewToken make_token() {
  NewToken token;
  token.id = random_hex(kIdBytes);
  std::string secret = random_bytes(kSecretBytes);
  std::string digits = base::hex(secret);
  token.secret_sha256 = base::sha256(secret);
  token.text.reserve(kMark.size() + kIdDigits + 1 + kSecretDigits);
  token.text.append(kMark).append(token.id).append("_").append(digits);
  wipe(secret);
  wipe(digits);
  return token;
}

std::optional<ShownToken> read_token(std::string_view text) {
  if (text.size() != kMark.size() + kIdDigits + 1 + kSecretDigits || !text.starts_with(kMark)) return std::nullopt;
  const std::string_view id = text.substr(kMark.size(), kIdDigits), digits = text.substr(kMark.size() + kIdDigits + 1);
  if (!is_hex(id) || !is_hex(digits) || text[kMark.size() + kIdDigits] != '_') return std::nullopt;
  std::string secret = base::from_hex(digits).value();
  ShownToken token{std::string(id), base::sha256(secret)};
  wipe(secret);
  return token;
}

std::optional<std::string> token_id(std::string_view text) {
  if (text.starts_with(kMark)) text = text.substr(kMark.size(), kIdDigits);
  if (text.size() != kIdDigits || !is_hex(text)) return std::nullopt;
  return std::string(text);
}

bool is_same_hash(const base::Sha256& shown, std::string_view stored) {
  if (stored.size() != shown.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < shown.size(); ++i) difference |= static_cast<unsigned>(shown[i] ^ static_cast<uint8_t>(stored[i]));
  return difference == 0;
}

}  // namespace rpc
