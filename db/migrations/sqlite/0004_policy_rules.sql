CREATE TABLE `policy_rules` (
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
	CONSTRAINT "policy_rules_scope_type_check" CHECK("policy_rules"."scope_type" in ('role', 'user'))
);
--> statement-breakpoint
CREATE INDEX `policy_rules_scope_index` ON `policy_rules` (`scope_type`,`scope_id`);--> statement-breakpoint
CREATE INDEX `policy_rules_subject_index` ON `policy_rules` (`subject`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `policy_rules_created_at_index` ON `policy_rules` (`created_at`,`id`);