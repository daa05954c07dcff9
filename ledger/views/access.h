// Access: which roles each account has, and the tokens there are. Rows: schema/row.capnp, GrantRow and TokenRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"
#include "schema/event.capnp.h"

namespace ledger {

/// Keys of ViewId::kAccess:
///   'g' account 00 role(1) instrument 00 experiment 00 group 00 -> GrantRow
///   't' token 00                                                -> TokenRow
///   'o' account 00 token 00                                     -> empty; the tokens of an account
class AccessView final : public View {
 public:
  static std::string grant_key(std::string_view account, schema::Grant::Reader grant);
  static std::string grants_prefix(std::string_view account);
  static std::string token_key(std::string_view token);
  static std::string tokens_prefix(std::string_view account);

  ViewId id() const override { return ViewId::kAccess; }
  const char* name() const override { return "access"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
