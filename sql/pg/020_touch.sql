-- Keeps updated_at and version honest when rows are changed by hand. A verb that sets them itself is left alone.
create or replace function hearth_touch() returns trigger
language plpgsql as $$
begin
  -- The version alone tells who wrote: two verbs may fall in one millisecond, and the time of the second is its own all the same.
  if new.version = old.version then
    new.version := old.version + 1;
    if new.updated_at = old.updated_at then
      new.updated_at := now();
    end if;
  end if;
  return new;
end $$;

create or replace trigger users_touch before update on users for each row execute function hearth_touch();
create or replace trigger sessions_touch before update on sessions for each row execute function hearth_touch();
create or replace trigger refresh_tokens_touch before update on refresh_tokens for each row execute function hearth_touch();
create or replace trigger policy_rules_touch before update on policy_rules for each row execute function hearth_touch();
