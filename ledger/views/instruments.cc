#include "ledger/views/instruments.h"

#include "ledger/views/edit.h"

namespace ledger {
namespace {

/// Calls `change` on the row of `instrument`, if there is one.
template <typename Change>
void for_instrument(Rows& rows, std::string_view instrument, Change&& change) {
  RowEdit<schema::InstrumentRow> row(rows, ViewId::kInstruments, InstrumentsView::row_key(instrument));
  if (!row.found()) return;
  change(*row);
  row.save();
}

void fold_script(schema::Event::Reader event, schema::ScriptRegistered::Reader registered, Rows& rows) {
  std::string_view instrument = view(registered.getInstrument());
  for_instrument(rows, instrument, [&](schema::InstrumentRow::Builder row) {
    row.setScript(registered);
    row.setScriptSeq(event.getSeq());
  });
  SmallMessage message;
  auto script = message.initRoot<schema::ScriptRow>();
  script.setSeq(event.getSeq());
  script.setRegisteredAt(event.getTime());
  script.setScript(registered);
  rows.put(ViewId::kInstruments, InstrumentsView::script_key(instrument, event.getSeq()), built_bytes(message));
}

}  // namespace

std::string InstrumentsView::row_key(std::string_view instrument) { return kind_key('i', text_key(instrument)); }

void InstrumentsView::fold(schema::Event::Reader event, Rows& rows) const {
  using Instrument = schema::InstrumentRow::Builder;
  auto body = event.getBody();
  switch (body.which()) {
    case schema::Event::Body::INSTRUMENT_CONFIGURED: {
      auto configured = body.getInstrumentConfigured();
      RowEdit<schema::InstrumentRow> row(rows, id(), row_key(view(configured.getInstrument())));
      row->setConfig(configured);
      row->setConfiguredSeq(event.getSeq());
      return row.save();
    }
    case schema::Event::Body::INSTRUMENT_PAUSED: {
      auto paused = body.getInstrumentPaused();
      return for_instrument(rows, view(paused.getInstrument()), [&](Instrument row) {
        row.setPaused(true);
        set_decision(row.initPauseReason(), paused.getReason(), event.getSeq());
        row.setPausedBy(event.getActor().getName());
        row.setPausedAt(event.getTime());
      });
    }
    case schema::Event::Body::INSTRUMENT_RESUMED:
      return for_instrument(rows, view(body.getInstrumentResumed().getInstrument()), [&](Instrument row) {
        row.setPaused(false);
        row.initPauseReason();
        row.setPausedBy("");
        row.setPausedAt(0);
      });
    case schema::Event::Body::SCRIPT_REGISTERED: return fold_script(event, body.getScriptRegistered(), rows);
    default: return;
  }
}

}  // namespace ledger
