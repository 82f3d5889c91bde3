-- Who is there, and who is logged in: for people who look with psql.
drop view if exists user_overview;
create view user_overview as
select
  u.id,
  u.email,
  u.name,
  u.role,
  u.created_at,
  count(s.id) filter (where s.revoked_at is null and s.expires_at > now() and s.idle_at > now()) as open_sessions,
  max(s.updated_at) as last_seen_at
from users u
left join sessions s on s.user_id = u.id
where u.deleted_at is null
group by u.id;
