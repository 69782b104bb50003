/** What PostgreSQL says: `code` is its SQLSTATE, or one of colmeia_flush. */
export class SqlError extends Error {
  readonly code: string;
  readonly constraint: string | undefined;
  constructor(code: string, message: string, constraint?: string) {
    super(message);
    this.code = code;
    this.constraint = constraint;
  }
}
