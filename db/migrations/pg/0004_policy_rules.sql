CREATE TABLE "policy_rules" (
	"id" text PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"scope_type" text NOT NULL,
	"scope_id" text NOT NULL,
	"subject" text NOT NULL,
	"actions" jsonb NOT NULL,
	"fields" jsonb,
	"conditions" jsonb,
	"inverted" boolean NOT NULL,
	"priority" integer NOT NULL,
	"note" text,
	CONSTRAINT "policy_rules_scope_type_check" CHECK ("policy_rules"."scope_type" in ('role', 'user'))
);
--> statement-breakpoint
CREATE INDEX "policy_rules_scope_index" ON "policy_rules" USING btree ("scope_type","scope_id");--> statement-breakpoint
CREATE INDEX "policy_rules_subject_index" ON "policy_rules" USING btree ("subject","created_at","id");--> statement-breakpoint
CREATE INDEX "policy_rules_created_at_index" ON "policy_rules" USING btree ("created_at","id");