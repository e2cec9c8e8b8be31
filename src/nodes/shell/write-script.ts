// The script that writes a file of a node as a whole.
import { EXIT } from './scripts.ts';

/** Seconds for which a lock is held at most by a writer that lives: a comparison and a rename take a moment. */
const STALE_LOCK_S = 30;
/** A tenth of a second each. */
const LOCK_TRIES = 50;

/**
 * Functions that bring a complete temporary file into place, for scripts that begin with the prelude.
 * `choose_workshop TARGET STAGING` sets `directory`, `name` and `workshop`: the folder for the temporary file. A rename works within one
 * mount only, and `mv` would copy between two: then, or without STAGING, it is the target's own folder.
 * `give_away FILE MODE UID GID`: the group before the mode, so that at no moment another group may read; the mode before the owner, for which
 * another's file would take CAP_FOWNER; group and owner only where they differ, so that an ordinary user can write what is its own.
 */
export const PLACE = String.raw`
place_of() { stat -c %d -- "$1" && grep '^mnt_id:' /proc/self/fdinfo/4 4<"$1"; }
give_away() {
  [ "$(stat -c %g -- "$1")" = "$4" ] || chown -- ":$4" "$1" || exit 1
  chmod -- "$2" "$1" || exit 1
  [ "$(stat -c %u -- "$1")" = "$3" ] || chown -- "$3" "$1" || exit 1
}
sync_of() { sync -- "$1" 2>/dev/null || sync; }
choose_workshop() {
  directory=$(dirname -- "$1")
  name=$(basename -- "$1")
  workshop=$directory
  mkdir -p -- "$directory" || exit 1
  if [ -n "$2" ]; then
    mkdir -p -- "$2" || exit 1
    if [ "$(place_of "$2")" = "$(place_of "$directory")" ]; then workshop=$2; fi
  fi
}
take_lock() {
  lock="$workshop/.keyturn-lock.$name"
  tries=0
  until refusal=$(ln -s -- "$1" "$lock" 2>&1); do
    tries=$((tries + 1))
    if [ "$tries" -gt ${LOCK_TRIES} ]; then echo "$refusal" >&2; exit ${EXIT.locked}; fi
    since=$(stat -c %Y -- "$lock" 2>/dev/null) && [ $(($(date +%s) - since)) -gt ${STALE_LOCK_S} ] && rm -f -- "$lock"
    sleep 0.1 2>/dev/null || sleep 1
  done
}
holds_lock() { [ "$(readlink -- "$lock" 2>/dev/null)" = "$1" ]; }
`;

/**
 * $1 path, $2 staging directory or nothing, $3 mode in octal, $4 uid, $5 gid, $6 a token that no other writer has.
 * Standard input: a line with the SHA-256 of the content, what is expected to be there (a SHA-256, `absent` or `any`) and the length of the
 * content in bytes; then the content. Less than that is a connection that was cut: nothing is changed.
 * Of writers at the same time one after the other compares and renames, each with a temporary file that is complete.
 */
export const WRITE = String.raw`
read -r sum expected length
token=$6-$$
target=$1
[ ! -e "$1" ] || target=$(readlink -f -- "$1") || exit 1
choose_workshop "$target" "$2"
temporary="$workshop/.$name.keyturn-$token"
lock=
trap 'rm -f -- "$temporary"; ! holds_lock "$token" || rm -f -- "$lock"' EXIT
trap 'exit 1' HUP INT PIPE TERM

set -C
exec 8>"$temporary" || exit 1
set +C
give_away "$temporary" "$3" "$4" "$5"
head -c "$length" | cat >&8 || exit 1
exec 8>&-
if [ "$(sum_of "$temporary")" != "$sum" ]; then
  [ -e "$temporary" ] || exit ${EXIT.changed}
  exit ${EXIT.cutShort}
fi
sync_of "$temporary"

take_lock "$token"
[ ! -d "$target" ] || exit ${EXIT.notAFile}
case $expected in
  any) ;;
  absent) [ ! -e "$target" ] || exit ${EXIT.changed} ;;
  *) [ "$(sum_of "$target" 2>/dev/null)" = "$expected" ] || exit ${EXIT.changed} ;;
esac
holds_lock "$token" || exit ${EXIT.locked}
mv -f -- "$temporary" "$target" || exit 1
rm -f -- "$workshop/.$name.keyturn-"*
[ "$(sum_of "$target")" = "$sum" ] || exit ${EXIT.changed}
rm -f -- "$lock"
sync_of "$directory"
`;
