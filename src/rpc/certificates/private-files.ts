/** Files that hold keys: mode 0600 from their first byte, and refused when others could have read them. */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { KorriganError } from '../../linux/errors.ts';

const OWNER_ONLY = 0o600;

/** Makes the file, whole from its first moment. Fails with EEXIST when there is one: of several who try, one succeeds. */
export function createPrivateFile(path: string, text: string): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, text, { mode: OWNER_ONLY, flag: 'wx', flush: true });
  try {
    linkSync(draft, path);
  } finally {
    rmSync(draft);
  }
}

/** Makes the file or replaces it: whoever reads it, also after a crash, finds the old text or the new one. */
export function replacePrivateFile(path: string, text: string): void {
  const next = `${path}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode: OWNER_ONLY, flag: 'wx', flush: true });
  renameSync(next, path);
}

/** @throws KorriganError KRG_PERMISSION when others than the owner can read it */
export function readPrivateFile(path: string): string {
  if ((statSync(path).mode & 0o077) !== 0)
    throw new KorriganError('KRG_PERMISSION', `${path} holds a private key, but others can read it: chmod 600 ${path}, and make a new key`);
  return readFileSync(path, 'utf8');
}

/** As `readPrivateFile`; undefined when there is no such file. */
export function readPrivateFileIfPresent(path: string): string | undefined {
  try {
    return readPrivateFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
