import { styleText } from 'node:util';
import type { DoctorCheck } from '../../node/api/index.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';

/** What this machine (with `--at`, that of a node) has and lacks; exit status 1 when something essential is missing. */
export async function doctor(options: CommonOptions): Promise<number> {
  const checks = options.at === undefined ? await localChecks() : await nodeClient(options).doctor();
  if (options.json === true) printJson(checks);
  else process.stdout.write(formatChecks(checks));
  return checks.some((check) => check.essential && !check.ok) ? 1 : 0;
}

async function localChecks(): Promise<readonly DoctorCheck[]> {
  const { examineMachine } = await import('../../node/doctor.ts');
  return examineMachine();
}

export function formatChecks(checks: readonly DoctorCheck[]): string {
  const width = Math.max(...checks.map((check) => check.name.length));
  const lines = checks.flatMap((check) => {
    const mark = check.ok ? styleText('green', 'ok     ') : check.essential ? styleText('red', 'MISSING') : styleText('yellow', 'absent ');
    const line = `${mark}  ${check.name.padEnd(width)}  ${check.detail}`;
    return check.ok ? [line] : [line, `${' '.repeat(width + 11)}${check.cost}`];
  });
  const missing = checks.filter((check) => !check.ok);
  const summary =
    missing.length === 0
      ? `all ${checks.length} checks passed: a node can run here with everything`
      : missing.some((check) => check.essential)
        ? 'a node cannot run here until what is MISSING is there'
        : `a node can run here; ${missing.length} of ${checks.length} checks name what it does without`;
  return `${[...lines, summary].join('\n')}\n`;
}
