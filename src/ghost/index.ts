/**
 * ghost: export and import of processes. {@link captureProcess} turns a stopped process into a {@link ProcessImage}; {@link Inflation} turns
 * a held husk into the process of an image. Pages are mm's, descriptors are fs's and streams'; both travel beside the image.
 *
 * Rules: synchronous, on the thread that holds the process by ptrace. Capturing changes nothing. Each kind of state has one file with its
 * capture half and its restore half. What cannot be carried is found by {@link examineProcess} before anything is touched.
 */
export * from './capture.ts';
export { CLOCK_BOOTTIME, CLOCK_MONOTONIC, machineTime, timeInside } from './clocks.ts';
export * from './image.ts';
export * from './preflight.ts';
export * from './restore.ts';
export {
  continueLeftBehind,
  enterGroupStop,
  jobControlSignals,
  type JobControlSignals,
  keepChangesBack,
  leaveGroupStop,
  type MovingChild,
  queueAgain,
  takeChange,
} from './job-control.ts';
export { missingFeatures, processorFeatures } from './processor-features.ts';
export { letSignalsBeTaken } from './queued-signals.ts';
export { releaseWaiting } from './restored-waits.ts';
export { countSignals, discardPending, discardSignals } from './signals.ts';
export { captureWaits, observeThreads, type ObservedThreads } from './waits.ts';
