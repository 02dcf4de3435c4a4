/**
 * mm: address spaces that move. Describes a process's memory areas, finds the pages that carry content, brings them from a frozen (or,
 * in pre-copy rounds, running) process to a socket and from a socket into a process that is being restored, without a page ever
 * becoming a JavaScript object. All that goes over that socket is encrypted and authenticated (record-stream.ts).
 *
 * Rules: a page is sent when it exists and differs from what mapping its area anew would show (zero pages and clean file pages are
 * not sent). Areas are described before and compared inside the freeze. Whatever cannot be rebuilt is refused by name in
 * {@link judgeArea} before anything is touched.
 */
export * from './areas.ts';
export * from './channel.ts';
export * from './layout.ts';
export * from './memory-policy.ts';
export * from './nameless-files.ts';
export * from './pages.ts';
export * from './pre-copy.ts';
export type { SharedSecret } from './record-stream.ts';
export * from './ranges.ts';
