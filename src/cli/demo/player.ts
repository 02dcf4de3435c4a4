/** The running demo: moves the counting program when it is told to, and keeps what the picture shows. */
import { readFileSync } from 'node:fs';
import { KorriganError } from '../../linux/errors.ts';
import type { NodeClient } from '../../node/api/index.ts';
import { describeResult } from '../commands/migrate.ts';
import { examineNumbers, numbersPath } from './counting.ts';
import type { DemoState } from './view.ts';

export interface PlayerOptions {
  readonly client: NodeClient;
  readonly directory: string;
  readonly nodes: readonly string[];
  /** Where the program is. */
  readonly at: string;
  readonly pid: number;
  readonly moves: number;
}

export class Player {
  automatic = false;
  readonly #options: PlayerOptions;
  readonly #downtimes: number[] = [];
  #at: string;
  #moving: string | undefined;
  #move: Promise<string | undefined> = Promise.resolve(undefined);
  #processes: DemoState['processes'] = [];

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#at = options.at;
  }

  get finished(): boolean {
    return this.#downtimes.length >= this.#options.moves;
  }

  get downtimesMicroseconds(): readonly number[] {
    return this.#downtimes;
  }

  get state(): DemoState {
    const { nodes, pid, moves } = this.#options;
    const shown = { nodes, pid, moves, number: this.number(), processes: this.#processes, automatic: this.automatic };
    return { ...shown, moving: this.#moving, downtimesMicroseconds: this.#downtimes };
  }

  /** The last number written. */
  number(): number {
    return examineNumbers(readFileSync(numbersPath(this.#options.directory), 'utf8')).numbers;
  }

  /** Looks again at what runs where. */
  async look(): Promise<void> {
    this.#processes = await this.#options.client.processes();
  }

  /** Moves the program, with its children, to a node or to the next one; nothing while a move is under way. @returns a line that tells of it */
  move(target: string = this.#next()): Promise<string | undefined> {
    if (this.#moving !== undefined || this.finished || target === this.#at) return Promise.resolve(undefined);
    this.#move = this.#moveTo(target);
    return this.#move;
  }

  /** Resolves when no move is under way. @throws what the last move failed with */
  async settled(): Promise<void> {
    await this.#move;
  }

  async #moveTo(target: string): Promise<string> {
    this.#moving = target;
    try {
      const [result] = await this.#options.client.migrate({ pids: [this.#options.pid], node: target, tree: true });
      if (result === undefined || result.outcome === 'failed') {
        throw result === undefined
          ? new KorriganError('KRG_INTERNAL', 'the daemon said nothing of the move')
          : KorriganError.fromJSON(result.error);
      }
      this.#at = target;
      if (result.outcome === 'moved') this.#downtimes.push(result.downtimeMicroseconds);
      return describeResult(result);
    } finally {
      this.#moving = undefined;
    }
  }

  #next(): string {
    const { nodes } = this.#options;
    return nodes[(nodes.indexOf(this.#at) + 1) % nodes.length] ?? '';
  }
}
