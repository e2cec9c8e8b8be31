// The scripts that read, list and remove files of a node. POSIX shell; they run with busybox and with GNU coreutils alike.

/** What a script says by its exit code; any other one is explained by standard error. */
export const EXIT = {
  changed: 65,
  cutShort: 66,
  locked: 67,
  notAFile: 68,
  commandMissing: 69,
  notADirectory: 70,
} as const;

/** Begins the output of every script: what a login shell has printed before it is not ours. */
export const MARK = 'keyturn\n';

/** Commands that a node, or the image of an agent pod, has to have besides `sh`. docs/node-access.md names them. */
export const COMMANDS = [
  'basename',
  'cat',
  'chmod',
  'chown',
  'cp',
  'date',
  'dirname',
  'grep',
  'head',
  'ln',
  'mkdir',
  'mv',
  'readlink',
  'rm',
  'sha256sum',
  'sleep',
  'stat',
  'sync',
] as const;

/** Before every script: words of errors that can be relied on, files for nobody else, and the commands that it will need. */
export const PRELUDE = String.raw`
export LC_ALL=C
umask 077
printf 'keyturn\n'
missing=
for command in ${COMMANDS.join(' ')}; do
  command -v "$command" >/dev/null || missing="$missing $command"
done
if [ -n "$missing" ]; then
  echo "$missing" >&2
  exit ${EXIT.commandMissing}
fi
sum_of() { sha256sum <"$1" | head -c 64; }
`;

/**
 * $1 path. Mode, owner, size, times and SHA-256 on three lines, then the content: all of one file, even if another takes its place meanwhile.
 */
export const READ = String.raw`
stat -L -c %F -- "$1" >/dev/null || exit 1
[ -f "$1" ] || exit ${EXIT.notAFile}
exec 3<"$1" || exit 1
stat -L -c '%a %u %g %s %Y' /proc/self/fd/3 && stat -L -c '%y' /proc/self/fd/3 || exit 1
sum_of /proc/self/fd/3 && echo || exit 1
cat <&3
`;

/** $1 directory. Names, each followed by NUL. */
export const LIST = String.raw`
stat -L -c %F -- "$1" >/dev/null || exit 1
[ -d "$1" ] || exit ${EXIT.notADirectory}
cd -- "$1" || exit 1
[ -r . ] || { echo 'Permission denied' >&2; exit 1; }
for name in * .[!.]* ..?*; do
  if [ -e "$name" ] || [ -L "$name" ]; then printf '%s\0' "$name"; fi
done
`;

/** $1 path of a file or a directory. Takes what a writer that died has left of it, too. */
export const REMOVE = String.raw`
rm -rf -- "$1" || exit 1
directory=$(dirname -- "$1")
name=$(basename -- "$1")
rm -f -- "$directory/.$name.keyturn-"*
`;
