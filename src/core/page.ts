/** What a client may ask of a list, and what it is told about the page that it got. */

export const MAX_LIMIT = 100;
export const DEFAULT_LIMIT = 20;

export const operators = ["eq", "ne", "in", "gt", "gte", "lt", "lte"] as const;
export type Operator = (typeof operators)[number];

export interface Filter {
  field: string;
  op: Operator;
  /** A list for `in`. */
  value: unknown;
}

export interface Sort {
  field: string;
  descending: boolean;
}

/** Where a page starts: after the row that has this value in the sort field, and this id. */
export interface Position {
  value: string | number;
  id: string;
}

export interface ListInput {
  limit: number;
  sort: Sort;
  after: Position | null;
  filters: Filter[];
  /** Fields that the answer is cut down to; null for all. */
  fields: string[] | null;
  count: boolean;
}

export interface Page<T> {
  items: T[];
  /** Whether there is a row after the last one. */
  more: boolean;
  /** Where the next page starts, when that is not after the last item. */
  next?: Position;
  /** The number of rows of all pages, when it was asked for. */
  total: number | null;
}
