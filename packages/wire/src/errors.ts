/** Every reason for which a message, frame or manifest is refused while it is read. */
export type ProtocolErrorCode =
  | 'bad-json'
  | 'bad-type'
  | 'bad-field'
  | 'bad-frame'
  | 'too-large'
  | 'manifest-invalid'
  | 'signature-invalid';

/**
 * The one error that parsing throws. `path` names the offending field
 * (`chunks[3]`, `audio.sampleRate`), so that an operator can find it.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;
  readonly path: string | undefined;

  constructor(code: ProtocolErrorCode, message: string, path?: string) {
    super(path === undefined ? message : `${path}: ${message}`);
    this.code = code;
    this.path = path;
  }
}
