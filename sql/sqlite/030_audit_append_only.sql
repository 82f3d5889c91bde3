-- The audit trail is written once. What a seal gives up (audit_seals.pruned) may be deleted: a seal that nobody signed is found by
-- verification. Whoever has to do anything else drops these triggers first, which the drift check reports.
drop trigger if exists audit_entries_no_update;
create trigger audit_entries_no_update before update on audit_entries
begin
  select raise(abort, 'audit_entries is append-only');
end;
drop trigger if exists audit_entries_no_delete;
create trigger audit_entries_no_delete before delete on audit_entries
when not exists (
  select 1 from audit_leaves l
  where l.id = old.id and l.position < (select s.pruned from audit_seals s order by s.number desc limit 1)
)
begin
  select raise(abort, 'audit_entries is append-only');
end;
drop trigger if exists audit_leaves_no_update;
create trigger audit_leaves_no_update before update on audit_leaves
begin
  select raise(abort, 'audit_leaves is append-only');
end;
drop trigger if exists audit_leaves_no_delete;
create trigger audit_leaves_no_delete before delete on audit_leaves
when not exists (
  select 1 from audit_leaves l
  where l.id = old.id and l.position < (select s.pruned from audit_seals s order by s.number desc limit 1)
)
begin
  select raise(abort, 'audit_leaves is append-only');
end;
drop trigger if exists audit_seals_no_update;
create trigger audit_seals_no_update before update on audit_seals
begin
  select raise(abort, 'audit_seals is append-only');
end;
drop trigger if exists audit_seals_no_delete;
create trigger audit_seals_no_delete before delete on audit_seals
begin
  select raise(abort, 'audit_seals is append-only');
end;
