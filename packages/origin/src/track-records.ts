import { hash } from 'node:crypto';
import { isRootHash, LIMITS } from '@sonantica/wire';
import type { TrackFacts } from './audio-facts.ts';
import type { CacheFolder } from './cache-folder.ts';
import { isSameStamp, treeOver, type FileHashes, type FileStamp } from './file-hashing.ts';

/** Of which file something is kept: its path in the library, and its state. */
export interface RecordedFile {
  readonly path: string;
  readonly stamp: FileStamp;
}

/** What every record begins with. */
interface TrackRecord extends RecordedFile {
  readonly format: 1;
}

interface FactsRecord extends TrackRecord {
  readonly facts: TrackFacts;
}

/** The leaves lie beside it; the chunk hashes follow from them. */
interface HashesRecord extends TrackRecord {
  readonly chunkSize: number;
  readonly root: string;
  readonly sha256: string;
}

/**
 * What was found out about files, kept in the cache folder. Nothing is taken on trust when it is read: not
 * a record of another state of the file, nor hashes that do not come to their root. What does not hold is
 * as good as absent, so the folder may be damaged or deleted at any time.
 */
export class TrackRecords {
  readonly #folder: CacheFolder;

  constructor(folder: CacheFolder) {
    this.#folder = folder;
  }

  async readFacts(file: RecordedFile): Promise<TrackFacts | undefined> {
    const record = await this.#read(factsName(file.path), file, isFactsRecord);
    return record?.facts;
  }

  async writeFacts({ path, stamp }: RecordedFile, facts: TrackFacts): Promise<void> {
    const record: FactsRecord = { format: 1, path, stamp, facts };
    await this.#folder.write(factsName(path), JSON.stringify(record));
  }

  /** The hashes of a file in chunks of this size. */
  async readHashes(file: RecordedFile, chunkSize: number): Promise<FileHashes | undefined> {
    const record = await this.#read(hashesName(file.path), file, isHashesRecord);
    if (record?.chunkSize !== chunkSize) return undefined;
    const { stamp, root, sha256 } = record;
    const leaves = await this.#folder.read(leavesName(file.path, root));
    const blocks = Math.ceil(stamp.size / LIMITS.blockBytes);
    if (leaves?.length !== blocks * LIMITS.hashBytes) return undefined;
    const tree = await treeOver({ size: stamp.size, chunkSize }, leaves);
    return tree.root === root ? { stamp, chunkSize, leaves, sha256, ...tree } : undefined;
  }

  /** Keeps the hashes of a file in the place of those of its former states. */
  async writeHashes(path: string, { stamp, chunkSize, root, sha256, leaves }: FileHashes): Promise<void> {
    const before = parse(await this.#folder.read(hashesName(path)), isHashesRecord);
    const record: HashesRecord = { format: 1, path, stamp, chunkSize, root, sha256 };
    await this.#folder.write(leavesName(path, root), leaves);
    await this.#folder.write(hashesName(path), JSON.stringify(record));
    if (before !== undefined && before.root !== root)
      await this.#folder.remove(leavesName(path, before.root));
  }

  /** Where the leaves of a version lie, `undefined` where they are gone. */
  leavesPath(path: string, root: string): Promise<string | undefined> {
    return this.#folder.pathOf(leavesName(path, root));
  }

  async #read<R extends TrackRecord>(
    name: string,
    file: RecordedFile,
    isRecord: (record: Partial<R>) => record is R,
  ): Promise<R | undefined> {
    const record = parse(await this.#folder.read(name), isRecord);
    return record?.path === file.path && isSameStamp(record.stamp, file.stamp) ? record : undefined;
  }
}

/** Names in the cache are hashes of the path: any path makes a name that any file system takes. */
function cacheKey(path: string): string {
  return hash('sha256', path, 'hex').slice(0, 32);
}

function factsName(path: string): string {
  return `${cacheKey(path)}.facts.json`;
}

function hashesName(path: string): string {
  return `${cacheKey(path)}.hashes.json`;
}

/** Leaves are named by version: a reader never gets those of another one. */
function leavesName(path: string, root: string): string {
  return `${cacheKey(path)}-${root.slice(0, 16)}.leaves`;
}

function parse<R extends TrackRecord>(
  content: Buffer | undefined,
  isRecord: (record: Partial<R>) => record is R,
): R | undefined {
  if (content === undefined) return undefined;
  let json: Partial<R> | null;
  try {
    json = JSON.parse(content.toString());
  } catch {
    return undefined;
  }
  const stamp = json?.stamp;
  if (json?.format !== 1 || typeof stamp?.size !== 'number' || typeof stamp.mtimeMs !== 'number')
    return undefined;
  return isRecord(json) ? json : undefined;
}

function isFactsRecord(record: Partial<FactsRecord>): record is FactsRecord {
  return typeof record.facts?.title === 'string';
}

function isHashesRecord(record: Partial<HashesRecord>): record is HashesRecord {
  return isRootHash(record.root) && isRootHash(record.sha256);
}
