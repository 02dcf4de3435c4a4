/** Faults at chosen moments of a move (src/epm/fault-points.ts), for daemons that are started with this directory in their environment. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './cluster.ts';

export class Faults implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-faults-'));

  constructor() {
    process.env['KORRIGAN_FAULTS'] = this.directory;
  }

  /** At this point, once. */
  kill(node: number, point: string): void {
    writeFileSync(this.file(node, point), 'kill');
  }

  pause(node: number, point: string): void {
    writeFileSync(this.file(node, point), 'pause');
  }

  goOn(node: number, point: string): void {
    rmSync(this.file(node, point), { force: true });
  }

  wasReached(node: number, point: string): boolean {
    return existsSync(`${this.file(node, point)}.reached`);
  }

  async reached(node: number, point: string): Promise<void> {
    await eventually(`node ${node} to come to ${point}`, () => this.wasReached(node, point));
  }

  /** Nothing is disturbed any more. */
  forget(node: number, point: string): void {
    for (const file of [this.file(node, point), `${this.file(node, point)}.reached`]) rmSync(file, { force: true });
  }

  [Symbol.dispose](): void {
    delete process.env['KORRIGAN_FAULTS'];
    rmSync(this.directory, { recursive: true, force: true });
  }

  private file(node: number, point: string): string {
    return join(this.directory, `${node}.${point}`);
  }
}
