-- What SQL beside the verbs changes in the tables that are told of beside users (050_audit_direct.sql): each changed row of which no entry of the
-- row's own time tells gets one. An entry of a verb is about the row, or about what it belongs to: a session's user, a token's session.

-- Each refresh moves idle_at. A job deletes sessions that ended long ago, with their refresh tokens.
drop trigger if exists sessions_audit_insert;
create trigger sessions_audit_insert after insert on sessions
when not exists (select 1 from audit_entries e where e.entity_id in (new.id, new.user_id) and e.created_at = new.created_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'session.create', 'Session', new.id,
    null, json_group_object(column1, json(column2))
  from (values
    ('userId', json_quote(new.user_id)),
    ('expiresAt', json_quote(new.expires_at)),
    ('idleAt', json_quote(new.idle_at)),
    ('revokedAt', json_quote(new.revoked_at)),
    ('address', json_quote(new.address)),
    ('userAgent', json_quote(new.user_agent))
  );
end;
drop trigger if exists sessions_audit_update;
create trigger sessions_audit_update after update of user_id, expires_at, revoked_at on sessions
when (old.user_id <> new.user_id or old.expires_at <> new.expires_at or old.revoked_at is not new.revoked_at)
  and (new.version = old.version or not exists (select 1 from audit_entries e where e.entity_id in (new.id, new.user_id) and e.created_at = new.updated_at and e.actor_type <> 'database'))
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'session.update', 'Session', new.id,
    json_group_object(column1, json(column2)), json_group_object(column1, json(column3))
  from (values
    ('userId', json_quote(old.user_id), json_quote(new.user_id)),
    ('expiresAt', json_quote(old.expires_at), json_quote(new.expires_at)),
    ('idleAt', json_quote(old.idle_at), json_quote(new.idle_at)),
    ('revokedAt', json_quote(old.revoked_at), json_quote(new.revoked_at)),
    ('address', json_quote(old.address), json_quote(new.address)),
    ('userAgent', json_quote(old.user_agent), json_quote(new.user_agent))
  ) where column2 is not column3;
end;
drop trigger if exists sessions_audit_delete;
create trigger sessions_audit_delete after delete on sessions
when old.revoked_at is null and min(old.expires_at, old.idle_at) > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'session.delete', 'Session', old.id,
    json_group_object(column1, json(column2)), null
  from (values
    ('userId', json_quote(old.user_id)),
    ('expiresAt', json_quote(old.expires_at)),
    ('idleAt', json_quote(old.idle_at)),
    ('revokedAt', json_quote(old.revoked_at)),
    ('address', json_quote(old.address)),
    ('userAgent', json_quote(old.user_agent))
  );
end;

-- A token is used once: to mark it so is all that a verb does to it.
drop trigger if exists refresh_tokens_audit_insert;
create trigger refresh_tokens_audit_insert after insert on refresh_tokens
when not exists (select 1 from audit_entries e where e.entity_id = new.session_id and e.created_at = new.created_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'refresh-token.create', 'RefreshToken', new.id,
    null, json_group_object(column1, json(column2))
  from (values
    ('sessionId', json_quote(new.session_id)),
    ('tokenHash', iif(new.token_hash is null, 'null', '"[changed]"')),
    ('usedAt', json_quote(new.used_at))
  );
end;
drop trigger if exists refresh_tokens_audit_update;
create trigger refresh_tokens_audit_update after update on refresh_tokens
when old.session_id <> new.session_id or old.token_hash <> new.token_hash or old.used_at is not null and old.used_at is not new.used_at
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'refresh-token.update', 'RefreshToken', new.id,
    json_group_object(column1, json(column2)), json_group_object(column1, json(column3))
  from (values
    ('sessionId', json_quote(old.session_id), json_quote(new.session_id)),
    ('tokenHash', iif(old.token_hash is null, 'null', '"[changed]"'), iif(new.token_hash is null, 'null', '"[changed]"')),
    ('usedAt', json_quote(old.used_at), json_quote(new.used_at))
  ) where column2 is not column3 or column1 = 'tokenHash' and old.token_hash <> new.token_hash;
end;
