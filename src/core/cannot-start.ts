/**
 * The service cannot start, for a reason that whoever starts it can mend: a setting, a file, a server. Its message says which, in one line,
 * and is all that is printed.
 */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}
