/** A shell as login(1) starts it: the user's own, in the user's home, with an environment of its own. */
import { basename } from 'node:path';
import type { RunRequest } from '../api/schemas.ts';
import type { Account } from '../users.ts';

const SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games';
const SEARCH_PATH_OF_ROOT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * @param request what the user gives: the environment that is kept, and arguments for the shell after its name
 * @param node its name
 * @param hasHome the user's home can be entered
 */
export function loginRequest(request: RunRequest, account: Account, node: string, hasHome: boolean): RunRequest {
  const { name, shell } = account;
  const home = hasHome ? account.home : '/';
  const environment = {
    PATH: name === 'root' ? SEARCH_PATH_OF_ROOT : SEARCH_PATH,
    ...request.environment,
    HOME: home,
    SHELL: shell,
    USER: name,
    LOGNAME: name,
    KRG_NODE: node,
  };
  // A hyphen before its name makes it a login shell.
  return {
    ...request,
    file: shell,
    arguments: [`-${basename(shell)}`, ...request.arguments.slice(1)],
    workingDirectory: home,
    environment,
  };
}
