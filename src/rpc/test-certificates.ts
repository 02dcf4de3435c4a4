/** For the tests of this module: authorities in temporary directories. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from './certificates/authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'korrigan-authorities-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let made = 0;

export function createTestAuthority(cluster = 'test'): Promise<CertificateAuthority> {
  return CertificateAuthority.create(join(folder, String(made++)), cluster);
}
