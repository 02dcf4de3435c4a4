/** Where the copies of moving processes are, and what may become of them: never two that run, never none while one could. */
import type { MembershipChecks } from './check-membership.ts';
import type { NodeId } from '../src/kddm/index.ts';
import type { Container, Copy } from './simulated-container.ts';

export class HandOverChecks {
  readonly #fail: (description: string) => void;
  readonly #membership: MembershipChecks;
  readonly #isTarget: (pid: number, container: Container) => boolean;
  readonly #containers: Container[] = [];
  /** A copy ended with its container, and none ran elsewhere. */
  readonly #lost = new Set<number>();

  constructor(membership: MembershipChecks, fail: (description: string) => void, isTarget: (pid: number, container: Container) => boolean) {
    this.#isTarget = isTarget;
    this.#membership = membership;
    membership.onDead = (life) =>
      this.#containers.filter((container) => container.life === life).forEach((container) => this.ended(container));
    this.#fail = fail;
  }

  created(container: Container): void {
    this.#containers.push(container);
  }

  /** Those that still have it, all of it. */
  #complete(pid: number): { container: Container; copy: Copy }[] {
    return this.#containers.flatMap((container) => {
      const copy = container.copies.get(pid);
      return container.isAlive && copy !== undefined && copy.state !== 'partial' ? [{ container, copy }] : [];
    });
  }

  /** Where it runs, as far as the cluster goes: what is declared dead counts for nobody. */
  runsOn(pid: number): Container[] {
    return this.#complete(pid)
      .filter(({ container, copy }) => copy.state === 'runs' && !this.#membership.dead.has(container.life))
      .map(({ container }) => container);
  }

  /** The container has gone, or is dead for the others. What ran there is lost; whether what was on its way there had run nobody knows: the source gives its copy up. */
  ended(container: Container): void {
    for (const [pid, { state }] of container.copies) {
      const isTarget = this.#isTarget(pid, container);
      const others = this.#complete(pid).filter(({ container: other }) => other !== container);
      const runsElsewhere = others.some(({ copy }) => copy.state === 'runs');
      if (state !== 'partial' && !runsElsewhere && (others.length === 0 || state === 'runs' || isTarget)) this.#lost.add(pid);
    }
  }

  /** After each change. */
  look(pid: number): void {
    const nodes = this.runsOn(pid).map(({ node }) => node);
    if (nodes.length > 1) this.#fail(`process ${pid} runs on nodes ${nodes.join(' and ')}`);
    if (this.#complete(pid).length === 0 && !this.#lost.has(pid))
      this.#fail(`process ${pid} is nowhere any more, though no node died with it`);
  }

  /** Its relatives are told that it was killed with that node. A process that had moved on from there is told of by its home. */
  killed(pid: number, node: NodeId): void {
    const there = this.#complete(pid).find(({ container }) => container.node === node && !this.#membership.dead.has(container.life));
    if (there !== undefined) this.#fail(`process ${pid} is declared killed, though ${this.#where(pid)}`);
  }

  #where(pid: number): string {
    const nodes: NodeId[] = this.#complete(pid).map(({ container }) => container.node);
    return nodes.length === 0 ? 'nobody knows where it went' : `it is on node ${nodes.join(' and ')}`;
  }

  /** Nothing is under way any more. */
  atRest(pid: number): void {
    const nodes = this.runsOn(pid).map(({ node }) => node);
    if (nodes.length !== 1 && !(nodes.length === 0 && this.#lost.has(pid)))
      this.#fail(`process ${pid} does not run in the end: ${this.#where(pid)}`);
  }

  get losses(): number {
    return this.#lost.size;
  }
}
