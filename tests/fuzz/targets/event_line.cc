// Any bytes are an event that a file or a server gave: it is put in words, or refused.
#include <kj/exception.h>

#include <cstdlib>
#include <string_view>

#include "tools/document.h"
#include "tools/event_text.h"
#include "tools/table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto event = tools::Document<schema::Event>::open({reinterpret_cast<const char*>(data), size});
  if (!event.is_ok()) return 0;
  try {
    tools::JobNames jobs;
    jobs.learn(event->get());
    const tools::EventLine line = tools::event_line(event->get(), jobs);
    const std::string shown = tools::labelled({{"event", line.text},
                                               {"by", line.actor},
                                               {"of", tools::subject_text(line.subject)},
                                               {"kind", tools::kind_words(line.kind)},
                                               {"time", tools::exact_time(line.time_ns)}});
    for (const char c : shown) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();  // it could steer a terminal
    }
  } catch (const kj::Exception&) {
    // Damaged inside: Document says that reading may throw.
  }
  return 0;
}
