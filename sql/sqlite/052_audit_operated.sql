-- As 051_audit_sessions.sql, for what administrators and operators decide.

drop trigger if exists policy_rules_audit_insert;
create trigger policy_rules_audit_insert after insert on policy_rules
when not exists (select 1 from audit_entries e where e.entity_id = new.id and e.created_at = new.created_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'policy-rule.create', 'PolicyRule', new.id,
    null, json_group_object(column1, json(column2))
  from (values
    ('scopeType', json_quote(new.scope_type)),
    ('scopeId', json_quote(new.scope_id)),
    ('subject', json_quote(new.subject)),
    ('actions', iif(json_valid(new.actions), new.actions, json_quote(new.actions))),
    ('fields', iif(json_valid(new.fields), new.fields, json_quote(new.fields))),
    ('conditions', iif(json_valid(new.conditions), new.conditions, json_quote(new.conditions))),
    ('inverted', iif(new.inverted, 'true', 'false')),
    ('priority', json_quote(new.priority)),
    ('note', json_quote(new.note))
  );
end;
drop trigger if exists policy_rules_audit_update;
create trigger policy_rules_audit_update after update on policy_rules
when (old.scope_type is not new.scope_type or old.scope_id is not new.scope_id or old.subject is not new.subject or old.actions is not new.actions or old.fields is not new.fields or old.conditions is not new.conditions or old.inverted is not new.inverted or old.priority is not new.priority or old.note is not new.note)
  and (new.version = old.version or not exists (select 1 from audit_entries e where e.entity_id = new.id and e.created_at = new.updated_at and e.actor_type <> 'database'))
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'policy-rule.update', 'PolicyRule', new.id,
    json_group_object(column1, json(column2)), json_group_object(column1, json(column3))
  from (values
    ('scopeType', json_quote(old.scope_type), json_quote(new.scope_type)),
    ('scopeId', json_quote(old.scope_id), json_quote(new.scope_id)),
    ('subject', json_quote(old.subject), json_quote(new.subject)),
    ('actions', iif(json_valid(old.actions), old.actions, json_quote(old.actions)), iif(json_valid(new.actions), new.actions, json_quote(new.actions))),
    ('fields', iif(json_valid(old.fields), old.fields, json_quote(old.fields)), iif(json_valid(new.fields), new.fields, json_quote(new.fields))),
    ('conditions', iif(json_valid(old.conditions), old.conditions, json_quote(old.conditions)), iif(json_valid(new.conditions), new.conditions, json_quote(new.conditions))),
    ('inverted', iif(old.inverted, 'true', 'false'), iif(new.inverted, 'true', 'false')),
    ('priority', json_quote(old.priority), json_quote(new.priority)),
    ('note', json_quote(old.note), json_quote(new.note))
  ) where column2 is not column3;
end;
drop trigger if exists policy_rules_audit_delete;
create trigger policy_rules_audit_delete after delete on policy_rules
when not exists (select 1 from audit_entries e where e.entity_id = old.id and e.action = 'policy-rule.delete' and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'policy-rule.delete', 'PolicyRule', old.id,
    json_group_object(column1, json(column2)), null
  from (values
    ('scopeType', json_quote(old.scope_type)),
    ('scopeId', json_quote(old.scope_id)),
    ('subject', json_quote(old.subject)),
    ('actions', iif(json_valid(old.actions), old.actions, json_quote(old.actions))),
    ('fields', iif(json_valid(old.fields), old.fields, json_quote(old.fields))),
    ('conditions', iif(json_valid(old.conditions), old.conditions, json_quote(old.conditions))),
    ('inverted', iif(old.inverted, 'true', 'false')),
    ('priority', json_quote(old.priority)),
    ('note', json_quote(old.note))
  );
end;

-- These have no time of their last change: a pause bears its time, and the entry of a resume is younger than the pause that it ends.
drop trigger if exists job_queues_audit_insert;
create trigger job_queues_audit_insert after insert on job_queues
when new.paused_at is not null and not exists (select 1 from audit_entries e where e.entity_id = new.id and e.entity_type = 'Queue' and e.created_at = new.paused_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'queue.create', 'Queue', new.id,
    null, json_group_object(column1, json(column2))
  from (values
    ('pausedAt', json_quote(new.paused_at))
  );
end;
drop trigger if exists job_queues_audit_update;
create trigger job_queues_audit_update after update of paused_at on job_queues
when old.paused_at is not new.paused_at and not exists (select 1 from audit_entries e where e.entity_id = new.id and e.entity_type = 'Queue' and (e.created_at = new.paused_at or new.paused_at is null and e.action = 'queue.resume' and e.created_at >= old.paused_at) and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'queue.update', 'Queue', new.id,
    json_group_object(column1, json(column2)), json_group_object(column1, json(column3))
  from (values
    ('pausedAt', json_quote(old.paused_at), json_quote(new.paused_at))
  ) where column2 is not column3;
end;
drop trigger if exists job_queues_audit_delete;
create trigger job_queues_audit_delete after delete on job_queues
when old.paused_at is not null
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'queue.delete', 'Queue', old.id,
    json_group_object(column1, json(column2)), null
  from (values
    ('pausedAt', json_quote(old.paused_at))
  );
end;
drop trigger if exists schedules_audit_insert;
create trigger schedules_audit_insert after insert on schedules
when new.paused_at is not null and not exists (select 1 from audit_entries e where e.entity_id = new.id and e.entity_type = 'Schedule' and e.created_at = new.paused_at and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'schedule.create', 'Schedule', new.id,
    null, json_group_object(column1, json(column2))
  from (values
    ('pattern', json_quote(new.pattern)),
    ('timezone', json_quote(new.timezone)),
    ('jobName', json_quote(new.job_name)),
    ('pausedAt', json_quote(new.paused_at)),
    ('lastAt', json_quote(new.last_at)),
    ('nextAt', json_quote(new.next_at)),
    ('seenAt', json_quote(new.seen_at)),
    ('turn', json_quote(new.turn))
  );
end;
drop trigger if exists schedules_audit_update;
create trigger schedules_audit_update after update of paused_at on schedules
when old.paused_at is not new.paused_at and not exists (select 1 from audit_entries e where e.entity_id = new.id and e.entity_type = 'Schedule' and (e.created_at = new.paused_at or new.paused_at is null and e.action = 'schedule.resume' and e.created_at >= old.paused_at) and e.actor_type <> 'database')
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'schedule.update', 'Schedule', new.id,
    json_group_object(column1, json(column2)), json_group_object(column1, json(column3))
  from (values
    ('pattern', json_quote(old.pattern), json_quote(new.pattern)),
    ('timezone', json_quote(old.timezone), json_quote(new.timezone)),
    ('jobName', json_quote(old.job_name), json_quote(new.job_name)),
    ('pausedAt', json_quote(old.paused_at), json_quote(new.paused_at)),
    ('lastAt', json_quote(old.last_at), json_quote(new.last_at)),
    ('nextAt', json_quote(old.next_at), json_quote(new.next_at)),
    ('seenAt', json_quote(old.seen_at), json_quote(new.seen_at)),
    ('turn', json_quote(old.turn), json_quote(new.turn))
  ) where column2 is not column3;
end;
drop trigger if exists schedules_audit_delete;
create trigger schedules_audit_delete after delete on schedules
when old.paused_at is not null
begin
  insert into audit_entries (id, created_at, actor_type, action, entity_type, entity_id, old_value, new_value)
  select (select id from hearth_audit_id), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'database', 'schedule.delete', 'Schedule', old.id,
    json_group_object(column1, json(column2)), null
  from (values
    ('pattern', json_quote(old.pattern)),
    ('timezone', json_quote(old.timezone)),
    ('jobName', json_quote(old.job_name)),
    ('pausedAt', json_quote(old.paused_at)),
    ('lastAt', json_quote(old.last_at)),
    ('nextAt', json_quote(old.next_at)),
    ('seenAt', json_quote(old.seen_at)),
    ('turn', json_quote(old.turn))
  );
end;
