/**
 * Slots for records that outlive the daemon, in the arena: each a state word, which changes in one store, and a content of bytes, which changes
 * as a whole: it has two places, and a word says which of them is valid.
 *
 * | offset in a slot | what |
 * |---|---|
 * | 0 | u32: 0 free, 1 or 2 the valid place |
 * | 4 | u32: the state |
 * | 64, half a slot | the places: u32 length, bytes |
 */
import { RECORD_SLOTS, type Arena } from './arena.ts';

const STATE = 4;
const PLACES = [64, RECORD_SLOTS.size / 2] as const;
const LENGTH_SIZE = 4;
/** Longest content. */
export const RECORD_LIMIT = RECORD_SLOTS.size / 2 - PLACES[0] - LENGTH_SIZE;

export class RecordSlots {
  private readonly arena: Arena;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  get count(): number {
    return RECORD_SLOTS.count;
  }

  isFree(slot: number): boolean {
    return this.arena.load(offsetOf(slot)) === 0;
  }

  state(slot: number): number {
    return this.arena.load(offsetOf(slot) + STATE);
  }

  setState(slot: number, state: number): void {
    this.arena.store(offsetOf(slot) + STATE, state);
  }

  /** The content of a slot that is not free. */
  read(slot: number): Uint8Array {
    const place = offsetOf(slot) + (PLACES[this.arena.load(offsetOf(slot)) - 1] ?? 0);
    const length = this.arena.load(place);
    return this.arena.memory.bytes.slice(place + LENGTH_SIZE, place + LENGTH_SIZE + length);
  }

  /** Replaces the content; a free slot is taken by it. */
  write(slot: number, content: Uint8Array): void {
    if (content.length > RECORD_LIMIT) throw new RangeError(`a record of ${content.length} bytes exceeds ${RECORD_LIMIT}`);
    const next = this.arena.load(offsetOf(slot)) === 1 ? 2 : 1;
    const place = offsetOf(slot) + (PLACES[next - 1] ?? 0);
    this.arena.memory.bytes.set(content, place + LENGTH_SIZE);
    this.arena.store(place, content.length);
    this.arena.store(offsetOf(slot), next);
  }

  clear(slot: number): void {
    this.arena.store(offsetOf(slot), 0);
  }
}

function offsetOf(slot: number): number {
  if (slot < 0 || slot >= RECORD_SLOTS.count) throw new RangeError(`there is no slot ${slot}`);
  return RECORD_SLOTS.offset + slot * RECORD_SLOTS.size;
}
