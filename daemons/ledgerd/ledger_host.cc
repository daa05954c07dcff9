#include "daemons/ledgerd/ledger_host.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/sha256.h"
#include "daemons/ledgerd/directory_accounts.h"
#include "daemons/ledgerd/peer.h"
#include "daemons/ledgerd/site_contract.h"
#include "daemons/ledgerd/site_stages.h"
#include "ledger/canonical.h"
#include "ledger/checkpoint_key.h"
#include "ledger/proof/witness_file.h"
#include "ledger/view_rows.h"
#include "rpc/account_names.h"
#include "rpc/service/access_desk.h"

namespace daemons {
namespace {

constexpr int kLoginMs = 15'000;           // who has connected and is nobody that long is shown out
constexpr mode_t kSocketForAll = 0666;  // whoever reaches its folder may knock; what he may then is the policy's

template <typename Builder>
void write_texts(const std::vector<std::string>& texts, Builder list) {
  for (size_t i = 0; i < texts.size(); ++i) list.set(i, texts[i]);
}

void write_config(const site::Instrument& instrument, schema::InstrumentConfigured::Builder config) {
  config.setInstrument(instrument.name);
  config.setContract(contract_of(instrument.contract));
  write_texts(instrument.raw_folders, config.initRawFolders(instrument.raw_folders.size()));
  write_texts(instrument.file_patterns, config.initFilePatterns(instrument.file_patterns.size()));
  config.setScriptPath(instrument.script_path);
  config.setOutputPattern(instrument.output_pattern);
  config.setInterpreter(instrument.interpreter);
  config.setTimeLimitMs(instrument.time_limit_ms);
  config.setMemoryLimitBytes(instrument.memory_limit_bytes);
  config.setRunNumberPattern(instrument.run_number_pattern);
  config.setDetect(instrument.detect);
  config.setCondaPython(instrument.conda_python);
  auto interpreters = config.initInterpreters(static_cast<uint32_t>(instrument.interpreters.size()));
  uint32_t i = 0;
  for (const auto& [name, path] : instrument.interpreters) {
    interpreters[i].setName(name);
    interpreters[i++].setPath(path);
  }
  config.setStderrFails(instrument.stderr_fails);
  write_texts(instrument.stderr_allowed, config.initStderrAllowed(instrument.stderr_allowed.size()));
  config.setFlatFolder(instrument.flat_folder);
  write_texts(instrument.support_urls, config.initSupportUrls(instrument.support_urls.size()));
}

base::Result<ledger::NoteKey> source_key(const site::Follow& follow) {
  std::string line = follow.public_key;
  if (line.empty()) {
    std::ifstream file(follow.public_key_file);
    std::getline(file, line);
    if (!file && line.empty()) {
      return base::Status(base::Code::kNotFound, fmt::format("{}: the source's key line cannot be read there; `runledger prove --key --output {}`, asked of "
                                                             "the source, writes it",
                                                             follow.public_key_file, follow.public_key_file));
    }
  }
  auto key = ledger::parse_source_key(line);
  return key.is_ok() ? key : key.status().in("[follow] public_key");
}

/// The last checkpoint of the witness file; none where it cannot be read, which is said when the next one is to be signed.
std::optional<ledger::Checkpoint> last_witnessed(const site::Site& site) {
  const auto key = ledger::read_public_key(site.ledger);
  if (!key.is_ok()) return std::nullopt;
  const auto entries = ledger::read_witness_file(site.witness.file, *key);
  const ledger::Witnessed* last = entries.is_ok() ? ledger::last_standing(*entries) : nullptr;
  return last ? std::optional(last->checkpoint) : std::nullopt;
}

/// Passwords and tokens come in by messages, whose memory is not overwritten at once. A debugger of the same account does not reach them either.
void keep_out_of_core_dumps() {
  const rlimit none{0, 0};
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) spdlog::warn("core dumps of this process cannot be switched off; they may hold passwords");
}

}  // namespace

base::Result<std::unique_ptr<LedgerHost>> LedgerHost::open(rpc::Loop& loop, const site::Site& site, const base::Clock& clock) {
  ledger::Ledger::Options options;
  std::optional<ledger::NoteKey> source;
  if (site.follow) {
    auto key = source_key(*site.follow);
    if (!key.is_ok()) return key.status();
    if (base::Status prepared = ledger::prepare_copy(site.ledger, *key, clock); !prepared.is_ok()) return prepared;
    source = *key;
    options.follows = site.follow->address;
  } else {
    options.witnessed = last_witnessed(site);
  }
  auto ledger = ledger::Ledger::open(site.ledger, options, clock);
  if (!ledger.is_ok()) return ledger.status();
  auto host = std::unique_ptr<LedgerHost>(new LedgerHost(loop, site, clock, std::move(*ledger)));
  if (source) host->follow(*source);
  if (site.access) {
    if (base::Status status = host->use_access(*site.access); !status.is_ok()) return status;
  }
  return host;
}

