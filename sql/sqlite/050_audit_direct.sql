-- What SQL beside the verbs changes is in the trail too. There is no trigger at the end of a transaction here, so a verb's list begins with
-- its entry, which bears the time that the row is given: a changed row of whose time no entry is, gets one. Who it was is not known.

-- A TypeID of the trail: 48 bits of time, then a random UUIDv7's rest.
drop view if exists hearth_audit_id;
create view hearth_audit_id as select
  'aud_' || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 45) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 40) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 35) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 30) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 25) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 20) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 15) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 10) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 5) & 31), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (((cast((julianday('now') - 2440587.5) * 86400000 as integer)) >> 0) & 31), 1) || substr('ef', 1 + (abs(random()) % 2), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('89abrstv', 1 + (abs(random()) % 8), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) || substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + (abs(random()) % 32), 1) as id;

drop trigger if exists users_audit_direct_insert;
create trigger users_audit_direct_insert after insert on users
when not exists (select 1 from audit_entries e where e.entity_id = new.id and e.created_at = new.created_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  values (
    (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'user.create', 'User', new.id,
    null,
    json_object('email', new.email, 'name', new.name, 'role', new.role, 'remark', new.remark, 'passwordHash', case when new.password_hash is not null then '[changed]' end, 'deletedAt', new.deleted_at)
  );
end;
drop trigger if exists users_audit_direct_update;
create trigger users_audit_direct_update after update on users
when (old.email is not new.email or old.name is not new.name or old.role is not new.role or old.remark is not new.remark or old.password_hash is not new.password_hash or old.deleted_at is not new.deleted_at)
  and (new.version = old.version or not exists (
    select 1 from audit_entries e
    where e.entity_id = new.id and e.created_at = new.updated_at and e.actor_type <> 'database'
  ))
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  values (
    (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'user.update', 'User', new.id,
    json_remove(
      json_object('email', old.email, 'name', old.name, 'role', old.role, 'remark', old.remark, 'passwordHash', case when old.password_hash is not null then '[changed]' end, 'deletedAt', old.deleted_at),
      iif(old.email is new.email, '$.email', '$.none'),
      iif(old.name is new.name, '$.name', '$.none'),
      iif(old.role is new.role, '$.role', '$.none'),
      iif(old.remark is new.remark, '$.remark', '$.none'),
      iif(old.password_hash is new.password_hash, '$.passwordHash', '$.none'),
      iif(old.deleted_at is new.deleted_at, '$.deletedAt', '$.none')
    ),
    json_remove(
      json_object('email', new.email, 'name', new.name, 'role', new.role, 'remark', new.remark, 'passwordHash', case when new.password_hash is not null then '[changed]' end, 'deletedAt', new.deleted_at),
      iif(old.email is new.email, '$.email', '$.none'),
      iif(old.name is new.name, '$.name', '$.none'),
      iif(old.role is new.role, '$.role', '$.none'),
      iif(old.remark is new.remark, '$.remark', '$.none'),
      iif(old.password_hash is new.password_hash, '$.passwordHash', '$.none'),
      iif(old.deleted_at is new.deleted_at, '$.deletedAt', '$.none')
    )
  );
end;
drop trigger if exists users_audit_direct_delete;
create trigger users_audit_direct_delete after delete on users
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  values (
    (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'user.delete', 'User', old.id,
    json_object('email', old.email, 'name', old.name, 'role', old.role, 'remark', old.remark, 'passwordHash', case when old.password_hash is not null then '[changed]' end, 'deletedAt', old.deleted_at),
    null
  );
end;
