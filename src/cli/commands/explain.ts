import { styleText } from 'node:util';
import { errorKind } from '../../linux/errors.ts';
import type { Explanation, ResourceVerdict, Verdict } from '../../node/api/index.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatTable, printable, printJson } from '../output.ts';
import type { Column } from '../output.ts';
import { parsePid } from '../pids.ts';

/** What a process holds and what a move would do to each; the exit status is that of KRG_NOT_MOVABLE when it could not move. */
export async function explain(pid: string, node: string | undefined, options: CommonOptions): Promise<number> {
  const explanation = await nodeClient(options).explain(parsePid(pid), node);
  if (options.json === true) printJson(explanation);
  else process.stdout.write(formatExplanation(explanation));
  return explanation.movable ? 0 : errorKind('KRG_NOT_MOVABLE').exit;
}

export function formatExplanation(explanation: Explanation): string {
  const { pid, command, node, target, movable, resources } = explanation;
  const where = target === null ? 'to another node' : `to ${target}`;
  const refused = resources.filter((resource) => resource.verdict === 'refused').length;
  const verdict = movable ? styleText('green', `can move ${where}`) : styleText('red', `cannot move ${where}: ${refused} refused`);
  return `${pid} (${printable(command)}) on ${node} ${verdict}\n${formatTable(columns(explanation), resources)}`;
}

const COLOURS: Readonly<Record<Verdict, 'green' | 'cyan' | 'yellow' | 'red'>> = {
  moves: 'green',
  reconnects: 'cyan',
  relayed: 'cyan',
  lost: 'yellow',
  refused: 'red',
};

function columns({ pid, resources }: Explanation): readonly Column<ResourceVerdict>[] {
  const several = resources.some((resource) => resource.pid !== pid);
  const owner: Column<ResourceVerdict> = { title: 'PID', align: 'right', value: (resource) => String(resource.pid) };
  return [
    ...(several ? [owner] : []),
    { title: 'VERDICT', value: ({ verdict }) => verdict, style: (text, { verdict }) => styleText(COLOURS[verdict], text) },
    { title: 'RESOURCE', value: ({ resource }) => resource },
    { title: 'WHAT', value: ({ detail, reason }) => [detail, reason].filter(Boolean).join(': ') },
  ];
}
