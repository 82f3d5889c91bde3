ALTER TABLE `audit_entries` ADD `impersonator_id` text;--> statement-breakpoint
ALTER TABLE `audit_entries` ADD `api_key_id` text;--> statement-breakpoint
ALTER TABLE `audit_entries` ADD `organization_id` text;--> statement-breakpoint
CREATE INDEX `audit_entries_organization_index` ON `audit_entries` (`organization_id`,`created_at`,`id`) WHERE "audit_entries"."organization_id" is not null;