/**
 * The floor of moving a small process: the system calls that no engine can leave out, timed one kind after the other on a real process. What
 * is in it: stopping the process (seize, interrupt, wait), registers and extended state out, PAGEMAP_SCAN of every area, reading the
 * content; one program of mmaps for as many areas in a stopped process, writing as much content into it, registers and extended state in, detach. Not in it:
 * the network (see the TCP floor), files, signals, timers, credentials.
 */
import { NativeMemory, Pagemap, readDetailedMaps, readMemoryInto, RemoteProcess, Tracee, writeMemoryFrom } from '../src/linux/index.ts';
import { AreaFlags, contentRuns } from '../src/mm/index.ts';
import { summarize } from './statistics.ts';

/** Medians in microseconds, by step; `sum` is all of them. */
export type SystemCallFloor = Record<
  'stop' | 'read state' | 'scan' | 'read memory' | 'map' | 'write memory' | 'write state and detach' | 'sum',
  number
>;

const REPETITIONS = 30;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

export function measureSystemCallFloor(pid: number): SystemCallFloor {
  const samples = new Map<string, number[]>();
  const timed = <T>(step: string, action: () => T): T => {
    const started = performance.now();
    const result = action();
    samples.set(step, [...(samples.get(step) ?? []), (performance.now() - started) * 1000]);
    return result;
  };
  const buffer = NativeMemory.allocate(16 << 20);
  for (let repetition = 0; repetition < REPETITIONS; repetition++) measureOnce(pid, buffer, timed);
  buffer.free();
  const medians = [...samples].map(([step, times]) => [step, summarize(times.slice(REPETITIONS / 3)).median] as const);
  const sum = medians.reduce((total, [, median]) => total + median, 0);
  return Object.fromEntries([...medians, ['sum', sum]]) as SystemCallFloor;
}

function measureOnce(pid: number, buffer: NativeMemory, timed: <T>(step: string, action: () => T) => T): void {
  const areas = new AreaFlags(readDetailedMaps(pid)).describe(pid);
  using pagemap = new Pagemap(pid);
  const tracee = timed('stop', () => {
    const seized = Tracee.seize(pid);
    seized.interrupt();
    seized.wait();
    return seized;
  });
  const { registers, state, mask } = timed('read state', () => ({
    registers: tracee.registers(),
    state: tracee.extendedState(),
    mask: tracee.signalMask(),
  }));
  const runs = timed('scan', () => areas.flatMap((area) => contentRuns(pagemap, area)));
  const lengths = timed('read memory', () => runs.map(({ start, end }) => readMemoryInto(pid, start, buffer.address, end - start)));

  // The other half happens in the same process: its memory is mapped a second time and taken away again.
  const remote = RemoteProcess.holding(pid, [{ tracee, registers, signalMask: mask, groupStop: 0 }]);
  remote.openRegion(areas.length * 64 + 4096);
  const total = areas.reduce((sum, area) => sum + area.end - area.start, 0);
  const place = remote.stepSystemCall('mmap', 0, total, 0, MAP_PRIVATE_ANONYMOUS, -1, 0);
  const program = remote.newProgram({ records: areas.length + 2, data: 0 });
  let at = place;
  for (const area of areas) {
    program.call('mmap', at, area.end - area.start, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | 0x10, -1, 0);
    at += area.end - area.start;
  }
  timed('map', () => remote.run(program));
  timed('write memory', () => {
    let to = place;
    for (const length of lengths) to += writeMemoryFrom(pid, to, buffer.address, length);
  });
  remote.stepSystemCall('munmap', place, total);
  remote.closeRegion();
  timed('write state and detach', () => {
    tracee.setRegisters(registers);
    tracee.setExtendedState(state);
    tracee.setSignalMask(mask);
    tracee.detach();
  });
}
