#include "ledger/proof/note.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/base64.h"
#include "base/sha256.h"
#include "base/text.h"

namespace ledger {
namespace {

constexpr char kEd25519 = 0x01;
constexpr size_t kMaxNoteBytes = 64u << 10;
constexpr std::string_view kDash = "\xE2\x80\x94 ";
constexpr std::string_view kSecretStart = "PRIVATE+KEY+";

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

base::Status invalid(std::string message) { return {base::Code::kInvalidArgument, std::move(message)}; }

bool is_name(std::string_view name) {
  return !name.empty() && name.find_first_of("+ \t\n\v\f\r") == std::string_view::npos && base::is_utf8(name);
}

std::string id_bytes(uint32_t id) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(id >> shift & 0xFF);
  return bytes;
}
std::string id_hex(uint32_t id) { return fmt::format("{:08x}", id); }

bool verifies(const NoteKey& key, std::string_view text, std::string_view signature) {
  const Key handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.public_key.data(), key.public_key.size()), EVP_PKEY_free);
  const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return handle && digest && EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, handle.get()) == 1 &&
         EVP_DigestVerify(digest.get(), reinterpret_cast<const uint8_t*>(signature.data()), signature.size(),
                          reinterpret_cast<const uint8_t*>(text.data()), text.size()) == 1;
}

/// The rest of a line "NAME+ID+BASE64": name (which holds no '+'), id and decoded key with its algorithm byte.
struct KeyParts {
  std::string name;
  std::string id;
  std::string key;
};
base::Result<KeyParts> parse_parts(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const size_t first = text.find('+');
  const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) return invalid("a key is written NAME+ID+KEY");
  const auto key = base::from_base64(text.substr(second + 1));
  if (!is_name(text.substr(0, first)) || !key || key->size() != 33) return invalid("a key is written NAME+ID+KEY, KEY being 33 bytes in base 64");
  if (key->front() != kEd25519) return invalid("the key is not an Ed25519 key, the only kind used here");
  return KeyParts{std::string(text.substr(0, first)), std::string(text.substr(first + 1, second - first - 1)), *key};
}

}  // namespace

uint32_t NoteKey::id() const {
  std::string bytes = name + '\n' + kEd25519;
  bytes.append(reinterpret_cast<const char*>(public_key.data()), public_key.size());
  const base::Sha256 hash = base::sha256(bytes);
  return uint32_t{hash[0]} << 24 | uint32_t{hash[1]} << 16 | uint32_t{hash[2]} << 8 | hash[3];
}

std::string NoteKey::line() const {
  std::string bytes(1, kEd25519);
  bytes.append(reinterpret_cast<const char*>(public_key.data()), public_key.size());
  return fmt::format("{}+{}+{}", name, id_hex(id()), base::base64(bytes));
}

base::Result<NoteKey> NoteKey::parse(std::string_view line) {
  if (line.starts_with(kSecretStart)) return invalid("this is a private key; give the public one");
  auto parts = parse_parts(line);
  if (!parts.is_ok()) return parts.status();
  NoteKey key;
  key.name = parts->name;
  std::memcpy(key.public_key.data(), parts->key.data() + 1, key.public_key.size());
  if (id_hex(key.id()) != parts->id) return invalid(fmt::format("{}: the id {} is not that of the key, {}", key.name, parts->id, id_hex(key.id())));
  return key;
}

struct SigningKey::Secret {
  std::array<uint8_t, 32> seed{};
  ~Secret() { OPENSSL_cleanse(seed.data(), seed.size()); }
  Key handle() const { return {EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), EVP_PKEY_free}; }
};

base::Result<SigningKey> SigningKey::make(std::string name, std::shared_ptr<const Secret> secret) {
  NoteKey key;
  key.name = std::move(name);
  const Key handle = secret->handle();
  size_t size = key.public_key.size();
  if (!handle || EVP_PKEY_get_raw_public_key(handle.get(), key.public_key.data(), &size) != 1 || size != key.public_key.size()) {
    return base::Status(base::Code::kInternal, "the private key does not lead to a public one");
  }
  return SigningKey(std::move(key), std::move(secret));
}

