#include "tools/access_text.h"

#include <fmt/format.h>

#include "base/time.h"
#include "tools/document.h"
#include "tools/table.h"
#include "tools/words.h"

namespace tools {
namespace {

using Body = schema::Event::Body;

std::string words(capnp::Text::Reader text) { return std::string(text_of(text)); }

std::string because(std::string text, schema::Reason::Reader reason) {
  return reason.getText().size() == 0 ? text : fmt::format("{}: {}", text, words(reason.getText()));
}

std::string second(int64_t time_ns) { return base::iso_time(time_ns - time_ns % 1'000'000'000); }

std::string session_text(schema::SessionOpened::Reader session) {
  if (session.getToken().size() > 0) return fmt::format("came from {} with token {}", words(session.getSource()), words(session.getToken()));
  return fmt::format("logged in from {}", words(session.getSource()));
}

std::string denial_text(schema::AccessDenied::Reader denied) {
  std::string text = words(denied.getAction());
  if (denied.getSubject().size() > 0) text += fmt::format(" ({})", words(denied.getSubject()));
  text = because(text + fmt::format(" was refused, from {}", words(denied.getSource())), denied.getReason());
  if (denied.getCount() < 2) return text;
  text += fmt::format("; {} times", denied.getCount());
  if (denied.getFirstAt() != 0) text += fmt::format(" since {}", second(denied.getFirstAt()));
  return text;
}

std::string grant_text(std::string_view verb, capnp::Text::Reader account, schema::Grant::Reader grant, schema::Reason::Reader reason) {
  return because(fmt::format("{} {} {} by {}", words(account), verb, role_text(grant), giver_text(grant)), reason);
}

std::string issued_text(schema::TokenIssued::Reader issued) {
  std::string text = fmt::format("{} token {} of {} is issued", enum_word(issued.getKind()), words(issued.getToken()), words(issued.getAccount()));
  if (issued.getLabel().size() > 0) text += fmt::format(" for '{}'", words(issued.getLabel()));
  text += fmt::format(", {}, until {}", scope_text(issued.getScope()), second(issued.getExpiresAt()));
  if (issued.getReplaces().size() > 0) text += fmt::format(", in place of {}", words(issued.getReplaces()));
  return text;
}

}  // namespace

std::string role_text(schema::Grant::Reader grant) {
  std::string text = enum_word(grant.getRole());
  if (grant.getInstrument().size() > 0) text += fmt::format(" of {}", words(grant.getInstrument()));
  if (grant.getExperiment().size() > 0) text += fmt::format(" of experiment {}", words(grant.getExperiment()));
  return text;
}

std::string giver_text(schema::Grant::Reader grant) {
  return grant.getGroup().size() == 0 ? "the site file" : fmt::format("group {}", words(grant.getGroup()));
}

std::string scope_text(schema::TokenScope::Reader scope) {
  if (scope.getDaemon().size() > 0) return fmt::format("the work of {} only", words(scope.getDaemon()));
  std::string text = scope.getReadOnly() ? "read-only" : "";
  if (scope.getInstruments().size() > 0) {
    std::string names;
    for (auto name : scope.getInstruments()) names += (names.empty() ? "" : " and ") + words(name);
    text += fmt::format("{}{} only", text.empty() ? "" : ", ", names);
  }
  return text.empty() ? "whatever its owner may" : text;
}

std::string directory_text(schema::AccessStatus::Reader status) {
  if (!status.getConfigured()) return "none; roles are those of the site file";
  const bool was_read = status.getRefreshedAt() != 0;
  const std::string read = was_read ? fmt::format("read {}", human_time(status.getRefreshedAt())) : "not read since this ledgerd started";
  if (status.getProblem().size() == 0) return read;
  return fmt::format("{}: {}; roles are those on record", was_read ? read + ", and not since" : read, words(status.getProblem()));
}

std::optional<std::string> access_text(Body::Reader body) {
  switch (body.which()) {
    case Body::SESSION_OPENED: return session_text(body.getSessionOpened());
    case Body::ACCESS_DENIED: return denial_text(body.getAccessDenied());
    case Body::ROLE_GRANTED: {
      auto granted = body.getRoleGranted();
      return grant_text("became", granted.getAccount(), granted.getGrant(), granted.getReason());
    }
    case Body::ROLE_REVOKED: {
      auto revoked = body.getRoleRevoked();
      return grant_text("is no longer", revoked.getAccount(), revoked.getGrant(), revoked.getReason());
    }
    case Body::TOKEN_ISSUED: return issued_text(body.getTokenIssued());
    case Body::TOKEN_REVOKED: {
      auto revoked = body.getTokenRevoked();
      return because(fmt::format("token {} of {} is revoked", words(revoked.getToken()), words(revoked.getAccount())), revoked.getReason());
    }
    default: return std::nullopt;
  }
}

}  // namespace tools
