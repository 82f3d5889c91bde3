-- What SQL beside the verbs changes is in the trail too: at the end of a transaction, each changed row of which no entry of this transaction
-- tells gets one, as done by the role that logged in. Arguments, the latter two with commas in between: the entity's type, its secret columns,
-- and the columns with the id of what its verbs' entries may be about, if that is not `id` alone.

-- A TypeID of the trail: 48 bits of time, then a random UUIDv7's rest.
create or replace function hearth_audit_id() returns text
language sql volatile as $$
  select 'aud_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', 1 + case
      when i <= 10 then ((ms >> (50 - 5 * i)) & 31)::int
      when i = 11 then 14 + floor(random() * 2)::int
      when i = 14 then 8 + 16 * floor(random() * 2)::int + floor(random() * 4)::int
      else floor(random() * 32)::int
    end, 1), '' order by i)
  from generate_series(1, 26) i, (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as ms) t
$$;

create or replace function hearth_audit_direct() returns trigger
language plpgsql as $$
declare
  was jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  is_now jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  about text := coalesce(is_now, was) ->> 'id';
  told_by text;
  secrets text[] := string_to_array(tg_argv[1], ',');
  old_value jsonb;
  new_value jsonb;
begin
  -- One entry of ours is among the last about its row. A savepoint has a number of its own, and verbs have none.
  foreach told_by in array coalesce(string_to_array(tg_argv[2], ','), '{id}') loop
    if exists (
      select 1 from (
        select e.xmin as number, e.actor_type from audit_entries e where e.entity_id = coalesce(is_now, was) ->> told_by
        order by e.created_at desc, e.id desc limit 100
      ) e
      where e.actor_type <> 'database' and e.number = pg_current_xact_id()::xid
    ) then
      return null;
    end if;
  end loop;
  select jsonb_object_agg(name, before) filter (where was is not null), jsonb_object_agg(name, after) filter (where is_now is not null)
  into old_value, new_value
  from (
    select lower(left(camel, 1)) || substr(camel, 2) as name,
      case when key = any (secrets) and was ->> key is not null then '"[changed]"' else was -> key end as before,
      case when key = any (secrets) and is_now ->> key is not null then '"[changed]"' else is_now -> key end as after
    from jsonb_object_keys(coalesce(is_now, was)) as key, replace(initcap(replace(key, '_', ' ')), ' ', '') as camel
    where key not in ('id', 'created_at', 'updated_at', 'version')
      and (was is null or is_now is null or was -> key is distinct from is_now -> key)
  ) changed;
  if old_value is null and new_value is null then
    return null;
  end if;
  insert into audit_entries (id, created_at, actor_type, actor_id, action, entity_type, entity_id, old_value, new_value, address, user_agent)
  values (
    hearth_audit_id(), clock_timestamp(), 'database', session_user,
    lower(regexp_replace(tg_argv[0], '([a-z])([A-Z])', '\1-\2', 'g')) || case tg_op when 'INSERT' then '.create' when 'UPDATE' then '.update' else '.delete' end,
    tg_argv[0], about, old_value, new_value, host(inet_client_addr()), nullif(left(current_setting('application_name'), 300), '')
  );
  return null;
end $$;

drop trigger if exists users_audit_direct on users;
create constraint trigger users_audit_direct after insert or update or delete on users
  deferrable initially deferred for each row execute function hearth_audit_direct('User', 'password_hash');

-- Only what would matter comes to the function: each refresh moves idle_at. A job deletes
-- sessions that ended long ago, with their refresh tokens.
drop trigger if exists sessions_audit_insert on sessions;
create constraint trigger sessions_audit_insert after insert on sessions
  deferrable initially deferred for each row execute function hearth_audit_direct('Session', '', 'id,user_id');
drop trigger if exists sessions_audit_update on sessions;
create constraint trigger sessions_audit_update after update of user_id, expires_at, revoked_at on sessions
  deferrable initially deferred for each row execute function hearth_audit_direct('Session', '', 'id,user_id');
drop trigger if exists sessions_audit_delete on sessions;
create constraint trigger sessions_audit_delete after delete on sessions
  deferrable initially deferred for each row when (old.revoked_at is null and old.expires_at > now() and old.idle_at > now())
  execute function hearth_audit_direct('Session', '', 'id,user_id');

-- A token is used once: to mark it so is all that a verb does to it.
drop trigger if exists refresh_tokens_audit_insert on refresh_tokens;
create constraint trigger refresh_tokens_audit_insert after insert on refresh_tokens
  deferrable initially deferred for each row execute function hearth_audit_direct('RefreshToken', 'token_hash', 'session_id');
drop trigger if exists refresh_tokens_audit_update on refresh_tokens;
create constraint trigger refresh_tokens_audit_update after update on refresh_tokens
  deferrable initially deferred for each row when (
    old.session_id <> new.session_id or old.token_hash <> new.token_hash or old.used_at is not null and old.used_at is distinct from new.used_at
  )
  execute function hearth_audit_direct('RefreshToken', 'token_hash', 'session_id');

drop trigger if exists policy_rules_audit_direct on policy_rules;
create constraint trigger policy_rules_audit_direct after insert or update or delete on policy_rules
  deferrable initially deferred for each row execute function hearth_audit_direct('PolicyRule', '');

drop trigger if exists job_queues_audit_direct on job_queues;
create constraint trigger job_queues_audit_direct after insert or update or delete on job_queues
  deferrable initially deferred for each row execute function hearth_audit_direct('Queue', '');

-- The clock moves its rows each minute; a pause is all that people decide about.
drop trigger if exists schedules_audit_insert on schedules;
create constraint trigger schedules_audit_insert after insert on schedules
  deferrable initially deferred for each row when (new.paused_at is not null) execute function hearth_audit_direct('Schedule', '');
drop trigger if exists schedules_audit_update on schedules;
create constraint trigger schedules_audit_update after update of paused_at on schedules
  deferrable initially deferred for each row when (old.paused_at is distinct from new.paused_at)
  execute function hearth_audit_direct('Schedule', '');
drop trigger if exists schedules_audit_delete on schedules;
create constraint trigger schedules_audit_delete after delete on schedules
  deferrable initially deferred for each row when (old.paused_at is not null) execute function hearth_audit_direct('Schedule', '');

-- No trigger sees the rows that a truncate takes away, so there is none. SQLite has no such statement: its delete is seen.
create or replace function hearth_no_truncate() returns trigger
language plpgsql as $$
begin
  raise exception using errcode = 'HA002', message = format('%I is told of by the audit trail: delete its rows, which leaves entries', tg_table_name);
end $$;

create or replace trigger users_no_truncate before truncate on users for each statement execute function hearth_no_truncate();
create or replace trigger sessions_no_truncate before truncate on sessions for each statement execute function hearth_no_truncate();
create or replace trigger refresh_tokens_no_truncate before truncate on refresh_tokens for each statement execute function hearth_no_truncate();
create or replace trigger policy_rules_no_truncate before truncate on policy_rules for each statement execute function hearth_no_truncate();
create or replace trigger job_queues_no_truncate before truncate on job_queues for each statement execute function hearth_no_truncate();
create or replace trigger schedules_no_truncate before truncate on schedules for each statement execute function hearth_no_truncate();
