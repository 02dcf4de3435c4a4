/** The commands with which people look at processes and handle them, wherever they run. What they do is loaded when they are called. */
import type { Command } from 'commander';
import type { CommonOptions } from './options.ts';
import type { NiceOptions } from './commands/nice.ts';
import type { PsOptions } from './commands/ps.ts';
import type { ReniceOptions } from './commands/renice.ts';
import type { ShellOptions } from './commands/shell.ts';
import type { TopOptions } from './commands/top.ts';
import type { TreeOptions } from './commands/tree.ts';
import type { WaitCommandOptions } from './commands/wait.ts';
import { KILL_HELP, NICE_HELP, PS_HELP, RENICE_HELP, SHELL_HELP, TOP_HELP, TREE_HELP, WAIT_HELP } from './process-help.ts';

/** Makes a command of the program. */
export type MakeCommand = (usage: string, description: string) => Command;

/** @param ended told the exit status of the command that ran @param raw all words of the command line */
export function addProcessCommands(command: MakeCommand, ended: (status: number) => void, raw: readonly string[]): void {
  command('shell', 'a login shell on a node, with this terminal')
    .argument('[words...]', 'arguments for the shell')
    .usage('[options] [--] [ARGUMENT…]')
    .option('--node <node>', 'where (default: the node that is asked)')
    .option('-t, --tty', 'give it a terminal, also with arguments and where stdin is none')
    .option('-T, --no-tty', 'give it no terminal')
    .passThroughOptions()
    .addHelpText('after', SHELL_HELP)
    .action(async (words: string[], options: ShellOptions) => ended(await (await import('./commands/shell.ts')).shell(words, options)));

  command('ps', 'show the processes of the cluster')
    .argument('[pid...]', 'only these')
    .option('--node <nodes>', 'only those on these nodes')
    .option('-u, --user <users>', 'only those of these users')
    .option('-C, --command <names>', 'only those of programs with these names')
    .option('--tty <terminals>', 'only those with these terminals')
    .option('--state <letters>', 'only those in these states, such as RD')
    .option('-o, --columns <names>', 'which columns; --help lists them')
    .option('--sort <columns>', 'in which order; - before a column: downwards')
    .option('--no-headers', 'without the line of titles')
    .option('--husks', 'also the husks that keep the places of moved processes')
    .addHelpText('after', PS_HELP)
    .action(async (words: string[], options: PsOptions) => ended(await (await import('./commands/ps.ts')).ps(words, options)));

  command('tree', 'show the families of processes, over all nodes')
    .argument('[pid]', 'only the family of this process')
    .option('--node <nodes>', 'only those on these nodes, and who stands above them')
    .option('-u, --user <users>', 'only those of these users, and who stands above them')
    .option('-s, --show-parents', 'also who stands above the process that is named')
    .option('-A, --ascii', 'draw with letters')
    .addHelpText('after', TREE_HELP)
    .action(async (pid: string | undefined, options: TreeOptions) => ended(await (await import('./commands/tree.ts')).tree(pid, options)));

  command('top', 'watch the nodes, the processes and what happens, and handle them')
    .option('-d, --delay <time>', 'how often it looks', '2s')
    .option('-b, --batch', 'print lists one after the other, for scripts and files')
    .option('-n, --iterations <number>', 'end after so many')
    .option('--sort <column>', 'by cpu, mem, rss, time, pid, user, node, state, nice or command', 'cpu')
    .option('--node <node>', 'only processes on this node')
    .option('-u, --user <user>', 'only processes of this user')
    .option('--filter <text>', 'only processes whose command line has this text')
    .option('--tree', 'begin with the tree')
    .option('-A, --ascii', 'draw with letters')
    .addHelpText('after', TOP_HELP)
    .action(async (options: TopOptions) => ended(await (await import('./commands/top.ts')).top(options)));

  command('kill', 'send a signal to processes, wherever they run')
    .argument('<pid...>', 'below zero: a process group; -l in its place lists the signals')
    .allowUnknownOption()
    .usage('[options] [-s SIGNAL | -SIGNAL] PID…')
    .addHelpText('after', KILL_HELP)
    .action(async (words: string[], options: CommonOptions) => {
      const { kill, withSeparator } = await import('./commands/kill.ts');
      ended(await kill(withSeparator(words, raw), options));
    });

  command('wait', 'wait until processes have ended, wherever they run')
    .argument('<pid...>')
    .option('-n, --any', 'only until one of them has')
    .option('-w, --timeout <time>', 'wait so long at most, such as 10s; then the exit status is 124')
    .option('-v, --verbose', 'say how each has ended')
    .addHelpText('after', WAIT_HELP)
    .action(async (words: string[], options: WaitCommandOptions) => ended(await (await import('./commands/wait.ts')).wait(words, options)));

  command('nice', 'run a program with another priority')
    .argument('<command...>', 'the program and its arguments')
    .usage('[options] [--] COMMAND…')
    .option('-n, --adjustment <number>', 'its nice value: -20 goes first, 19 goes last', '10')
    .option('--node <node>', 'where it starts')
    .option('-d, --detach', 'do not wait for it; print its pid')
    .option('-t, --tty', 'give it a terminal, also where stdin is none')
    .option('-T, --no-tty', 'give it no terminal')
    .passThroughOptions()
    .addHelpText('after', NICE_HELP)
    .action(async (words: string[], options: NiceOptions) => ended(await (await import('./commands/nice.ts')).nice(words, options)));

  command('renice', 'give processes another priority, wherever they run')
    .argument('<word...>', 'the nice value, where no option gives it; then processes')
    .allowUnknownOption()
    .usage('[options] [-n] PRIORITY PID…')
    .option('-n, --priority <number>', 'the new nice value: -20 goes first, 19 goes last')
    .option('--relative <number>', 'what is added to the nice value that each has')
    .option('-g, --pgrp', 'the numbers are process groups')
    .option('-u, --user', 'they are users, by name or number')
    .addHelpText('after', RENICE_HELP)
    .action(async (words: string[], options: ReniceOptions) => ended(await (await import('./commands/renice.ts')).renice(words, options)));
}
