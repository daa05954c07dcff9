#include "rpc/service/run_requests.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/counted.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ledger/decide/limits.h"
#include "ledger/view_rows.h"
#include "rpc/service/access_desk.h"
#include "rpc/service/answers.h"
#include "rpc/service/authority.h"
#include "rpc/service/seen_rows.h"

namespace rpc {

base::Status unknown_run(schema::RunKey::Reader key) {
  return {base::Code::kNotFound, fmt::format("{} {}: there is no such run; `runledger runs {}` lists those there are",
                                             view(key.getInstrument()), key.getRunNumber(), view(key.getInstrument()))};
}

kj::Promise<MayRerun> may_rerun(const Viewpoint& from, const std::shared_ptr<Authority>& authority, schema::ReductionRequested::Reader request) {
  std::shared_ptr<const ledger::Snapshot> snapshot = from.snapshot();
  const auto key = request.getRun();
  const auto run = ledger::find_run(*snapshot, view(key.getInstrument()), key.getRunNumber());
  require_read(*snapshot);
  if (!run) {
    if (authority->event_sight()->is_everything()) return MayRerun{authority->may(Action::kRerun, {std::string(view(key.getInstrument()))})};
    return MayRerun{unknown_run(key)};
  }
  const Resource resource = resource_of(run->get());
  if (!authority->sight()->sees(resource.instrument, resource.experiment)) {
    authority->hide(Action::kRerun, resource);
    return MayRerun{unknown_run(key)};
  }
  auto identity = authority->may(Action::kRerun, resource);
  if (!identity.is_ok() || authority->is_allowed(Action::kSetVariables, resource)) return MayRerun{std::move(identity)};
  // A member: so many at a time.
  size_t before = 0;
  auto use = from.service().rerun_limit().begin(resource.experiment, authority->caller().name, before);
  auto count = [snapshot, experiment = resource.experiment, account = authority->caller().name] { return open_requests(*snapshot, experiment, account); };
  return from.service().loop().on_pool(std::move(count)).then(
      [before, most = from.service().access().settings().member_reruns, experiment = resource.experiment, identity = std::move(identity), use](size_t open) -> MayRerun {
        if (open + before < most) return {identity, use};
        return {base::Status(base::Code::kUnavailable, fmt::format("{} of your reductions of experiment {} wait or run, the most for a member; ask again when some are done",
                                                                   most, base::printable(experiment)))};
      });
}

base::Result<ledger::Identity> may_ask(const Viewpoint& from, Authority& authority, Action action, schema::RunKey::Reader key) {
  if (base::Status status = from.may("ask for this"); !status.is_ok()) return status;
  const auto snapshot = from.snapshot();
  const auto run = ledger::find_run(*snapshot, view(key.getInstrument()), key.getRunNumber());
  require_read(*snapshot);
  if (!run) return unknown_run(key);
  const Resource resource = resource_of(run->get());
  if (authority.sight()->sees(resource.instrument, resource.experiment)) return authority.may(action, resource);
  authority.hide(action, resource);
  return unknown_run(key);
}

base::Result<ledger::Identity> may_combine(const Viewpoint& from, Authority& authority, schema::CombinationRequested::Reader request) {
  const auto numbers = request.getRuns();
  if (numbers.size() == 0 || numbers.size() > ledger::kMaxRunsPerStage) {
    return base::Status(base::Code::kInvalidArgument, fmt::format("{} are named; combine 2 to {}", base::counted(numbers.size(), "run"), ledger::kMaxRunsPerStage));
  }
  base::Result<ledger::Identity> identity = base::Status(base::Code::kInternal, "no run was asked about");
  for (const uint64_t number : numbers) {
    capnp::MallocMessageBuilder message;
    auto key = message.initRoot<schema::RunKey>();
    key.setInstrument(request.getInstrument());
    key.setRunNumber(number);
    identity = may_ask(from, authority, Action::kCombine, key);
    if (!identity.is_ok()) return identity;
  }
  return identity;
}

base::Status check_texts(const Authority& authority, schema::TrialRequested::Reader request, capnp::List<capnp::Data>::Reader texts) {
  std::map<std::string, std::string> named = {{std::string(view(request.getScriptSha256())), std::string(view(request.getScriptPath()))}};
  for (auto sibling : request.getSiblings()) named.emplace(view(sibling.getSha256()), view(sibling.getName()));
  std::set<std::string> sent;
  for (auto text : texts) {
    const std::string sha256(base::as_bytes(base::sha256(view(text))));
    if (!named.contains(sha256)) return {base::Code::kInvalidArgument, "a text is sent that the trial does not name; send those it names and no others"};
    sent.insert(sha256);
  }
  for (const auto& [sha256, name] : named) {
    if (sent.contains(sha256) || authority.may_read_blob(sha256)) continue;
    return {base::Code::kInvalidArgument, fmt::format("{}: its text is not sent; send every text the trial names", base::printable(name))};
  }
  return {};
}

}  // namespace rpc
