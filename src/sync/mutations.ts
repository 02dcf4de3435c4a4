/** Breaks of sync. Only the simulator makes them, to show that its checkers see each; a node of the cluster has none. */
export const SYNC_MUTATIONS = {
  'wake-up-not-sent': 'who was granted something on another node is not told',
  'never-looks-again': 'who waits relies on being told',
  'answer-not-kept': 'an outcome is told once, and not kept until it has been heard',
  'dead-not-purged': 'what a dead owner held stays held',
  'death-not-told': 'who comes after a dead owner is not told of it',
  'living-taken-for-dead': 'who came before the last change of the membership is taken for dead',
  'former-life-not-seen': 'what a node had in an earlier life counts as its own',
  'queue-overtaken': 'a claim is granted at once when nothing that is held excludes it, whoever waits',
  'reader-beside-writer': 'a shared claim is granted beside an exclusive holder',
  'time-out-grants': 'a claim whose time is over is told that it has the lock',
  'time-out-forgets-grant': 'a claim whose time is over just when it was granted is told that it has nothing',
  'unrepaired-release-ignored': 'a lock that was not made consistent can be had again',
  'semaphore-overdrawn': 'one unit left is enough for whatever count',
  'semaphore-not-undone': 'the units of a dead owner are not given back',
  'barrier-opens-early': 'one party is not waited for',
  'ids-reserved-twice': 'the next ids after a reservation are the same ones',
} as const;

export type SyncMutation = keyof typeof SYNC_MUTATIONS;

export type HasMutation = (mutation: SyncMutation) => boolean;
