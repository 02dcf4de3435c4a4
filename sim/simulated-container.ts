/** What a container keeps when its daemon ends: processes, and the slots of the journal of moves. */
import type { JournalSlots } from '../src/epm/index.ts';
import type { NodeId } from '../src/kddm/index.ts';

/**
 * A process here, or what is to become one. `held`: complete, and it does not run; by the daemon alone it goes on when that ends. `partial`: not all of it has come.
 */
export interface Copy {
  state: 'runs' | 'held' | 'partial';
  isHeldByGroup: boolean;
}

const SLOTS = 32;

interface Slot {
  state: number;
  content: Uint8Array;
}

export class Container {
  readonly node: NodeId;
  readonly life: string;
  readonly copies = new Map<number, Copy>();
  readonly slots: JournalSlots;
  isAlive = true;

  constructor(node: NodeId, life: string) {
    this.node = node;
    this.life = life;
    const slots = new Map<number, Slot>();
    const states = new Map<number, number>();
    this.slots = {
      count: SLOTS,
      isFree: (slot) => !slots.has(slot),
      state: (slot) => states.get(slot) ?? 0,
      setState: (slot, state) => void states.set(slot, state),
      read: (slot) => slots.get(slot)?.content ?? new Uint8Array(),
      write: (slot, content) => void slots.set(slot, { state: 0, content }),
      clear: (slot) => void slots.delete(slot),
    };
  }

  /** What only the daemon held goes on by itself. */
  daemonEnds(): void {
    for (const copy of this.copies.values()) if (copy.state === 'held' && !copy.isHeldByGroup) copy.state = 'runs';
  }
}
