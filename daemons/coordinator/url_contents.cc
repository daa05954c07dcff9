#include "daemons/coordinator/url_contents.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace daemons {
namespace {

using base::Code;
using base::Status;
using std::chrono::steady_clock;

constexpr int kMostRedirects = 5;

struct Fetch {
  std::string bytes;
  bool too_large = false;
};

size_t take(char* bytes, size_t size, size_t count, void* into) {
  Fetch& fetch = *static_cast<Fetch*>(into);
  if (fetch.bytes.size() + size * count > UrlContents::kLargestBytes) {
    fetch.too_large = true;
    return 0;
  }
  fetch.bytes.append(bytes, size * count);
  return size * count;
}

Status trouble(const std::string& url, Code code, std::string_view what) {
  return {code, fmt::format("{}: {}", base::printable(base::to_utf8(url, 1000)), what)};
}

/// One request; `url` becomes where it is redirected to, else it is empty and `bytes` is the answer.
Status ask(CURL* curl, std::string& url, long time_left_ms, std::string& bytes) {
  Fetch fetch;
  char problem[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, std::max(time_left_ms, 1L));
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(UrlContents::kLargestBytes));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fetch);
  const CURLcode result = curl_easy_perform(curl);
  if (fetch.too_large || result == CURLE_FILESIZE_EXCEEDED) {
    return trouble(url, Code::kInvalidArgument, fmt::format("over {} MiB, the most that is taken of a url", UrlContents::kLargestBytes >> 20));
  }
  if (result == CURLE_OPERATION_TIMEDOUT) return trouble(url, Code::kUnavailable, fmt::format("no whole answer within {} s", UrlContents::kLongestMs / 1000));
  if (result != CURLE_OK) return trouble(url, Code::kUnavailable, problem[0] ? problem : curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  char* next = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
  if (status >= 300 && status < 400 && next) {
    url = next;
    return {};
  }
  if (status != 200) return trouble(url, Code::kUnavailable, fmt::format("its server answered with status {}", status));
  url.clear();
  bytes = std::move(fetch.bytes);
  return {};
}

base::Result<UrlContents::Bytes> fetch(const std::string& url, const std::vector<std::string>& allowed) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(ready == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (!curl) return trouble(url, Code::kUnavailable, "nothing can be fetched: the library for it cannot be set up");
  const auto until = steady_clock::now() + std::chrono::milliseconds(UrlContents::kLongestMs);
  std::string at = url, bytes;
  for (int redirects = 0; !at.empty(); ++redirects) {
    if (redirects > kMostRedirects) return trouble(url, Code::kUnavailable, "it is redirected again and again");
    if (!is_allowed_url(at, allowed)) {
      return trouble(url, Code::kPermissionDenied, redirects == 0 ? "it begins with none of the instrument's support_urls"
                                                                  : fmt::format("it is redirected to {}, which begins with none of the instrument's support_urls",
                                                                                base::printable(base::to_utf8(at, 1000))));
    }
    const long left_ms = static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count());
    if (Status status = ask(curl.get(), at, left_ms, bytes); !status.is_ok()) return status;
  }
  return std::make_shared<const std::string>(std::move(bytes));
}

}  // namespace

bool is_allowed_url(const std::string& url, const std::vector<std::string>& allowed) {
  const auto begins = [&](const std::string& prefix) { return !prefix.empty() && url.starts_with(prefix); };
  if (std::none_of(allowed.begin(), allowed.end(), begins)) return false;
  if (std::any_of(url.begin(), url.end(), [](char byte) { return static_cast<unsigned char>(byte) <= ' ' || byte == '\\' || byte == '\x7f'; })) return false;
  // "..", also as %2e, would lead to the folder above.
  const std::string path = base::ascii_lower(url.substr(0, url.find_first_of("?#")));
  for (size_t begin = path.find('/'); begin != std::string::npos; begin = path.find('/', begin)) {
    const size_t end = std::min(path.find('/', ++begin), path.size());
    std::string part = path.substr(begin, end - begin);
    for (size_t dot = part.find("%2e"); dot != std::string::npos; dot = part.find("%2e")) part.replace(dot, 3, ".");
    if (part == "." || part == "..") return false;
  }
  return true;
}

base::Result<UrlContents::Bytes> UrlContents::get(const std::string& url, const std::vector<std::string>& allowed) {
  const std::string key = fmt::format("{}\n{}", url, fmt::join(allowed, "\n"));  // what is allowed decides how far it is followed
  {
    std::lock_guard lock(mutex_);
    if (auto found = known_.find(key); found != known_.end() && clock_.now_ns() < found->second.until_ns) return found->second.answer;
  }
  auto answer = fetch(url, allowed);
  std::lock_guard lock(mutex_);
  const int64_t now_ns = clock_.now_ns();
  std::erase_if(known_, [now_ns](const auto& known) { return known.second.until_ns <= now_ns; });
  if (known_.size() >= kMostRemembered) known_.erase(known_.begin());
  known_.insert_or_assign(key, Known{answer, now_ns + (answer.is_ok() ? kRememberedNs : kFailureRememberedNs)});
  return answer;
}

}  // namespace daemons
