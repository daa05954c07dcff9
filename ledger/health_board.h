// Whether the ledger takes commands, and why not; written by whoever meets a fault, read by anyone.
#pragma once

#include <mutex>
#include <string>

#include "base/status.h"
#include "ledger/ledger.h"

namespace ledger {

/// Threads: any. Read-only is final; storage-low can pass.
class HealthBoard {
 public:
  void storage_low(const base::Status& cause) {
    std::lock_guard lock(mutex_);
    if (health_.state == Health::State::kOk) health_ = {Health::State::kStorageLow, cause.message()};
  }
  void read_only(const base::Status& cause) {
    std::lock_guard lock(mutex_);
    if (health_.state != Health::State::kReadOnly) health_ = {Health::State::kReadOnly, cause.message()};
  }
  void storage_back() {
    std::lock_guard lock(mutex_);
    if (health_.state == Health::State::kStorageLow) health_ = {};
  }
  Health get() const {
    std::lock_guard lock(mutex_);
    return health_;
  }

 private:
  mutable std::mutex mutex_;
  Health health_;
};

}  // namespace ledger
