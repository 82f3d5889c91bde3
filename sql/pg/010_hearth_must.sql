-- A statement of an atomic list that has to touch a row: called with the number of rows that it touched, and its place in the list.
-- SQLSTATE HM001 undoes the whole list (src/ports/db/fold.ts).
create or replace function hearth_must(touched bigint, place integer) returns boolean
language plpgsql volatile as $$
begin
  if touched = 0 then
    raise exception using errcode = 'HM001', message = format('statement %s of the list touched no row', place);
  end if;
  return true;
end $$;
