DROP INDEX `schedule_runs_job_index`;--> statement-breakpoint
CREATE INDEX `schedule_runs_open_index` ON `schedule_runs` (`job_id`) WHERE "schedule_runs"."outcome" is null;--> statement-breakpoint
CREATE INDEX `schedule_runs_created_at_index` ON `schedule_runs` (`created_at`);--> statement-breakpoint
ALTER TABLE `schedules` ADD `seen_at` text;--> statement-breakpoint
ALTER TABLE `schedules` ADD `turn` integer DEFAULT 0 NOT NULL;