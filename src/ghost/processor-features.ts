/**
 * The instructions that a processor has for programs. They ask once, at their start (CPUID, or the loader for them), and use what they have found for
 * ever: a processor that lacks some of it ends them with SIGILL.
 */
import { readFileSync } from 'node:fs';

/** Names in /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h) of what a program can use; others are the kernel's, or say how fast something is. */
const USABLE =
  /^(sse|ssse|avx|fma|bmi|amx_|aes|vaes|sha|xsave|3dnow|f16c|pclmulqdq|vpclmulqdq|gfni|movbe|popcnt|rdrand|rdseed|adx|abm|cx16|fsgsbase|clflushopt|clwb|cldemote|movdiri|movdir64b|serialize|rdpid|rdtscp|waitpkg|xop|tbm|rtm|hle|ospke|lahf_lm|cmpccxadd|user_shstk)/;

let own: readonly string[] | undefined;

/** Those of this machine. */
export function processorFeatures(): readonly string[] {
  own ??= parseFeatures(readFileSync('/proc/cpuinfo', 'latin1'));
  return own;
}

/** @param text of /proc/cpuinfo */
export function parseFeatures(text: string): string[] {
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1] ?? '';
  return flags.split(' ').filter((flag) => USABLE.test(flag));
}

/** What a program that ran with the features `there` may use and miss `here`. */
export function missingFeatures(there: readonly string[], here = processorFeatures()): string[] {
  const known = new Set(here);
  return there.filter((feature) => !known.has(feature));
}
