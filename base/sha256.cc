#include "base/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "base/text.h"

namespace base {

struct Sha256Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }

  void begin() {
    // Fetched once: looking the algorithm up costs more than hashing a short text.
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    if (!algorithm || EVP_DigestInit_ex2(context, algorithm, nullptr) != 1) std::abort();
  }
  void update(const void* bytes, size_t size) {
    if (EVP_DigestUpdate(context, bytes, size) != 1) std::abort();
  }
  Sha256 finish() {
    Sha256 hash;
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(context, hash.data(), &size) != 1 || size != hash.size()) std::abort();
    return hash;
  }
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) { state_->begin(); }
Sha256Stream::~Sha256Stream() = default;
void Sha256Stream::update(const void* bytes, size_t size) { state_->update(bytes, size); }
Sha256 Sha256Stream::finish() { return state_->finish(); }

Sha256 sha256(std::string_view bytes) { return sha256({}, bytes); }

Sha256 sha256(std::string_view prefix, std::string_view bytes) {
  thread_local Sha256Stream::State state;
  state.begin();
  state.update(prefix.data(), prefix.size());
  state.update(bytes.data(), bytes.size());
  return state.finish();
}

std::string hex(const Sha256& hash) { return hex(as_bytes(hash)); }

}  // namespace base
