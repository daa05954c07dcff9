// Whether it is known yet who is at the other end of a connection.
#pragma once

#include <functional>
#include <memory>
#include <utility>

namespace rpc {

/// What a listener and whoever answers a connection share of it. A peer may be anybody until the one who answers has found out who it
/// is; how long that may take, and what the peer may use up until then, is the listener's business.
///
/// Threads: loop thread. Errors: none.
class Admission {
 public:
  /// It is known who that is. Cannot be taken back.
  void give() {
    is_given_ = true;
    if (on_given_) std::exchange(on_given_, nullptr)();
  }
  bool is_given() const { return is_given_; }

  /// Somebody is finding out as long as what this returns lives: an answer that is held back is no fault of the peer's.
  std::shared_ptr<void> decide() {
    auto deciding = deciding_.lock();
    if (!deciding) deciding_ = deciding = std::make_shared<char>();
    return deciding;
  }
  bool is_being_decided() const { return !deciding_.expired(); }

  /// The listener's: called once, when it is given. Null: not any more.
  void on_given(std::function<void()> call) { on_given_ = std::move(call); }

 private:
  bool is_given_ = false;
  std::weak_ptr<void> deciding_;
  std::function<void()> on_given_;
};

}  // namespace rpc
