import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupMountPoint, ControlGroup } from '../linux/index.ts';
import { Hold, thawGroup } from './hold.ts';

test('a group that is tidied up before it is thawed holds nobody', async () => {
  const processes = new ControlGroup(join(cgroupMountPoint(), `korrigan-hold-${process.pid}`)).create();
  try {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    using hold = Hold.gather(processes.child('moving'), [{ hostPid: child.pid ?? 0 }], () => undefined);
    hold.freeze();
    child.kill('SIGKILL');
    await ended;
    hold.group.remove();
    assert.doesNotThrow(() => hold.thaw());
    assert.doesNotThrow(() => thawGroup(hold.group.path));
  } finally {
    processes.remove();
  }
});
