#include "ledger/views/support_files.h"

#include "ledger/views/edit.h"

namespace ledger {

std::string SupportFilesView::prefix(std::string_view instrument) { return kind_key('f', text_key(instrument)); }
std::string SupportFilesView::row_key(std::string_view instrument, std::string_view path) {
  return prefix(instrument).append(text_key(path));
}

void SupportFilesView::fold(schema::Event::Reader event, Rows& rows) const {
  if (!event.getBody().isSupportFileSeen()) return;
  const auto seen = event.getBody().getSupportFileSeen();
  SmallMessage message;
  auto row = message.initRoot<schema::SupportFileRow>();
  row.setFile(seen);
  row.setSeq(event.getSeq());
  row.setSeenAt(event.getTime());
  rows.put(id(), row_key(view(seen.getInstrument()), view(seen.getPath())), built_bytes(message));
}

}  // namespace ledger
