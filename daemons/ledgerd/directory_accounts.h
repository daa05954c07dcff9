// The accounts of a site, as the service asks for them: from the directory and the site file.
#pragma once

#include <functional>
#include <memory>

#include "ldap/directory.h"
#include "ldap/roles.h"
#include "rpc/loop.h"
#include "rpc/service/accounts.h"
#include "site/access.h"

namespace daemons {

/// kInvalidArgument: what is wrong with [access.ldap] or the patterns of an [[access.role]].
base::Result<std::shared_ptr<rpc::Accounts>> open_accounts(rpc::Loop& loop, const site::Access& access);

/// The same with a directory at hand; null = none. `by` is how it is called on record: "ldaps://ldap1".
base::Result<std::shared_ptr<rpc::Accounts>> make_accounts(rpc::Loop& loop, const site::Access& access, std::unique_ptr<ldap::Directory> directory, std::string by);

}  // namespace daemons
