/**
 * `npm run bench`: moves of programs between two nodes of this machine, calls between two processes, and shared objects, side by side with their floors, in one run.
 *
 * Nothing is asserted: the table says what was seen. Options: `--case NAME` (repeatable), `--list`, `--json FILE`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { formatCalls, measureCalls } from './calls.ts';
import { CASES } from './cases.ts';
import { BenchCluster } from './cluster.ts';
import { measureCriu } from './criu.ts';
import { measure, type Measurement } from './measure.ts';
import { formatKddm, measureKddm } from './kddm.ts';
import { formatProcessList, measureProcessList, PROCESS_LIST } from './process-list.ts';
import { formatRpc, measureRpc } from './rpc.ts';
import { SMALL } from './rpc-definitions.ts';
import { measureSmallProcessFloor } from './small-process-floor.ts';
import { align, formatPhases, formatTable } from './table.ts';

const { values } = parseArgs({
  options: { case: { type: 'string', multiple: true }, json: { type: 'string' }, list: { type: 'boolean', default: false } },
});
if (values.list) {
  console.log(align([...CASES, PROCESS_LIST].map(({ name, title }) => [name, title])));
  process.exit();
}
const unknown = values.case?.find((name) => ![...CASES, PROCESS_LIST].some((bench) => bench.name === name));
if (unknown !== undefined) throw new Error(`there is no case "${unknown}"; --list names them`);
const chosen = values.case === undefined ? CASES : CASES.filter(({ name }) => values.case?.includes(name));

const load = loadavg().map((value) => value.toFixed(2));
const machine = {
  processor: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} CPUs`,
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  kernel: release(),
  hypervisor: readFileSync('/proc/cpuinfo', 'utf8').includes(' hypervisor'),
  loadBefore: load,
};
console.log(
  `${machine.processor}${machine.hypervisor ? ' (virtual machine)' : ''}, ${machine.memory}, Linux ${machine.kernel}; load before: ${load.join(' ')}`,
);
console.log('Two nodes, each a process with its own container, over TCP on loopback. Times in ms, medians and minima.\n');

const measurements: Measurement[] = [];
const failures: { name: string; error: string }[] = [];
let floor: Awaited<ReturnType<typeof measureSmallProcessFloor>> | undefined;
if (chosen.length > 0) {
  await using cluster = await BenchCluster.start();
  for (const bench of chosen) {
    process.stderr.write(`${bench.title} …\n`);
    try {
      measurements.push(await measure(cluster, bench));
    } catch (error) {
      failures.push({ name: bench.name, error: (error as Error).message });
    }
  }
  if (chosen.some(({ name }) => name === 'small')) floor = await measureSmallProcessFloor(cluster);
}
console.log(formatTable(measurements));
console.log(`
seen: the longest gap on its clock that the program itself saw around a move, its own naps of 0.1 ms (python3 0.5 ms, node 1 ms) included
freeze: from the first thread's stop to the last thread's start; total: what the caller of the move waits; TCP: raw copy of the bytes sent\n`);
console.log('Where the freeze goes, by step, as the source sees it (medians)');
console.log(formatPhases(measurements));
for (const { name, error } of failures) console.log(`\n${name}: FAILED: ${error}`);

const small = measurements.find(({ name }) => name === 'small');
if (floor !== undefined && small !== undefined) {
  console.log('\nFloor of the small process: system calls that no engine can leave out (median us)');
  console.log(align(Object.entries(floor).map(([step, time]) => [step, time.toFixed(0)])));
  console.log(`freeze / floor: ${((small.freeze.median * 1000) / floor.sum).toFixed(2)}x`);
}
const processList = values.case === undefined || values.case.includes(PROCESS_LIST.name) ? await measureProcessList() : undefined;
if (processList !== undefined) console.log(`\n${formatProcessList(processList)}`);
const criu = chosen.length > 0 ? await measureCriu() : undefined;
if (criu !== undefined) console.log(`\nCRIU: ${criu.text}`);
if (criu?.downtime !== undefined && small?.seen !== undefined) {
  console.log(
    `small process, dump and restore on one host: ${criu.downtime.median.toFixed(2)} ms seen, ${(criu.downtime.median / small.seen.median).toFixed(1)}x`,
  );
}
const rpc = values.case === undefined ? await measureRpc() : [];
if (rpc.length > 0)
  console.log(`\nCalls and streams between two processes over one link; messages of ${SMALL} bytes, medians\n${formatRpc(rpc)}`);
const kddm = values.case === undefined ? await measureKddm() : undefined;
if (kddm !== undefined)
  console.log(`\nObjects shared by four nodes, each a process; a call of the same size before each sample, medians\n${formatKddm(kddm)}`);
const calls = values.case === undefined ? await measureCalls() : [];
if (calls.length > 0) console.log(`\nCalls that name processes, medians; a spawn on average\n${formatCalls(calls)}`);
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, measurements, failures, floor, criu, rpc, kddm, calls, processList }, null, 2)}\n`,
  );
}
if (failures.length > 0) process.exitCode = 1;
