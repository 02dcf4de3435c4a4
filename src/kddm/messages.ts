/**
 * What nodes tell each other, with Kerrighed's names. What it had no message for: KDDM_SET_RECORD and KDDM_SET_DESTROYED (answers), KDDM_BARRIER, KDDM_WATCH, KDDM_WATCHED, KDDM_CHANGED, OBJECT_SYNC, OBJECT_BACKUP and
 * their acknowledgements, and DELIVERED, which tells how many messages of the epoch have come when there is nothing else to say.
 */
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';

const natural = z.number().int().nonnegative();
const node = z.number().int().positive();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const copies = z.array(z.tuple([node, natural]));
const nodes = z.array(node);

const birth = z.object({ epoch: natural, term: natural });

const policy = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('fixed'), node }),
  z.object({ kind: z.literal('round-robin') }),
  z.object({ kind: z.literal('unique-id') }),
  z.object({ kind: z.literal('custom') }),
]);

const setRecord = z.object({
  namespace: natural,
  set: natural,
  /** By which other nodes find it. */
  name: z.string().max(255).optional(),
  linker: z.string().max(64),
  policy,
  /** LOCAL_EXCLUSIVE: who holds an object excludes other users of the same node too. */
  isExclusive: z.boolean(),
  /** FT_LINKED: objects are created at their homes only. */
  isFirstTouchLinked: z.boolean(),
  /** Milliseconds after which an object is removed that its owner has not written since, nor received. */
  timeToLive: z.number().positive().optional(),
  /** Backups of every write that is complete. */
  replicas: natural.max(8),
  /** What an object is of which nothing is known because its home died. */
  unknownAfterCrash: z.enum(['lost', 'absent']),
  /** The epoch in which it was asked for, set by the protocol: who died before had nothing of it. None: older than all. */
  since: natural.optional(),
});

const of = { namespace: natural, set: natural, object: natural };
const objectMessages = [
  z.object({
    kind: z.literal('REQ_OBJECT_COPY'),
    ...of,
    requester: node,
    serial: natural,
    write: z.boolean(),
    /** If the home asks: the last term of which it knows. */
    asOf: natural.optional(),
    /** The copy that the requester has. */
    copy: natural,
    noFirstTouch: z.boolean(),
    tryGrab: z.boolean(),
    /** An absent object's ownership is sent back; the requester's user makes the content. */
    sendOwnership: z.boolean(),
  }),
  z.object({
    kind: z.literal('OBJECT_SEND'),
    ...of,
    serial: natural,
    term: natural,
    version: natural,
    born: birth,
    content: bytes,
    ownership: z.object({ copyset: copies, rmset: nodes, isInjected: z.boolean() }).optional(),
  }),
  z.object({
    kind: z.literal('NO_OBJECT_SEND'),
    ...of,
    serial: natural,
    reason: z.enum(['absent', 'busy', 'lost']),
  }),
  z.object({
    kind: z.literal('SEND_WRITE_ACCESS'),
    born: birth,
    ...of,
    serial: natural,
    term: natural,
    version: natural,
    copyset: copies,
    rmset: nodes,
  }),
  /** `byHand`: for a manual first touch. */
  z.object({
    kind: z.literal('SEND_BACK_FIRST_TOUCH'),
    ...of,
    serial: natural,
    term: natural,
    born: birth,
    rmset: nodes,
    byHand: z.boolean(),
  }),
  z.object({ kind: z.literal('REQ_OBJECT_INVALID'), ...of, copy: natural, reply: node, term: natural }),
  z.object({ kind: z.literal('INVALIDATION_ACK'), ...of, holder: node, copy: natural }),
  /** `since`: the epoch in which the removal began. `asOf`, if the home asks: the last term of which it knows. */
  z.object({
    kind: z.literal('REQ_OBJECT_REMOVE_TO_MGR'),
    ...of,
    remover: node,
    serial: natural,
    since: natural,
    asOf: natural.optional(),
  }),
  z.object({ kind: z.literal('REQ_OBJECT_REMOVE'), ...of, remover: node, serial: natural, copy: natural, term: natural }),
  z.object({ kind: z.literal('REMOVE_ACK'), ...of, serial: natural }),
  /** `isLater`: the object was created in an epoch after the one in which the removal began; there was none in between, so that the removal is complete without it. */
  z.object({
    kind: z.literal('REMOVE_DONE'),
    ...of,
    serial: natural,
    term: natural,
    awaited: nodes,
    isLater: z.boolean(),
  }),
  z.object({ kind: z.literal('REMOVE_ACK2'), ...of, serial: natural }),
  z.object({
    kind: z.literal('SEND_OWNERSHIP'),
    born: birth,
    ...of,
    copy: natural,
    term: natural,
    version: natural,
    copyset: copies,
    rmset: nodes,
  }),
  /** `gone`: the receiver has no copy; `busy`: it waits for an answer of its own. */
  z.object({ kind: z.literal('CHANGE_OWNERSHIP_ACK'), ...of, answer: z.enum(['accepted', 'gone', 'busy']), term: natural }),
  z.object({ kind: z.literal('OBJECT_SYNC'), ...of, operation: natural, content: bytes }),
  z.object({ kind: z.literal('OBJECT_SYNC_ACK'), ...of, operation: natural }),
  z.object({ kind: z.literal('OBJECT_BACKUP'), ...of, term: natural, version: natural, born: birth, content: bytes }),
  z.object({ kind: z.literal('OBJECT_BACKUP_ACK'), ...of, version: natural }),
] as const;

