// export, import, restore and doctor: commands on the files of a ledger, which another program carries out because it links the database.
#pragma once

#include "tools/commands/commands.h"

namespace tools {

void add_export(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_restore(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);

}  // namespace tools
