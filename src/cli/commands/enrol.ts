import { KorriganError } from '../../linux/errors.ts';
import { printJson } from '../output.ts';
import { readToken } from '../token-input.ts';

export interface EnrolOptions {
  readonly token: string;
  readonly output: string;
  readonly json?: boolean;
}

/** Gets a certificate for a token; the key is made here and stays here. */
export async function enrol(address: string, options: EnrolOptions): Promise<number> {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || port === undefined)
    throw new KorriganError('KRG_USAGE', `an address is host:port, as krg token prints it, not "${address}"`);
  const token = await readToken(options.token);
  const { enrolInto } = await import('../../node/enrol.ts');
  const { cluster, id } = await enrolInto({ host, port: Number(port) }, token, options.output);
  if (options.json === true) printJson({ cluster, id, file: options.output });
  else process.stdout.write(`${options.output} holds the key and the certificate of node ${id} of ${cluster}\n`);
  return 0;
}
