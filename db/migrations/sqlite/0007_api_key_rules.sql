CREATE TABLE `__new_policy_rules` (
	`id` text PRIMARY KEY NOT NULL,
	`created_at` text DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) NOT NULL,
	`updated_at` text DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	`scope_type` text NOT NULL,
	`scope_id` text NOT NULL,
	`subject` text NOT NULL,
	`actions` text NOT NULL,
	`fields` text,
	`conditions` text,
	`inverted` integer NOT NULL,
	`priority` integer NOT NULL,
	`note` text,
	CONSTRAINT "policy_rules_scope_type_check" CHECK("__new_policy_rules"."scope_type" in ('role', 'user', 'apiKey'))
);
--> statement-breakpoint
INSERT INTO `__new_policy_rules`("id", "created_at", "updated_at", "version", "scope_type", "scope_id", "subject", "actions", "fields", "conditions", "inverted", "priority", "note") SELECT "id", "created_at", "updated_at", "version", "scope_type", "scope_id", "subject", "actions", "fields", "conditions", "inverted", "priority", "note" FROM `policy_rules`;--> statement-breakpoint
DROP TABLE `policy_rules`;--> statement-breakpoint
ALTER TABLE `__new_policy_rules` RENAME TO `policy_rules`;--> statement-breakpoint
CREATE INDEX `policy_rules_scope_index` ON `policy_rules` (`scope_type`,`scope_id`);--> statement-breakpoint
CREATE INDEX `policy_rules_subject_index` ON `policy_rules` (`subject`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `policy_rules_created_at_index` ON `policy_rules` (`created_at`,`id`);