-- D1 knows no interactive transactions: a statement that has to touch a row is followed by an insert of changes() where that is 0,
-- which this check refuses, so that the whole batch is undone (src/ports/db/d1.ts). The table stays empty.
create table if not exists hearth_must (touched integer not null, constraint hearth_must check (touched > 0));
