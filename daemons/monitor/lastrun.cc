#include "daemons/monitor/lastrun.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace daemons {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view kBlank = " \t\r\n";
  size_t begin = text.find_first_not_of(kBlank);
  while (begin != std::string_view::npos) {
    size_t end = std::min(text.find_first_of(kBlank, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlank, end);
  }
  return words;
}

template <typename Number>
bool read_number(std::string_view word, Number& number) {
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

std::optional<LastRun> read_file(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  std::array<char, 1024> text;
  ssize_t size = read(file, text.data(), text.size());
  close(file);
  if (size <= 0) return std::nullopt;
  return parse_last_run({text.data(), static_cast<size_t>(size)});
}

}  // namespace

std::optional<LastRun> parse_last_run(std::string_view text) {
  auto words = words_of(text);
  LastRun run;
  int flag = 0;
  if (words.size() != 3 || !read_number(words[1], run.run_number) || !read_number(words[2], flag)) return std::nullopt;
  run.prefix = words[0];
  run.ended = flag == 0;
  return run;
}

std::optional<LastRun> read_last_run(const std::vector<std::string>& raw_folders) {
  std::optional<LastRun> furthest;
  for (const std::string& folder : raw_folders) {
    auto run = read_file(folder + "/../logs/lastrun.txt");
    if (!run) run = read_file(folder + "/lastrun.txt");
    if (run && (!furthest || run->last_ended() > furthest->last_ended())) furthest = run;
  }
  return furthest;
}

}  // namespace daemons