const setMessages = [
  /** With a record: creates the set where there is none. */
  z.object({
    kind: z.literal('REQ_KDDM_SET_LOOKUP'),
    operation: natural,
    namespace: natural,
    set: natural.optional(),
    name: z.string().optional(),
    record: setRecord.optional(),
  }),
  z.object({
    kind: z.literal('KDDM_SET_RECORD'),
    operation: natural,
    namespace: natural,
    set: natural.optional(),
    record: setRecord.optional(),
  }),
  /** To the manager; by the manager (`isOrder`) to all. */
  z.object({ kind: z.literal('REQ_KDDM_SET_DESTROY'), operation: natural, namespace: natural, set: natural, isOrder: z.boolean() }),
  z.object({ kind: z.literal('KDDM_SET_DESTROYED'), operation: natural, namespace: natural, set: natural, isOrder: z.boolean() }),
  /** `watch` is named by who watches; without `object`: all of the set. */
  z.object({ kind: z.literal('KDDM_WATCH'), record: setRecord, watch: natural, object: natural.optional(), isOn: z.boolean() }),
  z.object({ kind: z.literal('KDDM_WATCHED'), watch: natural }),
  /** To who watches. None: anything may have changed. */
  z.object({ kind: z.literal('KDDM_CHANGED'), namespace: natural, set: natural, objects: z.array(natural) }),
] as const;

const doubt = z.object({ members: nodes, dead: nodes, deaths: natural, epoch: natural });

/** What a node knows of the past: see `history.ts`. Doubts are since ever. */
const past = z.object({
  completed: natural,
  settled: natural,
  deaths: z.array(z.object({ node, epoch: natural })),
  deadHomes: z.array(z.object({ members: nodes, dead: nodes, epoch: natural })),
  doubts: z.array(doubt),
});

const reportedWatch = z.object({ namespace: natural, set: natural, watch: natural, object: natural.optional() });

const report = z.object({
  object: natural,
  /** `none`: it was the owner before, or is the home, or has a backup. */
  holds: z.enum(['owner', 'copy', 'none']),
  /** Of an owner: whether there is an object. */
  exists: z.boolean(),
  isLost: z.boolean(),
  term: natural,
  version: natural,
  copy: natural,
  /** The object's home was here: that it has an entry is evidence. */
  isHome: z.boolean(),
  handedOver: z
    .object({
      to: node,
      term: natural,
      kind: z.enum(['content', 'first-touch', 'removed']),
      isDelivered: z.boolean(),
      isTargetDead: z.boolean(),
    })
    .optional(),
  backup: z.object({ isLost: z.boolean(), term: natural, version: natural, born: birth, bytes: bytes.optional() }).optional(),
  /** By a node that leaves: what it holds. */
  content: bytes.optional(),
  born: birth,
});

