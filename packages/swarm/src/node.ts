export { loadNodeRtc } from './links/node-rtc.ts';
export { openFileStore } from './store/file-store.ts';
