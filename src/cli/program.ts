/** The commands of `krg`, their options and help. What they do is loaded when they are called. */
import { Command, CommanderError, Option } from 'commander';
import { reportFailure, USAGE } from './failure.ts';
import type { CommonOptions } from './options.ts';
import type { BarrierOptions } from './commands/barrier.ts';
import type { CapsOptions } from './commands/caps.ts';
import type { JoinCommandOptions } from './commands/join.ts';
import type { LockOptions } from './commands/lock.ts';
import type { LocksOptions } from './commands/locks.ts';
import type { LogsOptions } from './commands/logs.ts';
import type { DrainOptions } from './commands/membership.ts';
import type { MigrateOptions } from './commands/migrate.ts';
import type { RunOptions } from './commands/run.ts';
import type { EnrolOptions } from './commands/enrol.ts';
import type { TokenOptions } from './commands/token.ts';
import type { UpOptions } from './commands/up.ts';
import { addProcessCommands } from './process-commands.ts';
import { version } from './version.ts';

/** Runs `krg` with the words of a command line; the result is its exit status. */
export async function runProgram(words: readonly string[]): Promise<number> {
  let status = 0;
  const program = buildProgram((result) => (status = result), words);
  try {
    await program.parseAsync([...words], { from: 'user' });
    return status;
  } catch (error) {
    // Commander has told the user already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    return reportFailure(error, words.includes('--json'));
  }
}

const EXIT_STATUSES = `
Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such process or node, 4 not allowed, 5 refused, 6 no daemon or node answers.
krg run, shell, nice and lock end as the program ended (128 + n for signal n), with 255 when the connection, or the lock, was lost.`;

/**
 * @param ended told the exit status of the command that ran
 * @param raw all words of the command line
 */
