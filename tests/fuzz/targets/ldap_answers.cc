// Any bytes are what the facility's directory answers: the question is answered with names as people and groups may have, or refused.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ldap/entry.h"
#include "ldap_question.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

/// A server that says what it has to say and nothing more, whatever it is asked.
class Server {
 public:
  explicit Server(std::string_view answers) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    ours_ = ldap::Socket(ends[0]);
    theirs_ = ldap::Socket(ends[1]);
    (void)!send(ours_.get(), answers.data(), answers.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(ours_.get(), SHUT_WR);
  }
  ldap::Socket connection() { return std::move(theirs_); }

 private:
  ldap::Socket ours_, theirs_;
};

void check(bool holds) {
  if (!holds) std::abort();
}

/// Sorted, each once, and each one a name.
void check_names(const std::vector<std::string>& names) {
  check(std::all_of(names.begin(), names.end(), [](const std::string& name) { return ldap::is_name(name); }));
  check(std::adjacent_find(names.begin(), names.end(), std::greater_equal<>()) == names.end());
}

// ---- BER, as far as LDAP has it (RFC 4511, 5.1)

struct Element {
  uint8_t tag = 0;
  std::string bytes;           // of one that holds no others
  std::vector<Element> parts;  // of one that does
  bool is_whole = true;        // false: bytes that are no element

  bool holds_parts() const { return is_whole && (tag & 0x20) != 0 && bytes.empty(); }
};
using Elements = std::vector<Element>;

constexpr int kMaxDepth = 12;

/// The head of an element: its size with that of what it holds; 0 = it is none.
size_t read_head(std::string_view bytes, size_t& held) {
  if (bytes.size() < 2 || (bytes[0] & 0x1F) == 0x1F) return 0;
  const auto first = static_cast<uint8_t>(bytes[1]);
  const size_t more = first < 0x80 ? 0 : first & 0x7F;
  if (more > 4 || bytes.size() < 2 + more) return 0;
  held = more == 0 ? first : 0;
  for (size_t i = 0; i < more; ++i) held = held << 8 | static_cast<uint8_t>(bytes[2 + i]);
  return held > bytes.size() - 2 - more ? 0 : 2 + more;
}

Elements parse(std::string_view bytes, int depth = 0) {
  Elements all;
  while (!bytes.empty()) {
    Element element;
    size_t held = 0;
    const size_t head = read_head(bytes, held);
    if (head == 0) {
      element.is_whole = false;
      element.bytes = bytes;
      all.push_back(std::move(element));
      break;
    }
    element.tag = static_cast<uint8_t>(bytes[0]);
    const std::string_view inside = bytes.substr(head, held);
    if ((element.tag & 0x20) != 0 && depth < kMaxDepth) {
      element.parts = parse(inside, depth + 1);
    } else {
      element.bytes = inside;
    }
    bytes.remove_prefix(head + held);
    all.push_back(std::move(element));
  }
  return all;
}

std::string written(const Elements& all) {
  std::string bytes;
  for (const Element& element : all) {
    const std::string inside = element.holds_parts() ? written(element.parts) : element.bytes;
    if (element.is_whole) {
      bytes += static_cast<char>(element.tag);
      if (inside.size() < 0x80) {
        bytes += static_cast<char>(inside.size());
      } else {
        bytes += '\x84';
        for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(inside.size() >> shift);
      }
    }
    bytes += inside;
  }
  return bytes;
}

/// Every list of elements that has any, from the outside in.
void collect(Elements& all, std::vector<Elements*>& lists) {
  if (!all.empty()) lists.push_back(&all);
  for (Element& element : all) collect(element.parts, lists);
}

/// One element becomes another, goes, comes twice, or changes its place or kind.
void change(Elements& answers, std::minstd_rand& random) {
  std::vector<Elements*> lists;
  collect(answers, lists);
  Elements& list = *lists[random() % lists.size()];
  const size_t at = random() % list.size();
  Element& element = list[at];
  switch (random() % 8) {
    case 0: list.erase(list.begin() + static_cast<ptrdiff_t>(at)); return;
    case 1: list.insert(list.begin() + static_cast<ptrdiff_t>(at), Element(element)); return;
    case 2: std::swap(element, list[random() % list.size()]); return;
    case 3: element.tag = static_cast<uint8_t>(random()); return;
    case 4: {
      const Elements& other = *lists[random() % lists.size()];
      Element copy = other[random() % other.size()];
      list.insert(list.begin() + static_cast<ptrdiff_t>(at), std::move(copy));
      return;
    }
    default:
      if (element.holds_parts() && !element.parts.empty()) return change(element.parts, random);
      const size_t before = element.bytes.size();
      element.bytes.resize(before + 300);  // more than a name may have
      element.bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(element.bytes.data()), before, element.bytes.size()));
  }
}

}  // namespace

// libldap 2.5 never frees the request (4 KiB) whose answer is no LDAP: it counts a user of it and returns early. Only a whole stack tells that from
// a leak of ours.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=16:fast_unwind_on_malloc=0:malloc_context_size=12"; }
extern "C" const char* __lsan_default_suppressions() { return "leak:ldap_send_server_request"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view answers(reinterpret_cast<const char*>(data) + 1, size - 1);
  Server one(answers), two(answers);
  const auto answer = fuzz::ask(fuzz::LdapQuestion::of(data[0]), "alice", one.connection(), two.connection());
  if (!answer.is_ok()) {
    check(!answer.status().message().empty());
    return 0;
  }
  if (answer->account) {
    check(ldap::is_name(answer->account->name));
    check_names(answer->account->groups);
  }
  std::vector<std::string> names;
  for (const ldap::Group& group : answer->groups) {
    names.push_back(group.name);
    check_names(group.members);
  }
  check_names(names);
  return 0;
}

/// Mostly messages stay messages, and what is in them changes.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  if (size < 2 || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
  if (random() % 16 == 0) data[0] = static_cast<uint8_t>(random());
  Elements answers = parse({reinterpret_cast<const char*>(data) + 1, size - 1});
  change(answers, random);
  const std::string changed = written(answers);
  const size_t kept = std::min(changed.size(), max_size - 1);
  std::memcpy(data + 1, changed.data(), kept);
  return kept + 1;
}
