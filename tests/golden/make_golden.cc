// make_golden FOLDER: writes down what this release's schema is and how it encodes. Run once for each released schema version; what
// is written then never changes again.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "ledger/event_kinds.h"
#include "tests/golden/golden.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "make_golden FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = std::filesystem::path(argv[1]) / fmt::format("schema-{}", ledger::kSchemaVersion);
  if (std::filesystem::exists(folder)) {
    fmt::print(stderr, "{} is there already; a frozen version is not written again\n", folder.string());
    return 2;
  }
  std::filesystem::create_directories(folder);
  const auto events = golden::every_event(), documents = golden::every_document();
  std::ofstream(folder / "events.bin", std::ios::binary) << golden::packed(events);
  std::ofstream(folder / "documents.bin", std::ios::binary) << golden::packed(documents);
  std::ofstream texts(folder / "texts.txt");
  for (const auto& event : events) texts << golden::event_text(event) << '\n';
  for (size_t i = 0; i < documents.size(); ++i) texts << golden::document_text(i, documents[i]) << '\n';
  std::ofstream lines(folder / "schema.txt");
  for (const auto& line : golden::schema_lines()) lines << line << '\n';
}
