/** What is done to a husk so that its process is stopped, or goes on, as it did, and its parent hears of it once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planStops, type StopState } from './arriving-stops.ts';

const SIGTSTP = 20;
const BOTH = [false, true];
const STATES: StopState[] = [0, SIGTSTP].flatMap((stopped) =>
  BOTH.flatMap((isHuskStopped) =>
    BOTH.flatMap((withParent) => (withParent ? BOTH : [false]).map((isUntaken) => ({ stopped, isHuskStopped, withParent, isUntaken }))),
  ),
);

/** What the kernel makes of a plan. `told`: the parent can take a status. */
function carriedOut({ isHuskStopped }: StopState, plan: ReturnType<typeof planStops>): { stopped: boolean; told: boolean } {
  let [stopped, told] = [isHuskStopped, false];
  if (plan.goesOn || plan.hasGoneOn) [stopped, told] = [false, true];
  if (plan.stops) [stopped, told] = [true, true];
  if (plan.isTaken) told = false;
  return { stopped, told };
}

for (const state of STATES) {
  const { stopped, isHuskStopped, withParent, isUntaken } = state;
  test(`stopped by ${stopped}, husk stopped: ${isHuskStopped}, with its parent: ${withParent}, not taken: ${isUntaken}`, () => {
    const plan = planStops(state);
    const done = carriedOut(state, plan);
    assert.equal(done.stopped, stopped !== 0);
    // Of one that comes alone its parent hears what is new here.
    if (withParent) assert.equal(done.told, isUntaken);
    else assert.equal(done.told, isHuskStopped !== (stopped !== 0));
    assert.ok(!plan.stops || !isHuskStopped || plan.goesOn, 'a process that is stopped already gets threads');
  });
}
