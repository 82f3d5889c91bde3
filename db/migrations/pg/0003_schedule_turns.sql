DROP INDEX "schedule_runs_job_index";--> statement-breakpoint
ALTER TABLE "schedules" ADD COLUMN "seen_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "schedules" ADD COLUMN "turn" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "schedule_runs_open_index" ON "schedule_runs" USING btree ("job_id") WHERE "schedule_runs"."outcome" is null;--> statement-breakpoint
CREATE INDEX "schedule_runs_created_at_index" ON "schedule_runs" USING btree ("created_at");