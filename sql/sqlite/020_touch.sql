-- Keeps updated_at and version honest when rows are changed by hand. A verb that sets them itself is left alone.
drop trigger if exists users_touch;
create trigger users_touch after update on users for each row when new.version = old.version
begin
  update users set version = old.version + 1,
    updated_at = case when new.updated_at = old.updated_at then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') else new.updated_at end
  where id = new.id;
end;
drop trigger if exists sessions_touch;
create trigger sessions_touch after update on sessions for each row when new.version = old.version
begin
  update sessions set version = old.version + 1,
    updated_at = case when new.updated_at = old.updated_at then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') else new.updated_at end
  where id = new.id;
end;
drop trigger if exists refresh_tokens_touch;
create trigger refresh_tokens_touch after update on refresh_tokens for each row when new.version = old.version
begin
  update refresh_tokens set version = old.version + 1,
    updated_at = case when new.updated_at = old.updated_at then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') else new.updated_at end
  where id = new.id;
end;
drop trigger if exists policy_rules_touch;
create trigger policy_rules_touch after update on policy_rules for each row when new.version = old.version
begin
  update policy_rules set version = old.version + 1,
    updated_at = case when new.updated_at = old.updated_at then strftime('%Y-%m-%dT%H:%M:%fZ', 'now') else new.updated_at end
  where id = new.id;
end;
