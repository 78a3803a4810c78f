/** The same bytes in a buffer of just their size: a view would keep all that lies beside it, in memory or on disk. */
export function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
