#include "base/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "base/text.h"

namespace base {

struct Sha256Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  if (EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1) std::abort();
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::update(const void* bytes, size_t size) {
  if (EVP_DigestUpdate(state_->context, bytes, size) != 1) std::abort();
}

Sha256 Sha256Stream::finish() {
  Sha256 hash;
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(state_->context, hash.data(), &size) != 1 || size != hash.size()) std::abort();
  return hash;
}

Sha256 sha256(std::string_view bytes) {
  Sha256Stream stream;
  stream.update(bytes.data(), bytes.size());
  return stream.finish();
}

std::string hex(const Sha256& hash) { return hex(as_bytes(hash)); }

}  // namespace base
