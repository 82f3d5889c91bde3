ALTER TABLE `alerts` ADD `cleared_at` text;--> statement-breakpoint
ALTER TABLE `alerts` ADD `turn` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `alerts` ADD `tell_at` text;--> statement-breakpoint
ALTER TABLE `job_minutes` ADD `queue` text DEFAULT 'default' NOT NULL;