LedgerHost::LedgerHost(rpc::Loop& loop, const site::Site& site, const base::Clock& clock, std::unique_ptr<ledger::Ledger> ledger)
    : loop_(loop), clock_(clock), site_(site), ledger_(std::move(ledger)), service_(std::make_unique<rpc::LedgerService>(loop, *ledger_, clock, site.facility)), retention_(*service_, clock, site_.retention), clock_watch_(*service_) {
  service_->use_witness(std::make_shared<ledger::Witness>(ledger_->checkpoint_key(), site_.witness.file));
}

void LedgerHost::follow(const ledger::NoteKey& source) {
  service_->use_witness(std::make_shared<ledger::Witness>(source, site_.witness.file));
  const auto connect = [this]() -> kj::Promise<schema::Gateway::Client> {
    source_.reset();
    return rpc::connect(loop_, site_.follow->address).then([this](rpc::Connection opened) {
      source_.emplace(kj::mv(opened));
      return source_->bootstrap().castAs<schema::Gateway>();
    });
  };
  follower_ = std::make_unique<Follower>(loop_, *service_, clock_, site_.follow->address, source, connect);
  service_->follow(follower_->state());
}

base::Status LedgerHost::use_access(const site::Access& access) {
  auto accounts = open_accounts(loop_, access);
  if (!accounts.is_ok()) return accounts.status();
  keep_out_of_core_dumps();
  rpc::AccessSettings settings;
  settings.enforced = true;
  settings.login_ms = access.login_ms;
  settings.machine_token_ms = access.machine_token_ms;
  settings.refresh_ms = access.refresh_ms;
  settings.member_reruns = access.member_reruns;
  settings.scientist_reruns = access.scientist_reruns;
  settings.owners = {rpc::look_up_account(geteuid()), rpc::look_up_account(0)};
  service_->use_access(settings, std::move(*accounts));
  return {};
}

LedgerHost::~LedgerHost() {
  keeping_roles_ = nullptr;
  watching_clock_ = nullptr;
  retaining_ = nullptr;
  following_ = nullptr;
  follower_.reset();
  source_.reset();
  signing_ = nullptr;
  configuring_ = nullptr;
  listeners_.clear();
  ledger_.reset();  // ends the writer, which reports to the service
}

kj::Promise<base::Status> LedgerHost::start() {
  if (follower_) {
    base::Status listening = listen();
    if (listening.is_ok()) following_ = follower_->run().eagerlyEvaluate([](kj::Exception&& problem) {
      spdlog::critical("following has ended: {}", problem.getDescription().cStr());
    });
    return listening;
  }
  const ledger::Health health = ledger_->health();
  if (health.state == ledger::Health::State::kReadOnly) {
    spdlog::warn("{}", health.detail);
    return listen();
  }
  for (const ledger::ViewProgress& view : ledger_->rebuilding()) {
    if (view.serves) continue;
    spdlog::info("view {} is folded again by this release: {} events; what needs it is answered when it is done", view.view, view.total);
  }
  if (service_->is_folded()) {
    return configure(instrument_tables(), 0).then([this](base::Status status) { return status.is_ok() ? listen() : status; });
  }
  configuring_ = service_->when_folded().then([this] { return configure(instrument_tables(), 0); }).then([](base::Status status) {
    status.is_ok() ? spdlog::info("the views are folded") : spdlog::critical("the instruments are not on record: {}", status.message());
  }).eagerlyEvaluate([](kj::Exception&& problem) {
    spdlog::critical("the instruments are not on record: {}", problem.getDescription().cStr());
  });
  return listen();
}

