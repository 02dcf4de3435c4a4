/**
 * sim: a deterministic world for the protocols of the cluster. It owns time, the network and all randomness, runs the code of `src/kddm` as it is, and checks
 * after every event. A run is a pure function of its scenario (plain data, made from a seed), so that a failing one replays exactly and is made smaller by
 * leaving parts of it out (`shrink.ts`).
 *
 * * `scenario` (what clients do and which faults happen, from a seed) · `network` (FIFO links with random delays, cuts) · `membership` (an oracle: leases, suspicion,
 *   epochs) · `clients` · `check-copies` (single writer, at every step) · `check-history` (every value read is the last one put; loss is declared, and only
 *   where the last copy died) · `world` (the event loop) · `shrink` · `main` (`npm run sim`).
 */
/** Time in the simulator, from 0. */
export type Milliseconds = number;
