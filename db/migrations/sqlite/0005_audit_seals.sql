CREATE TABLE `audit_leaves` (
	`id` text PRIMARY KEY NOT NULL,
	`created_at` text DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) NOT NULL,
	`position` integer NOT NULL,
	`hash` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_leaves_position_unique` ON `audit_leaves` (`position`);--> statement-breakpoint
CREATE TABLE `audit_seals` (
	`id` text PRIMARY KEY NOT NULL,
	`created_at` text DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) NOT NULL,
	`number` integer NOT NULL,
	`size` integer NOT NULL,
	`pruned` integer NOT NULL,
	`peaks` text NOT NULL,
	`jws` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_seals_number_unique` ON `audit_seals` (`number`);--> statement-breakpoint
DROP INDEX `audit_entries_entity_index`;--> statement-breakpoint
DROP INDEX `audit_entries_actor_index`;--> statement-breakpoint
ALTER TABLE `audit_entries` ADD `reason` text;--> statement-breakpoint
ALTER TABLE `audit_entries` ADD `user_agent` text;--> statement-breakpoint
CREATE INDEX `audit_entries_created_at_index` ON `audit_entries` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_action_index` ON `audit_entries` (`action`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_entity_index` ON `audit_entries` (`entity_id`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_actor_index` ON `audit_entries` (`actor_id`,`created_at`,`id`);