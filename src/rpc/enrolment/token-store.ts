/**
 * The tokens that were given out: a private file each, named by the node's id, with a digest of the secret. Several daemons may use one
 * directory: a file is made by one alone, so that an id is given once, and so is the file beside it that says that a token was used.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { KorriganError } from '../../linux/errors.ts';
import { createPrivateFile, readPrivateFileIfPresent } from '../certificates/private-files.ts';
import type { NodeId } from '../definition.ts';
import { SECRET_BYTES, type Token } from './token.ts';

/** How long a token that was not used is remembered beyond its time, so that it is refused by its name. */
const REMEMBERED_MS = 60 * 60 * 1000;

const entrySchema = z.object({ digest: z.hex().length(64), expires: z.number() });
type Entry = z.infer<typeof entrySchema>;

export class TokenStore {
  readonly #directory: string;
  readonly #now: () => number;

  constructor(directory: string, now: () => number = Date.now) {
    this.#directory = directory;
    this.#now = now;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /**
   * Makes a token for the first id that is free.
   * @param isTaken ids that nodes have @param validMs for how long it is good @throws KorriganError KRG_LIMIT when there is no id up to `last`
   */
  create(isTaken: (id: NodeId) => boolean, last: NodeId, validMs: number): Omit<Token, 'fingerprint'> & { readonly expires: number } {
    this.#forget();
    const secret = randomBytes(SECRET_BYTES);
    const expires = this.#now() + validMs;
    const text = JSON.stringify({ digest: digestOf(secret).toString('hex'), expires } satisfies Entry);
    for (let id = 1; id <= last; id++) {
      if (!isTaken(id) && isMade(this.#path(id), text)) return { id, secret, expires };
    }
    throw new KorriganError('KRG_LIMIT', `no node id up to ${last} is free for another node`);
  }

  /**
   * Whether the token is good, without using it. Only who knows its secret learns more than that it is not.
   * @throws KorriganError KRG_TOKEN_INVALID, KRG_TOKEN_USED, KRG_TOKEN_EXPIRED
   */
  check({ id, secret }: Pick<Token, 'id' | 'secret'>): void {
    const entry = this.#read(this.#path(id));
    if (entry === undefined || !timingSafeEqual(Buffer.from(entry.digest, 'hex'), digestOf(secret)))
      throw new KorriganError('KRG_TOKEN_INVALID', 'the cluster has given out no such token: krg token prints one');
    if (existsSync(this.#usedPath(id))) throw alreadyUsed();
    if (entry.expires <= this.#now())
      throw new KorriganError(
        'KRG_TOKEN_EXPIRED',
        `the token was good until ${new Date(entry.expires).toISOString()}: krg token prints another one`,
      );
  }

  /** Uses the token up. @throws KorriganError as `check` */
  use(token: Pick<Token, 'id' | 'secret'>): void {
    this.check(token);
    if (!isMade(this.#usedPath(token.id), '')) throw alreadyUsed();
  }

  /** Removes tokens that were never used and whose time is long over; their ids are free again. */
  #forget(): void {
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      const entry = /^\d+$/.test(name) ? this.#read(path) : undefined;
      const isOver = entry !== undefined && entry.expires + REMEMBERED_MS < this.#now();
      if (isOver && !existsSync(`${path}.used`)) rmSync(path, { force: true });
    }
  }

  #read(path: string): Entry | undefined {
    const text = readPrivateFileIfPresent(path);
    if (text === undefined) return undefined;
    try {
      return entrySchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new KorriganError('KRG_INTERNAL', `${path} is damaged: remove it`, { cause });
    }
  }

  #path(id: NodeId): string {
    return join(this.#directory, String(id));
  }

  #usedPath(id: NodeId): string {
    return `${this.#path(id)}.used`;
  }
}

function digestOf(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Whether this call has made the file, and not another one before. */
function isMade(path: string, text: string): boolean {
  try {
    createPrivateFile(path, text);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function alreadyUsed(): KorriganError {
  return new KorriganError('KRG_TOKEN_USED', 'the token was used before, and each is good once: krg token prints another one');
}
