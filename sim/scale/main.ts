/**
 * `npm run sim:scale [-- --nodes 10,100,1000 --objects 10000 --operations 1000]`: measures in the simulator what the object manager and the membership cost with so many
 * nodes, and writes docs/scale.md and docs/scale.svg. A thousand nodes need about 12 GB and some minutes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureMembership, type MembershipCosts } from './measure-membership.ts';
import { measureObjects, type ObjectCosts } from './measure-objects.ts';
import { type Line, plot } from './plot.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10,100,1000' },
    objects: { type: 'string', default: '10000' },
    operations: { type: 'string', default: '1000' },
    /** Beyond it the objects are not measured, for they need too much memory. */
    'most-object-nodes': { type: 'string', default: '1000' },
  },
});

const docs = join(import.meta.dirname, '../../docs');
const TABLE = /(<!-- table -->\n)[\s\S]*(<!-- end of the table -->)/;

function inShort(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(2)));
}

/** A row for each quantity, a column for each number of nodes. */
function table(counts: readonly number[], objects: readonly ObjectCosts[], membership: readonly MembershipCosts[]): string {
  const rows: [string, readonly number[]][] = [
    ['read of an object that another node wrote: messages', objects.map(({ read }) => read.messages)],
    ['… bytes', objects.map(({ read }) => read.bytes)],
    ['write of an object that two others read: messages', objects.map(({ write }) => write.messages)],
    ['… bytes', objects.map(({ write }) => write.bytes)],
    ['reconfiguration of the objects: messages', objects.map(({ reconfiguration }) => reconfiguration.messages)],
    ['… bytes', objects.map(({ reconfiguration }) => reconfiguration.bytes)],
    ['… ms of simulated time', objects.map(({ reconfiguration }) => reconfiguration.milliseconds)],
    ['… ms of a processor, for each node', objects.map(({ nodes, reconfiguration }) => reconfiguration.processorMilliseconds / nodes)],
    ['signs of life: sent by each node in a second', membership.map(({ signs }) => signs.perSecond)],
    ['… by all', membership.map(({ nodes, signs }) => nodes * signs.perSecond)],
    ['… µs of a processor to handle one', membership.map(({ signs }) => signs.microseconds)],
    ['crash to detection, at least: ms', membership.map(({ detectionMilliseconds }) => detectionMilliseconds.least)],
    ['… at most', membership.map(({ detectionMilliseconds }) => detectionMilliseconds.most)],
    ['agreement on a death, until all know: ms', membership.map(({ agreement }) => agreement.milliseconds)],
    ['… messages', membership.map(({ agreement }) => agreement.messages)],
    ['… bytes', membership.map(({ agreement }) => agreement.bytes)],
  ];
  return [
    `| | ${counts.map((nodes) => `${nodes.toLocaleString('en')} nodes`).join(' | ')} |`,
    `|---|${counts.map(() => '---:').join('|')}|`,
    ...rows.map(([name, row]) => `| ${name} | ${counts.map((_, index) => inShort(row[index])).join(' | ')} |`),
  ].join('\n');
}

function lines(objects: readonly ObjectCosts[], membership: readonly MembershipCosts[]): Line[] {
  return [
    { name: 'messages per read', colour: '#1b7837', points: objects.map(({ nodes, read }) => [nodes, read.messages]) },
    { name: 'messages per write', colour: '#7fbf7b', points: objects.map(({ nodes, write }) => [nodes, write.messages]) },
    {
      name: 'signs of life per node and second',
      colour: '#762a83',
      points: membership.map(({ nodes, signs }) => [nodes, signs.perSecond]),
    },
    {
      name: 'crash to detection, ms',
      colour: '#2166ac',
      points: membership.map(({ nodes, detectionMilliseconds }) => [nodes, detectionMilliseconds.most]),
    },
    {
      name: 'messages per reconfiguration',
      colour: '#b2182b',
      points: objects.map(({ nodes, reconfiguration }) => [nodes, reconfiguration.messages]),
    },
  ];
}

const counts = values.nodes.split(',').map(Number);
const objects: ObjectCosts[] = [];
const membership: MembershipCosts[] = [];
for (const nodes of counts) {
  membership.push(await measureMembership(nodes));
  console.log(JSON.stringify(membership.at(-1)));
  if (nodes > Number(values['most-object-nodes'])) continue;
  objects.push(measureObjects(nodes, Number(values.objects), Number(values.operations)));
  console.log(JSON.stringify(objects.at(-1)));
}
const path = join(docs, 'scale.md');
const processor = cpus()[0]?.model ?? 'an unknown processor';
const content = `${Number(values.objects).toLocaleString('en')} objects of 4 bytes; processor times on ${processor}.`;
const measured = `${table(counts, objects, membership)}\n\n${content}\n`;
writeFileSync(
  path,
  readFileSync(path, 'utf8').replace(TABLE, (_, start: string, end: string) => `${start}${measured}${end}`),
);
writeFileSync(join(docs, 'scale.svg'), plot(lines(objects, membership)));
