// The client's side of a peer's protocol, reduced to bytes: connections come opened and greeted (peers/wire.py), a request is the
// same bytes every time, and its answer is known by how it begins and ends. So no client library is part of what is measured.
//   peer_client rate SECONDS REQUEST BEGINS ENDS FD...            one request open on each connection
//   peer_client deliver EVENTS PAUSE_US REQUEST BEGINS ENDS PUBLISHER-FD SUBSCRIBER-FD [ASK]
//     Latency: request sent -> first bytes with the subscriber, which then sends ASK, if there is one, to hear of the next.
// REQUEST and ASK are files; BEGINS and ENDS hexadecimal. Prints one line of JSON.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "tests/bench/measured.h"

namespace {

using bench::Clock;
using bench::Measured;

constexpr int kPatienceMs = 30'000;

std::string contents(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) bench::die(fmt::format("{} cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string from_hex(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

struct Exchange {
  std::string request, begins, ends;

  Exchange(char** argv) : request(contents(argv[0])), begins(from_hex(argv[1])), ends(from_hex(argv[2])) {}
};

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) bench::die("the peer takes no more");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

/// Adds what is there to `answer`.
void receive(int connection, std::string& answer) {
  char buffer[64 << 10];
  const ssize_t size = ::recv(connection, buffer, sizeof buffer, MSG_DONTWAIT);
  if (size > 0) {
    answer.append(buffer, static_cast<size_t>(size));
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    bench::die("the peer closed a connection");
  }
}

/// Whether it is whole. Another answer than the one that is expected ends the program.
bool is_whole(const Exchange& exchange, const std::string& answer) {
  if (answer.size() < exchange.begins.size() || answer.size() < exchange.ends.size()) return false;
  if (!answer.starts_with(exchange.begins)) bench::die(fmt::format("the peer answered: {}", answer.substr(0, 500)));
  return answer.ends_with(exchange.ends);
}

/// Waits until something is to be read; returns when.
Clock::time_point wait_for_any(std::vector<pollfd>& polled) {
  if (::poll(polled.data(), polled.size(), kPatienceMs) <= 0) bench::die("the peer does not answer");
  return Clock::now();
}

Measured rate(double seconds, const Exchange& exchange, const std::vector<int>& connections) {
  Measured measured;
  std::vector<pollfd> polled;
  std::vector<Clock::time_point> sent;
  std::vector<std::string> answers(connections.size());
  const auto begin = Clock::now();
  const auto end = bench::after(seconds);
  for (int connection : connections) {
    polled.push_back({connection, POLLIN, 0});
    sent.push_back(Clock::now());
    send_all(connection, exchange.request);
  }
  for (size_t open = connections.size(); open > 0;) {
    wait_for_any(polled);
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      receive(polled[i].fd, answers[i]);
      if (!is_whole(exchange, answers[i])) continue;
      measured.took(sent[i]);
      measured.events += 1;
      answers[i].clear();
      sent[i] = Clock::now();
      if (sent[i] < end) {
        send_all(polled[i].fd, exchange.request);
      } else {
        polled[i].fd = -1;  // poll() leaves it out
        --open;
      }
    }
  }
  measured.seconds = bench::seconds_since(begin);
  return measured;
}

Measured deliver(uint64_t events, int pause_us, const Exchange& exchange, int publisher, int subscriber, const std::string& ask) {
  Measured measured;
  const auto begin = Clock::now();
  for (uint64_t i = 0; i < events; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    const auto sent = Clock::now();
    send_all(publisher, exchange.request);
    std::string answer, delivered;
    std::vector<pollfd> polled{{publisher, POLLIN, 0}, {subscriber, POLLIN, 0}};
    while (delivered.empty() || !is_whole(exchange, answer)) {
      wait_for_any(polled);
      if (polled[1].revents != 0 && delivered.empty()) {
        measured.took(sent);
        receive(subscriber, delivered);
        send_all(subscriber, ask);
      } else if (polled[1].revents != 0) {
        receive(subscriber, delivered);
      }
      if (polled[0].revents != 0) receive(publisher, answer);
    }
  }
  measured.seconds = bench::seconds_since(begin);
  measured.events = events;
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "rate" && argc > 6) {
    std::vector<int> connections;
    for (int i = 6; i < argc; ++i) connections.push_back(std::atoi(argv[i]));
    rate(std::atof(argv[2]), Exchange(argv + 3), connections).print();
  } else if (what == "deliver" && argc > 8) {
    const std::string ask = argc > 9 ? contents(argv[9]) : "";
    deliver(std::strtoull(argv[2], nullptr, 10), std::atoi(argv[3]), Exchange(argv + 4), std::atoi(argv[7]), std::atoi(argv[8]),
            ask)
        .print();
  } else {
    bench::die(
        "usage: peer_client rate SECONDS REQUEST BEGINS ENDS FD... | deliver EVENTS PAUSE_US REQUEST BEGINS ENDS PUBLISHER-FD "
        "SUBSCRIBER-FD [ASK]");
  }
}
