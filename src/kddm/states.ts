/** The states of an object on a node, with Kerrighed's names, and what each allows. */
export type State =
  | 'INV_COPY'
  | 'READ_COPY'
  | 'INV_OWNER'
  | 'READ_OWNER'
  | 'WRITE_OWNER'
  /** Received by injection, not used here yet. */
  | 'WRITE_GHOST'
  | 'WAIT_OBJ_READ'
  | 'WAIT_OBJ_WRITE'
  /** The content came with the ownership; other copies are not yet known to be gone. */
  | 'WAIT_ACK_INV'
  /** The right to write came, or an owner upgrades its own copy; other copies are not yet known to be gone. */
  | 'WAIT_ACK_WRITE'
  /** The ownership is being given to the holder of a copy. */
  | 'WAIT_CHG_OWN_ACK'
  /** The owner was asked to remove. */
  | 'WAIT_OBJ_RM_DONE'
  /** Removing: entries elsewhere are not yet known to be gone. */
  | 'WAIT_OBJ_RM_ACK'
  /** Home of an object that is being removed: nobody creates it again before the remover confirms. */
  | 'WAIT_OBJ_RM_ACK2'
  /** Owner; the content is being made. */
  | 'INV_FILLING';

const READABLE: ReadonlySet<State> = new Set([
  'READ_COPY',
  'READ_OWNER',
  'WRITE_OWNER',
  'WRITE_GHOST',
  'WAIT_ACK_INV',
  'WAIT_ACK_WRITE',
  'WAIT_CHG_OWN_ACK',
]);

const OWNER: ReadonlySet<State> = new Set([
  'INV_OWNER',
  'READ_OWNER',
  'WRITE_OWNER',
  'WRITE_GHOST',
  'WAIT_ACK_INV',
  'WAIT_ACK_WRITE',
  'WAIT_CHG_OWN_ACK',
  'INV_FILLING',
]);

/** May the content be read here? */
export function isReadable(state: State): boolean {
  return READABLE.has(state);
}

/** May the content be changed here? */
export function isWritable(state: State): boolean {
  return state === 'WRITE_OWNER' || state === 'WRITE_GHOST';
}

/** Does this node answer for the object? */
export function isOwner(state: State): boolean {
  return OWNER.has(state);
}
