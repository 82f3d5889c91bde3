CREATE TABLE "audit_leaves" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"position" integer NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_seals" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"number" integer NOT NULL,
	"size" integer NOT NULL,
	"pruned" integer NOT NULL,
	"peaks" jsonb NOT NULL,
	"jws" text NOT NULL
);
--> statement-breakpoint
DROP INDEX "audit_entries_entity_index";--> statement-breakpoint
DROP INDEX "audit_entries_actor_index";--> statement-breakpoint
ALTER TABLE "audit_entries" ADD COLUMN "reason" text;--> statement-breakpoint
ALTER TABLE "audit_entries" ADD COLUMN "user_agent" text;--> statement-breakpoint
CREATE UNIQUE INDEX "audit_leaves_position_unique" ON "audit_leaves" USING btree ("position");--> statement-breakpoint
CREATE UNIQUE INDEX "audit_seals_number_unique" ON "audit_seals" USING btree ("number");--> statement-breakpoint
CREATE INDEX "audit_entries_created_at_index" ON "audit_entries" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "audit_entries_action_index" ON "audit_entries" USING btree ("action","created_at","id");--> statement-breakpoint
CREATE INDEX "audit_entries_entity_index" ON "audit_entries" USING btree ("entity_id","created_at","id");--> statement-breakpoint
CREATE INDEX "audit_entries_actor_index" ON "audit_entries" USING btree ("actor_id","created_at","id");