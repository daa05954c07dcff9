// One function a command: adds its subcommand, options and help to the program.
#pragma once

#include <CLI/CLI.hpp>

#include "tools/context.h"

namespace tools {

void add_status(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);
void add_runs(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_trace(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_explain(CLI::App& app, Context& context);
void add_log(CLI::App& app, Context& context);
void add_watch(CLI::App& app, Context& context);
void add_rerun(CLI::App& app, Context& context);
void add_campaign(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_try(CLI::App& app, Context& context);
void add_stage(CLI::App& app, Context& context);
void add_combine(CLI::App& app, Context& context);
void add_stale(CLI::App& app, Context& context);
void add_vars(CLI::App& app, Context& context);
void add_script(CLI::App& app, Context& context);
void add_pause(CLI::App& app, Context& context);
void add_resume(CLI::App& app, Context& context);
void add_queue(CLI::App& app, Context& context);
void add_cancel(CLI::App& app, Context& context);
void add_admin(CLI::App& app, Context& context);
/// Below admin.
void add_backup(CLI::App& admin, Context& context);
void add_prove(CLI::App& app, Context& context);
void add_login(CLI::App& app, Context& context);
void add_logout(CLI::App& app, Context& context);
void add_whoami(CLI::App& app, Context& context);
void add_token(CLI::App& app, Context& context);
void add_audit(CLI::App& app, Context& context);

/// `verify` of a ledger that answers; `from` 0 = everything.
base::Result<int> verify_running(Context& context, uint64_t from);

}  // namespace tools
