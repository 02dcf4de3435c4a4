import { isKorriganError, KorriganError } from '../linux/errors.ts';

/** Runs what changes this machine; a refusal by the kernel is told as what it is. @param what such as `start a cluster` */
export async function withRights<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (isKorriganError(cause) || (code !== 'EACCES' && code !== 'EPERM')) throw cause;
    const refused = (cause as Error).message;
    throw new KorriganError('KRG_PERMISSION', `you may not ${what} here (${refused}); do it as root, and see \`krg doctor\``, { cause });
  }
}
