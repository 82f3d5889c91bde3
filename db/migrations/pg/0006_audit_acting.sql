ALTER TABLE "audit_entries" ADD COLUMN "impersonator_id" text;--> statement-breakpoint
ALTER TABLE "audit_entries" ADD COLUMN "api_key_id" text;--> statement-breakpoint
ALTER TABLE "audit_entries" ADD COLUMN "organization_id" text;--> statement-breakpoint
CREATE INDEX "audit_entries_organization_index" ON "audit_entries" USING btree ("organization_id","created_at","id") WHERE "audit_entries"."organization_id" is not null;