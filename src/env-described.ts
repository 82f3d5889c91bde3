/** The settings one by one, as documents show them and as the start-up check reads them. */
import type { ZodType } from "zod";
import { type Mode, notes, type SettingName, schema } from "./env-settings.ts";

/** `expects` is the very phrase that a fault shows. */
export interface Setting {
  readonly name: SettingName;
  readonly group: string;
  readonly about: string;
  readonly expects: string;
  readonly fallback: Readonly<Record<Mode, string | null>>;
  readonly required: "in production" | null;
  readonly schema: ZodType;
}

export const settings: readonly Setting[] = Object.entries(schema.shape).map(([name, field]) => {
  const note = notes.get(field);
  if (!note) throw new Error(`${name} has no description`);
  const { fallback } = note;
  const inMode = (mode: Mode) => (typeof fallback === "string" ? fallback : (fallback?.[mode] ?? null));
  return {
    name: name as SettingName,
    group: note.group,
    about: note.about,
    get expects() {
      return field.safeParse(null).error?.issues[0]?.message ?? "";
    },
    fallback: { development: inMode("development"), test: inMode("test"), production: inMode("production") },
    required: note.required ?? null,
    schema: field,
  };
});