const decision = z.object({
  object: natural,
  owner: node,
  term: natural,
  /** KDDM_SELECT_OWNER: where the new owner takes the content from. */
  select: z.enum(['held', 'handed-over', 'copy', 'backup', 'sent']).optional(),
  /** For `sent`: the content of a node that leaves. */
  content: bytes.optional(),
  copyset: copies,
  rmset: nodes,
  born: birth,
  /** Backups of older versions are forgotten. */
  version: natural,
  fate: z.enum(['lives', 'absent', 'lost']),
});

const reconfigurationMessages = [
  /** What a node holds of the objects whose home the receiver is now, and what it knows of the past. From each to each. */
  z.object({
    kind: z.literal('KDDM_COPYSET'),
    /** It comes in parts; the last one has the past. */
    past: past.optional(),
    /** Of the sender, with the last part. */
    watches: z.array(reportedWatch).optional(),
    /** Sets that were destroyed, and in which epoch; with the last part. */
    destroyed: z.array(z.tuple([natural, natural, natural])).optional(),
    sets: z.array(z.object({ record: setRecord, termFloor: natural, reports: z.array(report) })),
  }),
  /** What the home decided (also KDDM_CHANGE_PROB_OWNER: decisions without `select`). From each to each, in parts. */
  z.object({
    kind: z.literal('KDDM_SELECT_OWNER'),
    isLast: z.boolean(),
    sets: z.array(z.object({ namespace: natural, set: natural, decisions: z.array(decision) })),
  }),
  /** To the first member: this node has carried out all decisions. From it (`isOpen`): all have, and may go on. */
  z.object({ kind: z.literal('KDDM_BARRIER'), isOpen: z.boolean() }),
] as const;

const delivered = z.object({ kind: z.literal('DELIVERED') });

const message = z.discriminatedUnion('kind', [...objectMessages, ...setMessages, ...reconfigurationMessages, delivered]);

/** Of each kind of message but those of a reconfiguration. */
export const MESSAGE_SCHEMAS: ReadonlyMap<unknown, z.ZodType<Message>> = new Map(
  [...objectMessages, ...setMessages, delivered].map((schema) => [schema.shape.kind.value, schema]),
);

/**
 * The members of those, in the order in which they travel. New ones come last: who does not know them leaves them away, and who does not get them finds them
 * undefined.
 */
export const MESSAGE_MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map(
  [...objectMessages, ...setMessages, delivered].map(({ shape }) => [shape.kind.value, Object.keys(shape).filter((key) => key !== 'kind')]),
);

const envelope = z.object({
  epoch: natural,
  /** How many messages of this epoch the sender has received from the receiver. */
  received: natural,
  message,
});

const objectMessage = z.discriminatedUnion('kind', [...objectMessages]);

/** One node's, as others know it. */
export interface Watch {
  readonly node: number;
  readonly watch: number;
  readonly object?: number;
}

export type SetRecord = z.infer<typeof setRecord>;
export type HomePolicy = z.infer<typeof policy>;
export type ObjectMessage = z.infer<typeof objectMessage>;
export type Message = z.infer<typeof message>;
export type MessageOf<Kind extends Message['kind']> = Extract<Message, { kind: Kind }>;
export type Envelope = z.infer<typeof envelope>;
export type ReportedWatch = z.infer<typeof reportedWatch>;
export type Past = z.infer<typeof past>;
export type Report = z.infer<typeof report>;
export type Decision = z.infer<typeof decision>;

/** @throws KorriganError (KRG_PEER_PROTOCOL) when a peer sent something else */
export function parseEnvelope(value: unknown): Envelope {
  const result = envelope.safeParse(value);
  if (result.success) return result.data;
  throw new KorriganError(
    'KRG_PEER_PROTOCOL',
    `a message between the object managers cannot be understood: ${z.prettifyError(result.error)}`,
  );
}
