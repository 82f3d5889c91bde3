-- The audit trail is written once. Whoever has to remove entries drops these triggers first, which the drift check reports.
drop trigger if exists audit_entries_no_update;
create trigger audit_entries_no_update before update on audit_entries
begin
  select raise(abort, 'audit_entries is append-only');
end;
drop trigger if exists audit_entries_no_delete;
create trigger audit_entries_no_delete before delete on audit_entries
begin
  select raise(abort, 'audit_entries is append-only');
end;
