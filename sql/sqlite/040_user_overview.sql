-- Who is there, and who is logged in: for people who look with sqlite3.
drop view if exists user_overview;
create view user_overview as
select
  u.id,
  u.email,
  u.name,
  u.role,
  u.created_at,
  count(s.id) filter (
    where s.revoked_at is null
      and s.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
      and s.idle_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  ) as open_sessions,
  max(s.updated_at) as last_seen_at
from users u
left join sessions s on s.user_id = u.id
where u.deleted_at is null
group by u.id;
