export { startOrigin, type RunningOrigin, type StartOriginOptions } from './serve.ts';
export {
  createOriginRouter,
  type OriginOptions,
  type OriginRouter,
  type OriginStats,
  type TrackListing,
} from './router.ts';
export { OriginError, type OriginErrorCode } from './errors.ts';
export { createPublisherKey, readPublisherKey, type PublisherKey } from './publisher-key.ts';
export { hashFile, type FileHashes, type FileStamp } from './file-hashing.ts';
export { readTrackFacts, type TrackFacts } from './audio-facts.ts';
export { assignTrackIds, trackIdFor } from './track-ids.ts';
export {
  staticTrackIds,
  writeStaticManifest,
  type StaticManifest,
  type StaticManifestOptions,
} from './static-manifest.ts';
