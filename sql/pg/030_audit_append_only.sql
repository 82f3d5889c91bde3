-- The audit trail is written once. What a seal gives up (audit_seals.pruned) may be deleted: a seal that nobody signed is found by
-- verification. Whoever has to do anything else drops these triggers first, which the drift check reports.
create or replace function hearth_append_only() returns trigger
language plpgsql as $$
begin
  if tg_op = 'DELETE' and tg_table_name in ('audit_entries', 'audit_leaves') then
    if exists (
      select 1 from audit_leaves l
      where l.id = old.id and l.position < (select s.pruned from audit_seals s order by s.number desc limit 1)
    ) then
      return old;
    end if;
  end if;
  raise exception using errcode = 'HA001', message = format('%I is append-only', tg_table_name);
end $$;

create or replace trigger audit_entries_append_only before update or delete on audit_entries
  for each row execute function hearth_append_only();
create or replace trigger audit_entries_no_truncate before truncate on audit_entries
  for each statement execute function hearth_append_only();
create or replace trigger audit_leaves_append_only before update or delete on audit_leaves
  for each row execute function hearth_append_only();
create or replace trigger audit_leaves_no_truncate before truncate on audit_leaves
  for each statement execute function hearth_append_only();
create or replace trigger audit_seals_append_only before update or delete on audit_seals
  for each row execute function hearth_append_only();
create or replace trigger audit_seals_no_truncate before truncate on audit_seals
  for each statement execute function hearth_append_only();
