// Files of the watched folders: what was last decided about each. Rows: schema/row.capnp, FileRow.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fold.h"
#include "ledger/keys.h"

namespace ledger {

/// Keys of ViewId::kFiles:
///   instrument 00 path 00   -> FileRow
class FilesView final : public View {
 public:
  static std::string row_key(std::string_view instrument, std::string_view path) {
    std::string key;
    append_text(key, instrument);
    append_text(key, path);
    return key;
  }

  ViewId id() const override { return ViewId::kFiles; }
  const char* name() const override { return "files"; }
  uint32_t version() const override { return 1; }
  void fold(schema::Event::Reader event, Rows& rows) const override;
};

}  // namespace ledger