base::Result<SigningKey> SigningKey::generate(std::string name) {
  if (!is_name(name)) return invalid("a key's name holds no blanks and no '+'");
  auto secret = std::make_shared<Secret>();
  if (RAND_priv_bytes(secret->seed.data(), static_cast<int>(secret->seed.size())) != 1) {
    return base::Status(base::Code::kUnavailable, "no random numbers for a key; try again");
  }
  return make(std::move(name), std::move(secret));
}

base::Result<SigningKey> SigningKey::parse(std::string_view line) {
  if (!line.starts_with(kSecretStart)) return invalid("a private key begins with PRIVATE+KEY+");
  auto parts = parse_parts(line.substr(kSecretStart.size()));
  if (!parts.is_ok()) return parts.status();
  auto secret = std::make_shared<Secret>();
  std::memcpy(secret->seed.data(), parts->key.data() + 1, secret->seed.size());
  OPENSSL_cleanse(parts->key.data(), parts->key.size());
  auto key = make(parts->name, std::move(secret));
  if (key.is_ok() && id_hex(key->public_.id()) != parts->id) return invalid(fmt::format("{}: the id {} is not that of the key", parts->name, parts->id));
  return key;
}

std::string SigningKey::secret_line() const {
  std::string bytes(1, kEd25519);
  bytes.append(reinterpret_cast<const char*>(secret_->seed.data()), secret_->seed.size());
  std::string line = fmt::format("{}{}+{}+{}", kSecretStart, public_.name, id_hex(public_.id()), base::base64(bytes));
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return line;
}

base::Result<std::string> SigningKey::sign(std::string_view text) const {
  if (text.empty() || text.back() != '\n' || !base::is_utf8(text)) return invalid("a note's text is UTF-8 and ends with a newline");
  for (const char c : text) {
    if (static_cast<uint8_t>(c) < 0x20 && c != '\n') return invalid("a note's text holds no control characters but newlines");
  }
  const Key handle = secret_->handle();
  const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(64, '\0');
  size_t size = signature.size();
  if (!handle || !digest || EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, handle.get()) != 1 ||
      EVP_DigestSign(digest.get(), reinterpret_cast<uint8_t*>(signature.data()), &size, reinterpret_cast<const uint8_t*>(text.data()),
                     text.size()) != 1 ||
      size != signature.size()) {
    return base::Status(base::Code::kInternal, "the text could not be signed");
  }
  return fmt::format("{}\n{}{} {}\n", text, kDash, public_.name, base::base64(id_bytes(public_.id()) + signature));
}

base::Result<std::string> open_note(std::string_view note, const std::vector<NoteKey>& keys) {
  if (note.size() > kMaxNoteBytes) return invalid(fmt::format("{} bytes are too long for a signed note", note.size()));
  const size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos || note.back() != '\n' || !base::is_utf8(note)) {
    return invalid("it is no signed note: text, an empty line and signatures, each line ended");
  }
  for (const char c : note) {
    if (static_cast<uint8_t>(c) < 0x20 && c != '\n') return invalid("a signed note holds no control characters but newlines");
  }
  const std::string_view text = note.substr(0, gap + 1);
  std::string_view rest = note.substr(gap + 2);
  if (rest.empty()) return invalid("the note bears no signature");
  bool trusted = false;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (!line.starts_with(kDash)) return invalid("a signature line begins with a dash and a blank");
    line.remove_prefix(kDash.size());
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return invalid("a signature line has a name and a signature");
    const std::string_view name = line.substr(0, blank);
    const auto bytes = base::from_base64(line.substr(blank + 1));
    if (!is_name(name) || !bytes || bytes->size() <= 4) return invalid("a signature line has a name and a signature in base 64");
    for (const NoteKey& key : keys) {
      if (key.name != name || id_bytes(key.id()) != bytes->substr(0, 4)) continue;
      if (!verifies(key, text, std::string_view(*bytes).substr(4))) {
        return base::Status(base::Code::kCorruption, fmt::format("the signature of {} does not fit the text", name));
      }
      trusted = true;
    }
  }
  if (!trusted) return base::Status(base::Code::kPermissionDenied, "none of the given keys has signed it");
  return std::string(text);
}

}  // namespace ledger
