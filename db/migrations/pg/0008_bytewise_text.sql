-- What stands on these columns is made again by what follows the migrations. A table's columns go together: its indexes are then built once.
DROP VIEW IF EXISTS "user_overview";--> statement-breakpoint
DROP TRIGGER IF EXISTS "sessions_audit_update" ON "sessions";--> statement-breakpoint
DROP TRIGGER IF EXISTS "refresh_tokens_audit_update" ON "refresh_tokens";--> statement-breakpoint
ALTER TABLE "alerts"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "kind" SET DATA TYPE text collate "C",
	ALTER COLUMN "subject" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "audit_entries"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "actor_type" SET DATA TYPE text collate "C",
	ALTER COLUMN "actor_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "impersonator_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "api_key_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "organization_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "action" SET DATA TYPE text collate "C",
	ALTER COLUMN "entity_type" SET DATA TYPE text collate "C",
	ALTER COLUMN "entity_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "reason" SET DATA TYPE text collate "C",
	ALTER COLUMN "request_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "trace_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "address" SET DATA TYPE text collate "C",
	ALTER COLUMN "user_agent" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "audit_leaves"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "hash" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "audit_seals"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "jws" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "idempotency_keys"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "fingerprint" SET DATA TYPE text collate "C",
	ALTER COLUMN "body" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "job_minutes"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "queue" SET DATA TYPE text collate "C",
	ALTER COLUMN "queue" SET DEFAULT 'default',
	ALTER COLUMN "name" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "job_queues"
	ALTER COLUMN "id" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "job_workers"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "dispatch" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "jobs"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "name" SET DATA TYPE text collate "C",
	ALTER COLUMN "queue" SET DATA TYPE text collate "C",
	ALTER COLUMN "state" SET DATA TYPE text collate "C",
	ALTER COLUMN "worker_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "group_key" SET DATA TYPE text collate "C",
	ALTER COLUMN "unique_key" SET DATA TYPE text collate "C",
	ALTER COLUMN "unique_until" SET DATA TYPE text collate "C",
	ALTER COLUMN "trace_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "request_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "schedule_name" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "limit_counters"
	ALTER COLUMN "id" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "policy_rules"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "scope_type" SET DATA TYPE text collate "C",
	ALTER COLUMN "scope_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "subject" SET DATA TYPE text collate "C",
	ALTER COLUMN "note" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "refresh_tokens"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "session_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "token_hash" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "schedule_runs"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "schedule_name" SET DATA TYPE text collate "C",
	ALTER COLUMN "cause" SET DATA TYPE text collate "C",
	ALTER COLUMN "job_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "outcome" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "schedules"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "pattern" SET DATA TYPE text collate "C",
	ALTER COLUMN "timezone" SET DATA TYPE text collate "C",
	ALTER COLUMN "job_name" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "sessions"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "user_id" SET DATA TYPE text collate "C",
	ALTER COLUMN "address" SET DATA TYPE text collate "C",
	ALTER COLUMN "user_agent" SET DATA TYPE text collate "C";--> statement-breakpoint
ALTER TABLE "users"
	ALTER COLUMN "id" SET DATA TYPE text collate "C",
	ALTER COLUMN "email" SET DATA TYPE text collate "C",
	ALTER COLUMN "name" SET DATA TYPE text collate "C",
	ALTER COLUMN "role" SET DATA TYPE text collate "C",
	ALTER COLUMN "remark" SET DATA TYPE text collate "C",
	ALTER COLUMN "password_hash" SET DATA TYPE text collate "C";
