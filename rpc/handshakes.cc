#include "rpc/handshakes.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "base/text.h"
#include "rpc/tcp_socket.h"

namespace rpc {

struct Handshakes::Guest {
  uint64_t id = 0;
  TlsPeer peer;
  kj::Own<TlsStream> stream;
  kj::Own<kj::PromiseFulfiller<void>> give_up;
};

Handshakes::Handshakes(Loop& loop, std::string address, TlsServerContext context, const ListenOptions& options, Arrived arrived)
    : loop_(loop),
      address_(std::move(address)),
      options_(options),
      arrived_(std::move(arrived)),
      context_(std::move(context)),
      files_state_(state_of(options.tls)),
      log_(loop.timer()) {
  tasks_.emplace(*this);
  if (!context_.warning().empty()) spdlog::warn("{}", context_.warning());
  renewing_ = renew_certificate().eagerlyEvaluate([this](kj::Exception&& exception) { taskFailed(kj::mv(exception)); });
}

Handshakes::~Handshakes() noexcept(false) = default;

void Handshakes::close() {
  renewing_ = nullptr;
  tasks_ = nullptr;
}

void Handshakes::taskFailed(kj::Exception&& exception) {
  log_.warn(fmt::format("{}: {}", address_, base::printable(exception.getDescription().cStr())));
}

void Handshakes::warn(const Guest& guest, const std::string& what) {
  log_.warn(fmt::format("{}: a connection from {} is refused: {}", address_, guest.peer.address, what));
}

void Handshakes::greet(kj::Own<kj::AsyncIoStream> accepted) {
  sockaddr_storage raw{};
  kj::uint size = sizeof(raw);
  // One that is gone already has no name any more.
  if (kj::runCatchingExceptions([&] { accepted->getpeername(reinterpret_cast<sockaddr*>(&raw), &size); }) != nullptr) return;
  const auto end = TcpEnd::of(reinterpret_cast<sockaddr*>(&raw), size);

  auto guest = kj::heap<Guest>();
  guest->id = ++last_id_;
  guest->peer = {end.text(), end.host(), {}, end.source()};
  auto source = sources_.try_emplace(end.source(), 0).first;
  if (source->second >= options_.max_connections_per_source) {
    return warn(*guest, fmt::format("{} has {} connections, the limit for one source", source->first, source->second));
  }
  ++source->second;
  auto counted = accepted.attach(kj::defer([this, source] {
    if (--source->second == 0) sources_.erase(source);
  }));
  if (guests_.size() >= options_.max_handshakes) {
    auto& oldest = *guests_.begin()->second;
    warn(oldest, fmt::format("{} others came while it had not shaken hands", options_.max_handshakes));
    guests_.erase(oldest.id);
    oldest.give_up->fulfill();
  }

  guest->stream = kj::heap<TlsStream>(kj::mv(counted), context_.new_connection(), guest->peer.address);
  auto given_up = kj::newPromiseAndFulfiller<void>();
  guest->give_up = kj::mv(given_up.fulfiller);
  guests_[guest->id] = guest.get();
  auto too_late = loop_.timer().afterDelay(options_.handshake_ms * kj::MILLISECONDS).then([this, &late = *guest] {
    // One that failed before is given the same time to leave.
    if (!late.stream->has_failed()) warn(late, fmt::format("it had not shaken hands after {} ms", options_.handshake_ms));
  });
  auto task = shake(*guest).exclusiveJoin(kj::mv(too_late)).exclusiveJoin(kj::mv(given_up.promise));
  auto forget = kj::defer([this, id = guest->id] { guests_.erase(id); });
  KJ_IF_MAYBE (tasks, tasks_) tasks->add(task.attach(kj::mv(guest), kj::mv(forget)));
}

kj::Promise<void> Handshakes::shake(Guest& guest) {
  return guest.stream->handshake().then(
      [this, &guest]() -> kj::Promise<void> {
        welcome(guest);
        return kj::READY_NOW;
      },
      [this, &guest](kj::Exception&& exception) -> kj::Promise<void> {
        auto& stream = *guest.stream;
        if (!stream.has_failed()) return kj::mv(exception);
        warn(guest, base::printable(why_client_failed(stream.connection(), stream.failure())));
        return stream.part();
      });
}

void Handshakes::welcome(Guest& guest) {
  guests_.erase(guest.id);
  guest.peer.certificate = certificate_of_client(guest.stream->connection());
  arrived_(kj::mv(guest.stream), std::move(guest.peer));
}

/// Certificates are renewed while the ledger runs: whoever does it need only put the new files there.
kj::Promise<void> Handshakes::renew_certificate() {
  struct Found {
    std::string state;
    std::optional<base::Result<TlsServerContext>> context;
  };
  return loop_.timer()
      .afterDelay(options_.reload_ms * kj::MILLISECONDS)
      .then([this] {
        log_.tell_left_out();
        return loop_.on_pool([files = options_.tls, known = files_state_]() -> Found {
          auto state = state_of(files);
          if (state == known) return {};
          return {state, TlsServerContext::load(files)};
        });
      })
      .then([this](Found found) {
        if (found.context) {
          files_state_ = found.state;
          if (found.context->is_ok()) {
            context_ = std::move(*found.context).value();
            spdlog::info("{}: shows {} from now on", address_, context_.certificate());
            if (!context_.warning().empty()) spdlog::warn("{}", context_.warning());
          } else {
            spdlog::error("{}; {} goes on with the certificate it has", found.context->status().message(), address_);
          }
        }
        return renew_certificate();
      });
}

}  // namespace rpc