base::Status LedgerHost::listen() {
  for (const std::string& address : site_.listen) {
    rpc::ListenOptions options;
    if (site_.access) {
      options.socket_mode = kSocketForAll;
      options.login_ms = kLoginMs;
      options.tls = {site_.access->certificate, site_.access->key, site_.access->client_ca};
    }
    auto listener = rpc::Listener::open(loop_, address, [this](const rpc::PeerIdentity& peer) { return bootstrap(peer); }, options);
    if (!listener.is_ok()) return listener.status();
    listeners_.push_back(std::move(*listener));
    spdlog::info("{}: listening at {}", site_.facility, listeners_.back()->address());
  }
  if (site_.access) {
    keeping_roles_ = service_->when_folded().then([this] { return service_->access().keep_refreshed(); }).eagerlyEvaluate([](kj::Exception&& problem) {
      spdlog::critical("roles are not kept as the directory has them any more: {}", problem.getDescription().cStr());
    });
  }
  signing_ = sign_checkpoints().eagerlyEvaluate(nullptr);
  watching_clock_ = clock_watch_.run(loop_.timer()).eagerlyEvaluate(nullptr);
  if (retention_.has_policy()) {
    retaining_ = service_->when_folded().then([this] { return retention_.run(); }).eagerlyEvaluate([](kj::Exception&& problem) {
      spdlog::error("nothing is forgotten by itself any more: {}", problem.getDescription().cStr());
    });
  }
  return base::Status::ok();
}

capnp::Capability::Client LedgerHost::bootstrap(const rpc::PeerIdentity& peer) {
  if (const auto* far = std::get_if<rpc::TlsPeer>(&peer)) return service_->gateway(peer_on_network(*far));
  const auto& local = std::get<rpc::LocalPeer>(peer);
  if (site_.access) return service_->gateway(peer_on_machine(local));
  return service_->gateway({schema::Actor::Kind::PERSON, local.account_name, fmt::format("peer uid {}", local.uid)});
}

/// The site's tables; after them those the ledger has and the site no longer: these are retired.
LedgerHost::Tables LedgerHost::instrument_tables() const {
  Tables tables;
  for (const site::Instrument& instrument : site_.instruments) {
    capnp::MallocMessageBuilder message;
    write_config(instrument, message.initRoot<schema::InstrumentConfigured>());
    tables.push_back(ledger::canonical_bytes(message.getRoot<schema::InstrumentConfigured>().asReader()));
  }
  for (const auto& row : ledger::list_instruments(*ledger_->snapshot())) {
    auto known = row.get().getConfig();
    auto is_known = [&](const site::Instrument& instrument) { return instrument.name == ledger::view(known.getInstrument()); };
    if (known.getRetired() || std::any_of(site_.instruments.begin(), site_.instruments.end(), is_known)) continue;
    spdlog::info("{}: taken out of the site file; its record stays, nothing new is taken for it", known.getInstrument().cStr());
    capnp::MallocMessageBuilder message;
    message.setRoot(known);
    message.getRoot<schema::InstrumentConfigured>().setRetired(true);
    tables.push_back(ledger::canonical_bytes(message.getRoot<schema::InstrumentConfigured>().asReader()));
  }
  return tables;
}

kj::Promise<base::Status> LedgerHost::configure(Tables tables, size_t index) {
  if (index == tables.size()) return put_stages_on_record(*service_, *ledger_, site_).then([] { return base::Status::ok(); });
  // The same table configures nothing twice; a table that comes back after another is a change again.
  rpc::CommandMessage command(
      fmt::format("ledgerd/configure/{}/{}", base::hex(base::sha256(tables[index])).substr(0, 32), ledger_->head()));
  command.get().getBody().setConfigureInstrument(ledger::Row<schema::InstrumentConfigured>(tables[index]).get());
  return service_->submit(command.reader(), {schema::Actor::Kind::DAEMON, "ledgerd", "site file"})
      .then([this, tables = std::move(tables), index](ledger::Answer answer) mutable -> kj::Promise<base::Status> {
        if (!answer.status.is_ok()) return answer.status;
        return configure(std::move(tables), index + 1);
      });
}

kj::Promise<void> LedgerHost::sign_checkpoint() {
  return service_->sign_checkpoint().then([](rpc::SignedCheckpoint checkpoint) {
    const base::Status& status = checkpoint.note.status();
    if (!status.is_ok() && status.code() != base::Code::kNotFound) spdlog::error("no checkpoint can be signed: {}", status.message());
  });
}

kj::Promise<void> LedgerHost::sign_checkpoints() {
  return sign_checkpoint()
      .then([this] { return loop_.timer().afterDelay(site_.witness.every_ms * kj::MILLISECONDS); })
      .then([this] { return sign_checkpoints(); });
}

kj::Promise<void> LedgerHost::close() {
  kj::Vector<kj::Promise<void>> closing;
  for (auto& listener : listeners_) closing.add(listener->close());
  return kj::joinPromises(closing.releaseAsArray()).then([this] {
    retaining_ = nullptr;
    following_ = nullptr;
    signing_ = nullptr;
    keeping_roles_ = nullptr;
    return service_->access().close();
  }).then([this] { return sign_checkpoint(); });
}

}  // namespace daemons