export function buildProgram(ended: (status: number) => void, raw: readonly string[] = []): Command {
  const program = new Command('krg')
    .description('Korrigan: the machines of a cluster as one machine. Programs run anywhere, are seen everywhere and move while they run.')
    .version(version())
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(krg --help, or krg COMMAND --help, tells more)')
    .addHelpText('after', EXIT_STATUSES);
  addCommonOptions(program);
  // They may stand before the command too.
  program.hook('preAction', (root, action) => {
    for (const [name, value] of Object.entries(root.opts()))
      if (action.getOptionValue(name) === undefined) action.setOptionValue(name, value);
  });

  const command = (usage: string, description: string): Command => {
    const made = program.command(usage).description(description).exitOverride();
    addCommonOptions(made);
    return made;
  };

  command('up', 'start a cluster on this machine')
    .option('-n, --nodes <number>', 'how many nodes', '3')
    .option('--start <number>', 'how many of them are up at once; krg start starts the others (default: all)')
    .option('--standby', 'only the first takes part: the others wait until they are added')
    .option('--store <store>', "where the cluster's record lies: embedded, or the URLs of an etcd, with commas between them", 'embedded')
    .option('--caps <list>', 'what programs may do that are started: capabilities with commas between them; all; none, as in Kerrighed')
    .option('--caps-rules <file>', 'rules by command, user and control group, as JSON')
    .action(async (options: UpOptions) => ended(await (await import('./commands/up.ts')).up(options)));
  command('down', 'stop the cluster and everything that runs in it').action(async (options: CommonOptions) =>
    ended(await (await import('./commands/down.ts')).down(options)),
  );
  command('status', 'show the nodes and how they are').action(async (options: CommonOptions) =>
    ended(await (await import('./commands/status.ts')).status(options)),
  );
  command('nodes', 'list the nodes, their states and their daemons').action(async (options: CommonOptions) =>
    ended(await (await import('./commands/nodes.ts')).nodes(options)),
  );
  command('add', 'let nodes that are present take part')
    .argument('<node...>')
    .action(async (nodes: string[], options: CommonOptions) => ended(await (await import('./commands/membership.ts')).add(nodes, options)));
  const draining = (name: string, description: string, leave: boolean): Command =>
    command(name, description)
      .argument('<node...>')
      .option('--deadline <time>', 'go on trying for so long (30s, 5m, 1h); without it until nothing more moves')
      .option('--kill', 'end what does not move; without it the node is kept, and the exit status is 5')
      .action(async (nodes: string[], options: DrainOptions) =>
        ended(await (await import('./commands/membership.ts')).drain(nodes, options, leave)),
      );
  draining('drain', 'move everything away from nodes and take them out; they stay present', false);
  draining('leave', 'drain nodes, and end their daemons', true);
  command('start', 'start nodes of this machine that are not up')
    .argument('<node...>')
    .action(async (nodes: string[], options: CommonOptions) =>
      ended(await (await import('./commands/membership.ts')).start(nodes, options)),
    );
  command('stop', 'end nodes of this machine, with everything that runs there')
    .argument('<node...>')
    .action(async (nodes: string[], options: CommonOptions) =>
      ended(await (await import('./commands/membership.ts')).stop(nodes, options)),
    );
  command('run', 'run a program on a node, with this terminal')
    .argument('<command...>', 'the program and its arguments')
    .usage('[options] [--] COMMAND…')
    .option('--node <node>', 'where it starts')
    .option('-d, --detach', 'do not wait for it; print its pid')
    .option('-t, --tty', 'give it a terminal, also where stdin is none')
    .option('-T, --no-tty', 'give it no terminal')
    .option('--caps <list>', 'its capabilities: NAME,…, or +NAME,… or -NAME,… against what programs begin with; all; none')
    .passThroughOptions()
    .action(async (words: string[], options: RunOptions) => ended(await (await import('./commands/run.ts')).run(words, options)));
  addProcessCommands(command, ended, raw);
  command('migrate', 'move processes to another node while they run')
    .argument('<pid...>', 'the processes, then the node they go to')
    .option('--tree', 'take their descendants along')
    .usage('[options] PID… NODE')
    .action(async (words: string[], options: MigrateOptions) =>
      ended(await (await import('./commands/migrate.ts')).migrate(words, options)),
    );
  command('explain', 'say what of a process would move, and what would not')
    .argument('<pid>')
    .argument('[node]', 'judge a move to this node')
    .action(async (pid: string, node: string | undefined, options: CommonOptions) =>
      ended(await (await import('./commands/explain.ts')).explain(pid, node, options)),
    );
  command('caps', 'show and change the capabilities of a process: what of the cluster it may use')
    .argument('[pid]', 'without one, the shell that calls, in the cluster')
    .option('--set <list>', 'what it may do, and the children that it will have: NAME,…, or +NAME,… or -NAME,…; all; none')
    .option('--effective <list>', 'what it may do')
    .option('--permitted <list>', 'what it may ever do: what is taken away does not come back')
    .option('--inheritable-effective <list>', 'what its children may do')
    .option('--inheritable-permitted <list>', 'what they may ever do')
    .option('--disable <list>', 'CAN_MIGRATE, DISTANT_FORK or CHECKPOINTABLE do not count, until they are enabled as often')
    .option('--enable <list>', 'the end of that')
    .action(async (pid: string | undefined, options: CapsOptions) => ended(await (await import('./commands/caps.ts')).caps(pid, options)));
  command('token', 'print a token, good once, for which a node that is to join gets its certificate')
    .option('--seconds <number>', 'for how long it is good', '600')
    .action(async (options: TokenOptions) => ended(await (await import('./commands/token.ts')).token(options)));
  command('enrol', 'get a certificate of a cluster for a token')
    .argument('<address>', 'host:port of a node, as krg token prints it')
    .requiredOption('--token <file>', 'the file that holds the token, - for stdin')
    .requiredOption('--output <file>', 'where the key and the certificates go, for their owner only')
    .action(async (address: string, options: EnrolOptions) => ended(await (await import('./commands/enrol.ts')).enrol(address, options)));
  command('join', 'make this machine a node of a cluster on others')
    .argument('<address>', 'of a node of that cluster, as krg token prints it: HOST[:PORT]')
    .requiredOption('--token <file>', 'the file that holds the token, - for stdin')
    .option('--address <address>', 'of this node, for the others (default: the one from which that node is reached)')
    .option('--port <number>', 'of this node', '7420')
    .option('--name <name>', 'of this node (default: node and its id)')
    .option('--standby', 'be present only, and wait until it is added')
    .action(async (where: string, options: JoinCommandOptions) => ended(await (await import('./commands/join.ts')).join(where, options)));
  command('revoke', 'take the certificates of a node from it: no other node has a link with it any more')
    .argument('<node>', 'by name, or by the id that its token was for')
    .action(async (node: string, options: CommonOptions) => ended(await (await import('./commands/revoke.ts')).revoke(node, options)));
  command('lock', 'hold a lock of the cluster while a command runs here')
    .argument('<name>', 'the lock; it is yours alone, as your processes are')
    .argument('<command...>', 'the command and its arguments')
    .usage('[options] NAME -- COMMAND…')
    .option('-s, --shared', 'together with others who hold it so')
    .option('-n, --try', 'do not wait')
    .option('-w, --timeout <time>', 'wait so long at most, such as 10s')
    .option('-E, --conflict-exit-code <number>', 'exit status when it could not be had', '1')
    .option('--keep-going', 'do not end the command when the lock is lost')
    .option('--user <user>', 'a lock of this user (root only)')
    .action(async (name: string, words: string[], options: LockOptions) =>
      ended(await (await import('./commands/lock.ts')).lock(name, words, options)),
    );
  command('barrier', 'wait until so many have come to a barrier of the cluster')
    .argument('<name>')
    .argument('<parties>', 'how many')
    .option('-w, --timeout <time>', 'wait so long at most, such as 10s')
    .option('--user <user>', 'a barrier of this user (root only)')
    .action(async (name: string, parties: string, options: BarrierOptions) =>
      ended(await (await import('./commands/barrier.ts')).barrier(name, parties, options)),
    );
  command('locks', 'show who holds and who waits for locks, semaphores and barriers')
    .option('--remove <name>', 'make a lock that is not recoverable usable again')
    .option('--user <user>', 'of a lock of this user (root only)')
    .action(async (options: LocksOptions) => ended(await (await import('./commands/locks.ts')).locks(options)));
  command('doctor', 'say what this machine has and lacks').action(async (options: CommonOptions) =>
    ended(await (await import('./commands/doctor.ts')).doctor(options)),
  );
  command('demo', 'three nodes, a counting program that moves, and the proof that no number is missing')
    .option('--moves <number>', 'end after so many moves', '8')
    .action(async (options: CommonOptions & { moves: string }) => ended(await (await import('./commands/demo.ts')).demo(options)));
  command('logs', "show the log of a node's daemon")
    .argument('[node]')
    .option('-n, --lines <number>', 'how many lines from the end', '100')
    .option('-f, --follow', 'go on as it grows')
    .action(async (node: string | undefined, options: LogsOptions) =>
      ended(await (await import('./commands/logs.ts')).logs(node, options)),
    );
  command('events', 'show what happens in the cluster, as it happens').action(async (options: CommonOptions) =>
    ended(await (await import('./commands/events.ts')).events(options)),
  );
  command('completion', 'print what makes a shell complete krg: source <(krg completion bash)')
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell: string) => ended((await import('./commands/completion.ts')).completion(shell)));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (words: string[]) => ended(await (await import('./commands/completion.ts')).complete(program, words)));
  return program;
}

function addCommonOptions(command: Command): void {
  command.addOption(new Option('--json', 'print JSON, errors too'));
  command.addOption(new Option('--cluster <name>', 'which cluster of this machine (environment: KRG_CLUSTER)'));
  command.addOption(new Option('--at <node>', 'ask the daemon of this node'));
}
