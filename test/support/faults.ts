/** Faults at chosen moments of a move (src/epm/fault-points.ts), for daemons that are started with this directory in their environment. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FaultPoint } from '../../src/epm/index.ts';
import { eventually } from './cluster.ts';

export class Faults implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-faults-'));

  constructor() {
    process.env['KORRIGAN_FAULTS'] = this.directory;
  }

  /** At this point, once. */
  kill(node: number, point: FaultPoint): void {
    writeFileSync(this.file(node, point), 'kill');
  }

  pause(node: number, point: FaultPoint): void {
    writeFileSync(this.file(node, point), 'pause');
  }

  /** Lets the daemon go on that waits at a point. */
  goOn(node: number, point: FaultPoint): void {
    rmSync(`${this.file(node, point)}.reached`);
  }

  wasReached(node: number, point: FaultPoint): boolean {
    return existsSync(`${this.file(node, point)}.reached`);
  }

  async reached(node: number, point: FaultPoint): Promise<void> {
    await eventually(`node ${node} to come to ${point}`, () => this.wasReached(node, point));
  }

  /** Nothing is disturbed any more. */
  forget(node: number, point: FaultPoint): void {
    for (const file of [this.file(node, point), `${this.file(node, point)}.reached`]) rmSync(file, { force: true });
  }

  [Symbol.dispose](): void {
    delete process.env['KORRIGAN_FAULTS'];
    rmSync(this.directory, { recursive: true, force: true });
  }

  private file(node: number, point: FaultPoint): string {
    return join(this.directory, `${node}.${point}`);
  }
}
