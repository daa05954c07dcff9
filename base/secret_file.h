// A file that holds one secret: a token, a password.
#pragma once

#include <string>

#include "base/status.h"

namespace base {

/// The first line of a file of at most 4 KiB. kPermissionDenied: others than its owner may read or write it, or it is another account's.
/// No message holds anything of what is in it.
Result<std::string> read_secret_file(const std::string& path);
/// The same file, open for reading; whoever asks closes it. kNotFound, kPermissionDenied, kInvalidArgument (no regular file, or longer).
Result<int> open_secret_file(const std::string& path);

}  // namespace base
