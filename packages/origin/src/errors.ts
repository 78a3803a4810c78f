/** Every reason for which the origin refuses or fails, with the HTTP status it is answered with. */
export const ORIGIN_ERROR_STATUS = {
  'bad-request': 400,
  'track-not-found': 404,
  'version-not-found': 404,
  'not-found': 404,
  'method-not-allowed': 405,
  'precondition-failed': 412,
  'range-not-satisfiable': 416,
  'file-unsuitable': 422,
  internal: 500,
  'file-changing': 503,
  'file-unreadable': 503,
  'cache-unwritable': 503,
  'key-invalid': 500,
} as const;

/** The closed set of codes in `{ error: { code, message } }` and in {@link OriginError}. */
export type OriginErrorCode = keyof typeof ORIGIN_ERROR_STATUS;

/** The one error this package throws on purpose. `message` is fit to be shown to whoever asked. */
export class OriginError extends Error {
  override readonly name = 'OriginError';
  readonly code: OriginErrorCode;

  constructor(code: OriginErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The HTTP status this error is answered with. */
  get status(): number {
    return ORIGIN_ERROR_STATUS[this.code];
  }
}

/** The `code` of a system error (`ENOENT`, `EADDRINUSE`…), or `undefined` for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
