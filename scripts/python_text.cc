#include "scripts/python_text.h"

#include <algorithm>
#include <set>

namespace scripts {
namespace {

struct Token {
  enum class Kind { kName, kText, kSign, kNewLine, kEnd };
  Kind kind = Kind::kEnd;
  std::string_view text;  // of kText what stands between the quotes
  bool is_name(std::string_view word) const { return kind == Kind::kName && text == word; }
  bool is_sign(char sign) const { return kind == Kind::kSign && text.front() == sign; }
  bool ends_statement() const { return kind == Kind::kNewLine || kind == Kind::kEnd || is_sign(';'); }
};

bool is_name_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' || (byte & 0x80) != 0;
}

/// "r", "Rb", ...: what may stand right before a quote.
bool is_prefix(std::string_view word) {
  return word.size() <= 2 && word.find_first_not_of("rRbBuUfFtT") == std::string_view::npos;
}

/// The text in pieces; a line that goes on behind a backslash is one line, comments are none.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }

  Token next() {
    for (; at_ < text_.size(); ++at_) {
      const char byte = text_[at_];
      if (byte == '\n' || byte == '\r') return piece(Token::Kind::kNewLine, byte == '\r' && follows("\n") ? 2 : 1);
      if (byte == '#') {
        at_ = std::min(text_.find_first_of("\r\n", at_), text_.size()) - 1;
      } else if (byte == '\\' && follows("\r\n")) {
        at_ += 2;
      } else if (byte == '\\' && (follows("\n") || follows("\r"))) {
        at_ += 1;
      } else if (byte == '"' || byte == '\'') {
        return quoted();
      } else if (is_name_byte(byte)) {
        size_t end = at_ + 1;
        while (end < text_.size() && is_name_byte(text_[end])) ++end;
        const bool before_quote = end < text_.size() && (text_[end] == '"' || text_[end] == '\'');
        if (!before_quote || !is_prefix(text_.substr(at_, end - at_))) return piece(Token::Kind::kName, end - at_);
        at_ = end - 1;
      } else if (byte != ' ' && byte != '\t' && byte != '\f') {
        return piece(Token::Kind::kSign, 1);
      }
    }
    return {};
  }

 private:
  bool follows(std::string_view what) const { return text_.substr(at_ + 1).starts_with(what); }
  Token piece(Token::Kind kind, size_t size) {
    Token token{kind, text_.substr(at_, size)};
    at_ += size;
    return token;
  }

  Token quoted() {
    const char quote = text_[at_];
    const std::string three(3, quote);
    bool& endless = quote == '"' ? endless_double_ : endless_single_;
    if (!endless && text_.substr(at_).starts_with(three)) {
      for (size_t end = at_ + 3; end < text_.size(); ++end) {
        if (text_[end] == '\\') {
          ++end;
        } else if (text_[end] == quote && text_.substr(end).starts_with(three)) {
          Token token{Token::Kind::kText, text_.substr(at_ + 3, end - at_ - 3)};
          at_ = end + 3;
          return token;
        }
      }
      endless = true;  // no Python: the lines below it are read as lines all the same
    }
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n' && text_[end] != '\r') end += text_[end] == '\\' ? 2 : 1;
    end = std::min(end, text_.size());
    Token token{Token::Kind::kText, text_.substr(at_ + 1, end - at_ - 1)};
    at_ = end < text_.size() && text_[end] == quote ? end + 1 : end;
    return token;
  }

  const std::string_view text_;
  size_t at_ = 0;
  bool endless_double_ = false, endless_single_ = false;
};

bool could_be_a_files_name(std::string_view text) {
  if (text.empty() || text.size() > 255 || text == "." || text == ".." || text.ends_with(".pyc")) return false;
  return std::none_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '/' || byte == '\\' || byte == '\x7f'; });
}

class Reader {
 public:
  explicit Reader(std::string_view text) : tokens_(text) {}

  PythonText read() {
    step();
    bool begins = true;  // a statement
    while (token_.kind != Token::Kind::kEnd) {
      if (begins && token_.is_name("import")) {
        step();
        read_modules();
      } else if (begins && token_.is_name("from")) {
        step();
        read_from();
      } else if (begins && token_.is_name("CONDA_ENV")) {
        step();
        read_conda_env();
      } else {
        begins = token_.kind == Token::Kind::kNewLine || token_.is_sign(';') || token_.is_sign(':');
        step();
        continue;
      }
      begins = is_import_word();  // where a list in brackets was never closed
    }
    return std::move(result_);
  }

 private:
  bool is_import_word() const { return token_.is_name("import") || token_.is_name("from"); }
  void step() {
    token_ = tokens_.next();
    if (token_.kind == Token::Kind::kText && could_be_a_files_name(token_.text)) keep(std::string(token_.text), quoted_, result_.quoted);
  }
  void keep(std::string text, std::set<std::string>& known, std::vector<std::string>& list) {
    if (known.size() == kMostNames && !known.contains(text)) {
      result_.cut = true;
    } else if (known.insert(text).second) {
      list.push_back(std::move(text));
    }
  }
  void keep(ImportLine line) {
    if (result_.imports.size() == kMostNames) {
      result_.cut = true;
    } else {
      result_.imports.push_back(std::move(line));
    }
  }

  /// a.b.c; empty where there is no name.
  std::string read_dotted() {
    std::string name;
    while (token_.kind == Token::Kind::kName && !token_.is_name("import")) {
      name += token_.text;
      step();
      if (!token_.is_sign('.')) break;
      name += '.';
      step();
    }
    return name;
  }
  void pass_as() {
    if (!token_.is_name("as")) return;
    step();
    if (token_.kind == Token::Kind::kName) step();
  }

  /// a, b.c as d
  void read_modules() {
    for (;;) {
      ImportLine line{0, read_dotted(), {}};
      if (line.module.empty()) return;
      keep(std::move(line));
      pass_as();
      if (!token_.is_sign(',')) return;
      step();
    }
  }

  /// ..a import (b, c as d)
  void read_from() {
    ImportLine line;
    for (; token_.is_sign('.'); step()) ++line.level;
    line.module = read_dotted();
    if (!token_.is_name("import") || (line.level == 0 && line.module.empty())) return;
    step();
    const bool in_brackets = token_.is_sign('(');
    if (in_brackets) step();
    for (;;) {
      while (in_brackets && token_.kind == Token::Kind::kNewLine) step();
      if (token_.kind != Token::Kind::kName || is_import_word()) break;
      if (line.names.size() < kMostNames) {
        line.names.emplace_back(token_.text);
      } else {
        result_.cut = true;
      }
      step();
      pass_as();
      while (in_brackets && token_.kind == Token::Kind::kNewLine) step();
      if (!token_.is_sign(',')) break;
      step();
    }
    keep(std::move(line));
  }

  /// = "name"
  void read_conda_env() {
    if (!token_.is_sign('=')) return;
    step();
    if (token_.kind == Token::Kind::kText) keep(std::string(token_.text), conda_envs_, result_.conda_envs);
  }

  Tokens tokens_;
  Token token_;
  PythonText result_;
  std::set<std::string> quoted_, conda_envs_;
};

}  // namespace

PythonText read_python(std::string_view text) { return Reader(text).read(); }

}  // namespace scripts
