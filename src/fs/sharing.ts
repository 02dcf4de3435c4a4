import type { CaptureContext } from './kind.ts';
import type { OpenFile } from './survey.ts';
import { Refusal } from './verdict.ts';

/** @throws Refusal when a process that stays holds the same description, which would then have to be in two kernels at once */
export function refuseSharing(file: OpenFile, context: CaptureContext): void {
  const [stranger] = context.outside(file).description;
  if (stranger === undefined) return;
  throw new Refusal(
    'description.shared',
    `${file.link} is shared with process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
  );
}
