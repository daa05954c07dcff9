#include "tools/progress.h"

#include <fmt/format.h>

#include "tools/context.h"
#include "tools/document.h"
#include "tools/words.h"

namespace tools {
namespace {

/// Says how far it is in one line of the terminal that messages go to.
class ShownProgress final : public schema::Progress::Server {
 public:
  explicit ShownProgress(std::ostream& err) : err_(err) {}
  ~ShownProgress() noexcept(false) {
    if (shown_) err_ << "\r\x1b[K" << std::flush;
  }
  kj::Promise<void> report(ReportContext context) override {
    auto params = context.getParams();
    const uint64_t done = params.getDone(), total = params.getTotal();
    shown_ = true;
    err_ << "\r\x1b[K" << printable_lines(text_of(params.getWhat()));
    if (total > 0) err_ << fmt::format(" {} %", done * 100 / total);
    if (total == 0 && done > 0) err_ << ' ' << done;
    err_ << std::flush;
    return kj::READY_NOW;
  }

 private:
  std::ostream& err_;
  bool shown_ = false;
};

class SilentProgress final : public schema::Progress::Server {
  kj::Promise<void> report(ReportContext) override { return kj::READY_NOW; }
};

}  // namespace

schema::Progress::Client shown_progress(Context& context) {
  if (context.terminal.is_tty && !context.options.json) return kj::heap<ShownProgress>(context.err);
  return kj::heap<SilentProgress>();
}

}  // namespace tools
