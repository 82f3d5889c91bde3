-- The audit trail is written once. Whoever has to remove entries drops this trigger first, which the drift check reports.
create or replace function hearth_append_only() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = 'HA001', message = format('%I is append-only', tg_table_name);
end $$;

create or replace trigger audit_entries_append_only before update or delete on audit_entries
  for each row execute function hearth_append_only();
create or replace trigger audit_entries_no_truncate before truncate on audit_entries
  for each statement execute function hearth_append_only();
