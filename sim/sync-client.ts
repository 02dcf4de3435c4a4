/** A program that uses sync: does its steps one after the other, and tells what it does and sees. */
import { type Client, keyOf, type Reply, type Request } from '../src/sync/index.ts';
import type { SyncRecorder } from './sync-recorder.ts';
import { PARTIES, type SyncClientPlan, type SyncStep, UNITS } from './sync-scenario.ts';

export interface SyncClientHost {
  readonly nowMs: number;
  readonly recorder: SyncRecorder;
  after(delayMs: number, run: () => void): void;
  /** @returns the id of the request */
  ask(node: number, client: Client, request: Request, onReply: (reply: Reply) => void): number;
  /** The program was killed. */
  clientGone(node: number, client: number): void;
  nextClient(): Client;
}

type Wanted = { readonly kind: 'ask'; readonly request: Request } | { readonly kind: 'pause'; readonly ms: number };
type Script = Generator<Wanted, void, Reply>;

export class SyncClient {
  readonly #host: SyncClientHost;
  readonly #plan: SyncClientPlan;
  #next = 0;
  #client: Client;
  /** Counts its deaths, and those of its node. */
  #life = 0;
  waitsFor: string | undefined;
  isBusy = false;

  constructor(host: SyncClientHost, plan: SyncClientPlan) {
    this.#host = host;
    this.#plan = plan;
    this.#client = host.nextClient();
  }

  get node(): number {
    return this.#plan.node;
  }

  get isDone(): boolean {
    return this.#next >= this.#plan.steps.length && !this.isBusy;
  }

  start(): void {
    const step = this.#plan.steps[this.#next];
    this.isBusy = step !== undefined;
    if (step === undefined) return;
    this.#later(step.pauseMs, () => {
      this.#next++;
      if (step.diesAfterMs !== undefined) this.#later(step.diesAfterMs, () => this.#die(this.#next));
      this.#drive(script(step));
    });
  }

  #die(step: number): void {
    if (this.#next !== step) return;
    this.#host.clientGone(this.#plan.node, this.#client.client);
    this.#end();
    this.start();
  }

  #end(): void {
    this.#life++;
    this.waitsFor = undefined;
    this.isBusy = false;
    this.#client = this.#host.nextClient();
  }

  /** Its node died, or is no part of the cluster any more. */
  nodeDied(): void {
    this.#end();
  }

  /** Its node does not come back. */
  stop(): void {
    this.#end();
    this.#next = this.#plan.steps.length;
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#host.after(delayMs, () => {
      if (life === this.#life) run();
    });
  }

  #drive(running: Script, reply?: Reply): void {
    const { done, value } = reply === undefined ? running.next() : running.next(reply);
    if (done === true) return this.start();
    if (value.kind === 'pause') return this.#later(value.ms, () => this.#drive(running, { kind: 'done' }));
    const { request } = value;
    const life = this.#life;
    this.waitsFor = JSON.stringify(request);
    this.#host.ask(this.#plan.node, this.#client, request, (answer) => {
      if (life !== this.#life) return;
      this.waitsFor = undefined;
      this.#drive(running, answer);
    });
  }
}

function ask(request: Request): Wanted {
  return { kind: 'ask', request };
}

function* script(step: SyncStep): Script {
  const { place, timeoutMs, holdMs } = step;
  switch (step.kind) {
    case 'lock': {
      const key = keyOf('lock', '', `lock${place}`);
      const reply = yield ask({ kind: 'acquire', key, mode: step.mode, timeoutMs });
      if (reply.kind === 'not-recoverable') yield ask({ kind: 'remove', key });
      if (reply.kind === 'granted') yield* hold(reply, holdMs, step.repairs);
      return;
    }
    case 'units': {
      const key = keyOf('semaphore', '', `units${place}`);
      yield ask({ kind: 'create-semaphore', key, value: UNITS });
      const reply = yield ask({ kind: 'take', key, count: step.count, undo: step.undo, timeoutMs });
      if (reply.kind !== 'granted') return;
      yield { kind: 'pause', ms: holdMs };
      if (step.undo) yield ask({ kind: 'give-back', claim: reply.claim });
      else yield ask({ kind: 'post', key, count: step.count });
      return;
    }
    case 'barrier':
      yield ask({ kind: 'arrive', key: keyOf('barrier', '', `barrier${place}`), parties: PARTIES, timeoutMs });
      return;
    case 'wait':
    case 'signal': {
      const key = keyOf('lock', '', `guard${place}`);
      const condition = keyOf('condition', '', `condition${place}`);
      const reply = yield ask({ kind: 'acquire', key, mode: 'exclusive', timeoutMs: undefined });
      if (reply.kind === 'not-recoverable') yield ask({ kind: 'remove', key });
      if (reply.kind !== 'granted') return;
      if (step.kind === 'signal') yield ask({ kind: 'signal', key: condition, count: step.count });
      const after: Reply = step.kind === 'wait' ? yield ask({ kind: 'wait', key: condition, lock: reply.claim, timeoutMs }) : reply;
      if (after.kind === 'granted' || after.kind === 'signalled' || after.kind === 'not-signalled') yield* hold(after, holdMs, true);
      return;
    }
    case 'ids':
      yield ask({ kind: 'reserve', key: keyOf('counter', '', `ids${place}`), count: step.count });
      return;
  }
}

type Held = Reply & { readonly kind: 'granted' | 'signalled' | 'not-signalled' };

function* hold({ claim, ownerDied }: Held, holdMs: number, repairs: boolean): Script {
  if (ownerDied && repairs) yield ask({ kind: 'repair', claim });
  yield { kind: 'pause', ms: holdMs };
  yield ask({ kind: 'release', claim });
}
