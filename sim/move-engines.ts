/**
 * The two ends of one move, as the engines of `src/epm` (`source`, `target`) go through it: what is sent over their connection in its order, a state in the
 * journal before its effects, and time between any two of these. `hand-over` decides.
 */
import type { JournalEntry, SettlementsOptions, SourceRecord, TargetRecord } from '../src/epm/index.ts';
import type { Daemon, Machines } from './machines.ts';
import type { Container } from './simulated-container.ts';

/** Between two steps of an engine, at most. */
const STEP_MS = 20;

export type Decide = NonNullable<SettlementsOptions['decide']>;

export interface EngineOptions {
  readonly daemon: Daemon;
  readonly container: Container;
  readonly pid: number;
  readonly decide: Decide;
  /** The copies of the process have changed. */
  readonly onChange: () => void;
  readonly fails: boolean;
}

/** One end of the connection of a move. */
export class Connection {
  readonly #machines: Machines;
  readonly #daemon: Daemon;
  readonly #peer: number;
  #other: Connection | undefined;
  readonly #arrived: string[] = [];
  #wake: (() => void) | undefined;
  #isLost = false;

  constructor(machines: Machines, daemon: Daemon, peer: number) {
    this.#machines = machines;
    this.#daemon = daemon;
    this.#peer = peer;
    machines.links.whenLost(daemon, peer, () => this.lose());
  }

  join(other: Connection): void {
    this.#other = other;
    other.#other = this;
    if (other.#isLost) this.lose();
  }

  get isJoined(): boolean {
    return this.#other !== undefined;
  }

  lose(): void {
    if (!this.#daemon.isUp) return;
    this.#isLost = true;
    this.#wake?.();
  }

  send(message: string): void {
    const other = this.#other;
    if (this.#isLost || other === undefined) return;
    const arrive = (): void => {
      if (other.#isLost) return;
      this.#machines.trace(() => `${this.#daemon.id} > ${this.#peer} ${message}`);
      other.#arrived.push(message);
      other.#wake?.();
    };
    this.#machines.links.send({ from: this.#daemon, to: this.#peer, arrive, onLost: () => this.lose() });
  }

  /** @throws Error when it is lost, and all that came before has been received */
  async receive(): Promise<string> {
    while (this.#arrived.length === 0 && !this.#isLost) await new Promise<void>((resolve) => (this.#wake = resolve));
    const message = this.#arrived.shift();
    if (message === undefined) throw new Error('the connection is lost');
    return message;
  }
}

function pause({ clock, random }: Daemon): Promise<void> {
  return clock.delay(random.next() * STEP_MS);
}

/** @returns whether the move is over; else nobody knows what has become of it, and it must be settled */
export async function runSource(
  entry: JournalEntry<SourceRecord>,
  connection: Connection,
  options: EngineOptions,
): Promise<'moved' | 'aborted' | 'unconfirmed'> {
  const { daemon, container, pid, decide, onChange, fails } = options;
  const step = async (event: Parameters<Decide['stepSource']>[1]): Promise<void> => {
    const { state, effects } = decide.stepSource(entry.state, event);
    entry.setState(state);
    await pause(daemon);
    for (const effect of effects) {
      if (effect.kind === 'send') connection.send(effect.message);
      else if (effect.kind === 'resume') container.copies.set(pid, { state: 'runs', isHeldByGroup: false });
      else if (effect.kind === 'deflate') container.copies.delete(pid);
      onChange();
    }
  };
  const expect = async (kind: string): Promise<void> => {
    const message = await connection.receive();
    if (message !== kind) throw new Error(`"${message}" came where "${kind}" was due`);
  };
  try {
    await pause(daemon);
    const copy = container.copies.get(pid);
    if (copy === undefined) throw new Error('there is no such process');
    entry.update({ cgroup: 'group' });
    copy.state = 'held';
    await step({ kind: 'frozen' });
    connection.send('complete');
    copy.isHeldByGroup = true;
    await pause(daemon);
    if (fails) throw new Error('something failed');
    await expect('imported');
    await step({ kind: 'message', message: 'imported' });
    await expect('running');
    await step({ kind: 'message', message: 'running' });
    return 'moved';
  } catch {
    if (entry.state === 'preparing' || entry.state === 'frozen') await step({ kind: 'failed' });
    if (entry.state !== 'committed' && entry.state !== 'done') return 'aborted';
    return 'unconfirmed';
  }
}

export async function runTarget(
  entry: JournalEntry<TargetRecord>,
  connection: Connection,
  options: EngineOptions,
): Promise<'arrived' | 'given up' | 'undecided'> {
  const { daemon, container, pid, decide, onChange, fails } = options;
  const step = async (event: Parameters<Decide['stepTarget']>[1]): Promise<void> => {
    const { state, effects } = decide.stepTarget(entry.state, event);
    entry.setState(state);
    await pause(daemon);
    for (const effect of effects) {
      if (effect.kind === 'send') connection.send(effect.message);
      else if (effect.kind === 'run') container.copies.set(pid, { state: 'runs', isHeldByGroup: false });
      else if (effect.kind === 'discard') container.copies.delete(pid);
      onChange();
    }
  };
  try {
    container.copies.set(pid, { state: 'partial', isHeldByGroup: false });
    for (;;) {
      const message = await connection.receive();
      await pause(daemon);
      if (message === 'abort') {
        await step({ kind: 'message', message });
        return 'given up';
      }
      if (message === 'commit') {
        await step({ kind: 'message', message });
        return 'arrived';
      }
      if (fails) throw new Error('something failed');
      container.copies.set(pid, { state: 'held', isHeldByGroup: true });
      await step({ kind: 'imported' });
    }
  } catch {
    if (entry.state === 'preparing') await step({ kind: 'failed' });
    return entry.state === 'imported' ? 'undecided' : 'given up';
  }
}
