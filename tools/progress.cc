#include "tools/progress.h"

#include <fmt/format.h>

#include "tools/context.h"
#include "tools/document.h"
#include "tools/words.h"

namespace tools {
namespace {

class ShownProgress final : public schema::Progress::Server {
 public:
  explicit ShownProgress(Context& context) : line_(context) {}
  kj::Promise<void> report(ReportContext context) override {
    auto params = context.getParams();
    const uint64_t done = params.getDone(), total = params.getTotal();
    std::string text = printable_lines(text_of(params.getWhat()));
    if (total > 0) text += fmt::format(" {} %", done * 100 / total);
    if (total == 0 && done > 0) text += fmt::format(" {}", done);
    line_.show(text);
    return kj::READY_NOW;
  }

 private:
  ProgressLine line_;
};

}  // namespace

ProgressLine::ProgressLine(Context& context) : err_(context.terminal.is_tty && !context.options.json ? &context.err : nullptr) {}

void ProgressLine::show(std::string_view text) {
  if (err_ == nullptr) return;
  *err_ << "\r\x1b[K" << text << std::flush;
  is_there_ = true;
}

void ProgressLine::wipe() {
  if (is_there_) *err_ << "\r\x1b[K" << std::flush;
  is_there_ = false;
}

schema::Progress::Client shown_progress(Context& context) { return kj::heap<ShownProgress>(context); }

}  // namespace tools
