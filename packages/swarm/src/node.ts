export { loadNodeRtc } from './links/node-rtc.ts';
export { openFileStore } from './store/file-store.ts';
export {
  createLocalServer,
  type LocalServer,
  type LocalServerOptions,
  type TrackOpener,
} from './playback/local-server.ts';
