/** Whether the user's terminal shows more than ASCII: locale(7). */
export function isUnicode(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const { LC_ALL: all, LC_CTYPE: characters, LANG: language } = environment;
  const locale = [all, characters, language].find((value) => value !== undefined && value !== '') ?? '';
  return /utf-?8/i.test(locale);
}
