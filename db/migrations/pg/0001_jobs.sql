CREATE TABLE "alerts" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"detail" jsonb NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	"told_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "job_minutes" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"minute" timestamp (3) with time zone NOT NULL,
	"name" text NOT NULL,
	"done" integer DEFAULT 0 NOT NULL,
	"retried" integer DEFAULT 0 NOT NULL,
	"failed" integer DEFAULT 0 NOT NULL,
	"cancelled" integer DEFAULT 0 NOT NULL,
	"wait_ms" double precision DEFAULT 0 NOT NULL,
	"wait_max_ms" double precision DEFAULT 0 NOT NULL,
	"run_ms" double precision DEFAULT 0 NOT NULL,
	"run_max_ms" double precision DEFAULT 0 NOT NULL,
	"wait10ms" integer DEFAULT 0 NOT NULL,
	"wait100ms" integer DEFAULT 0 NOT NULL,
	"wait1s" integer DEFAULT 0 NOT NULL,
	"wait10s" integer DEFAULT 0 NOT NULL,
	"wait60s" integer DEFAULT 0 NOT NULL,
	"wait_more" integer DEFAULT 0 NOT NULL,
	"run10ms" integer DEFAULT 0 NOT NULL,
	"run100ms" integer DEFAULT 0 NOT NULL,
	"run1s" integer DEFAULT 0 NOT NULL,
	"run10s" integer DEFAULT 0 NOT NULL,
	"run60s" integer DEFAULT 0 NOT NULL,
	"run_more" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_queues" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"paused_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "job_workers" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp (3) with time zone NOT NULL,
	"names" jsonb NOT NULL,
	"concurrency" integer NOT NULL,
	"dispatch" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"name" text NOT NULL,
	"queue" text NOT NULL,
	"state" text NOT NULL,
	"rank" integer DEFAULT 0 NOT NULL,
	"run_at" timestamp (3) with time zone NOT NULL,
	"input" jsonb NOT NULL,
	"input_version" integer NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"max_attempts" integer NOT NULL,
	"worker_id" text,
	"group_key" text,
	"unique_key" text,
	"unique_until" text,
	"expires_at" timestamp (3) with time zone,
	"deadline_at" timestamp (3) with time zone,
	"progress" jsonb,
	"result" jsonb,
	"error" jsonb,
	"actor" jsonb,
	"trace_id" text,
	"request_id" text,
	"schedule_name" text,
	"sent_at" timestamp (3) with time zone,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"purge_at" timestamp (3) with time zone,
	CONSTRAINT "jobs_state_check" CHECK ("jobs"."state" in ('waiting', 'delayed', 'active', 'retrying', 'done', 'failed', 'cancelled')),
	CONSTRAINT "jobs_unique_until_check" CHECK ("jobs"."unique_until" in ('start', 'end'))
);
--> statement-breakpoint
CREATE TABLE "schedule_runs" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"schedule_name" text NOT NULL,
	"due_at" timestamp (3) with time zone NOT NULL,
	"cause" text NOT NULL,
	"job_id" text,
	"outcome" text,
	"error" jsonb,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "schedules" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"pattern" text NOT NULL,
	"timezone" text NOT NULL,
	"job_name" text NOT NULL,
	"paused_at" timestamp (3) with time zone,
	"last_at" timestamp (3) with time zone,
	"next_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "alerts_kind_subject_unique" ON "alerts" USING btree ("kind","subject");--> statement-breakpoint
CREATE INDEX "job_minutes_minute_index" ON "job_minutes" USING btree ("minute");--> statement-breakpoint
CREATE INDEX "jobs_waiting_index" ON "jobs" USING btree ("name","rank","id") WHERE "jobs"."state" = 'waiting';--> statement-breakpoint
CREATE INDEX "jobs_due_index" ON "jobs" USING btree ("run_at") WHERE "jobs"."state" in ('delayed', 'retrying');--> statement-breakpoint
CREATE INDEX "jobs_active_index" ON "jobs" USING btree ("worker_id") WHERE "jobs"."state" = 'active';--> statement-breakpoint
CREATE INDEX "jobs_group_index" ON "jobs" USING btree ("name","group_key","state","rank","id") WHERE "jobs"."group_key" is not null and "jobs"."state" in ('waiting', 'active');--> statement-breakpoint
CREATE UNIQUE INDEX "jobs_unique_key_unique" ON "jobs" USING btree ("name","unique_key") WHERE "jobs"."unique_key" is not null;--> statement-breakpoint
CREATE INDEX "jobs_expires_at_index" ON "jobs" USING btree ("expires_at") WHERE "jobs"."expires_at" is not null and "jobs"."state" in ('waiting', 'delayed', 'retrying');--> statement-breakpoint
CREATE INDEX "jobs_purge_at_index" ON "jobs" USING btree ("purge_at") WHERE "jobs"."purge_at" is not null;--> statement-breakpoint
CREATE INDEX "jobs_dead_index" ON "jobs" USING btree ("name","id") WHERE "jobs"."state" in ('failed', 'cancelled');--> statement-breakpoint
CREATE UNIQUE INDEX "schedule_runs_due_unique" ON "schedule_runs" USING btree ("schedule_name","due_at");--> statement-breakpoint
CREATE INDEX "schedule_runs_job_index" ON "schedule_runs" USING btree ("job_id");