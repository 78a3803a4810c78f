/** Loaded on demand. A module of its own, so that bundlers leave the other algorithms of `hash-wasm` out. */
export { createSHA256, createSHA512 } from 'hash-wasm';
