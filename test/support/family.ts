/** A family of processes that a test gives orders to (test/programs/workloads/relative.c), and what each of them has seen. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, type TestCluster } from './cluster.ts';
import { buildProgram } from './programs.ts';

const SIGKILL = 9;

export class Family {
  private readonly cluster: TestCluster;
  private readonly directory: string;
  private readonly pids = new Map<string, number>();
  private echoes = 0;

  private constructor(cluster: TestCluster, directory: string) {
    this.cluster = cluster;
    this.directory = directory;
  }

  /** Starts the member `root`. */
  static async start(cluster: TestCluster, name: string, node = 1): Promise<Family> {
    const directory = join(cluster.directory, name);
    mkdirSync(directory, { mode: 0o777 });
    const family = new Family(cluster, directory);
    const program = await buildProgram('relative');
    family.pids.set('root', await cluster.start(`${program} ${directory} root`, '/dev/null', {}, node));
    await family.sees('root', 'born');
    return family;
  }

  pid(member: string): number {
    return this.pids.get(member) ?? assert.fail(`${member} was not born`);
  }

  /** Gives an order. Does not wait. */
  order(member: string, order: string): void {
    appendFileSync(join(this.directory, `${member}.do`), `${order}\n`);
  }

  /** Gives an order, and waits until it was carried out. */
  async do(member: string, order: string): Promise<string> {
    const at = this.log(member).length;
    const [word = ''] = order.split(' ');
    this.order(member, order);
    return eventually(`${member} to ${order}; it saw ${this.log(member).join('; ')}`, () =>
      this.log(member)
        .slice(at)
        .find((line) => line.startsWith(word)),
    );
  }

  async fork(parent: string, child: string): Promise<void> {
    this.order(parent, `fork ${child}`);
    const line = await this.sees(parent, new RegExp(`^forked ${child} \\d+$`));
    this.pids.set(child, Number(line.split(' ').at(-1)));
    await this.sees(child, 'born');
  }

  async move(member: string, node: number, tree = false): Promise<void> {
    await this.cluster.move(this.pid(member), node, tree);
    await this.isAlive(member);
  }

  /** Everything that a member has written down. */
  log(member: string): string[] {
    try {
      return readFileSync(join(this.directory, `${member}.log`), 'utf8')
        .trim()
        .split('\n');
    } catch {
      return [];
    }
  }

  async sees(member: string, what: string | RegExp): Promise<string> {
    const is = (line: string): boolean => (typeof what === 'string' ? line === what : what.test(line));
    return eventually(`${member} to see ${what}`, () => this.log(member).find(is)).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it saw: ${this.log(member).join('; ')}`);
    });
  }

  /** It obeys, so it has written down everything that it had seen until now. */
  async isAlive(member: string): Promise<void> {
    const echo = `echo-${this.echoes++}`;
    this.order(member, echo);
    await this.sees(member, echo);
  }

  /** Exactly this is what a member has seen of children, signals and waits, each in this order. */
  async hasSeen(member: string, expected: readonly string[]): Promise<void> {
    for (const line of expected) await this.sees(member, line);
    await this.isAlive(member);
    // The kernel wakes who waits for a continuation before it sends SIGCHLD.
    for (const kind of ['child ', 'wait ', 'signal ']) {
      const of = (lines: readonly string[]): string[] => lines.filter((line) => line.startsWith(kind));
      assert.deepEqual(of(this.log(member)), of(expected));
    }
  }

  /** What a parent sees of the end of a child. @param code CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3 */
  ended(child: string, code: number, status: number, word: number): string[] {
    return [`child ${this.pid(child)} code ${code} status ${status} uid 0`, `wait ${this.pid(child)} ${word.toString(16)}`];
  }

  stopped(child: string, signal: number): string[] {
    return [`child ${this.pid(child)} code 5 status ${signal} uid 0`, `wait ${this.pid(child)} ${((signal << 8) | 0x7f).toString(16)}`];
  }

  continued(child: string): string[] {
    return [`child ${this.pid(child)} code 6 status 18 uid 0`, `wait ${this.pid(child)} ffff`];
  }

  /** Its pid is free on all nodes. */
  async isGone(member: string): Promise<void> {
    const pid = this.pid(member);
    await eventually(`${member} (${pid}) to be gone`, async () => {
      const processes = await this.cluster.client.processes({ husks: true });
      return processes.every((process) => process.pid !== pid);
    });
  }

  /** Ends everybody that still lives. */
  async end(): Promise<void> {
    for (const pid of this.pids.values()) {
      await this.cluster.client.kill(pid, SIGKILL).catch((error: unknown) => assert.match(String(error), /no process|ended/));
    }
  }
}
