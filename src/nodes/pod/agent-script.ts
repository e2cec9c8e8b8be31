// What an agent pod does by itself: it stays, and it is the node's watchdog.
import { PRELUDE } from '../shell/scripts.ts';
import { PLACE } from '../shell/write-script.ts';

/** Seconds after its deadline at which something armed is dropped instead: others have had their time to see to the node. */
const FORGET_AFTER_S = 3600;

/**
 * $1 folder of the watchdog on the node's disk; absent: only stays.
 *
 * In that folder, `armed-ID` becomes `firing-ID` by one rename, or `disarmed-...` by whoever disarms: exactly one of the two succeeds. It holds
 * `deadline` and a numbered folder for each file, in the order in which they are put back: `content` with the mode and owner of the file,
 * its `path`, and in `only-if` the SHA-256 of what the file must hold. What fires goes when all of it is done, so that an agent that starts
 * anew goes on where the one before has ended. Deadlines are seconds of the machine's uptime, which no change of its clock moves.
 */
export const AGENT_SCRIPT = String.raw`${PRELUDE}${PLACE}
trap 'exit 0' INT TERM
folder=$1
boot=$(cat /proc/sys/kernel/random/boot_id)

put_back() (
  expected=$(cat "$1/only-if") && path=$(cat "$1/path") || exit 1
  target=$path
  [ ! -e "$path" ] || target=$(readlink -f -- "$path") || exit 1
  [ "$(sum_of "$target" 2>/dev/null)" = "$expected" ] || exit 0
  choose_workshop "$target" "$(dirname -- "$folder")"
  token=watchdog-$$
  temporary="$workshop/.$name.keyturn-$token"
  lock=
  trap 'rm -f -- "$temporary"; ! holds_lock "$token" || rm -f -- "$lock"' EXIT
  cat "$1/content" >"$temporary" || exit 1
  give_away "$temporary" $(stat -c '%a %u %g' "$1/content")
  sync_of "$temporary"
  take_lock "$token"
  [ "$(sum_of "$target" 2>/dev/null)" = "$expected" ] || exit 0
  mv -f -- "$temporary" "$target" || exit 1
  sync_of "$directory"
  echo "put $path back"
)

fire() {
  for file in "$1"/[0-9]*; do
    put_back "$file" || return
  done
  rm -rf -- "$1"
}

look_at() {
  [ -e "$1/seen" ] || true >"$1/seen"
  read -r its_boot deadline after <"$1/deadline" || return
  IFS=. read -r now rest </proc/uptime
  if [ "$its_boot" != "$boot" ]; then
    echo "$boot $((now + after)) $after" >"$1/deadline"
  elif [ "$now" -gt $((deadline + ${FORGET_AFTER_S})) ]; then
    rm -rf -- "$1"
  elif [ "$now" -ge "$deadline" ]; then
    firing="$folder/firing-$(basename -- "$1")"
    ! mv -- "$1" "$firing" || fire "$firing"
  fi
}

while :; do
  if [ -n "$folder" ]; then
    for found in "$folder"/firing-*; do [ ! -d "$found" ] || fire "$found"; done
    for found in "$folder"/armed-*; do [ ! -d "$found" ] || look_at "$found"; done
  fi
  sleep 1
done
`;

/**
 * $1 folder, $2 ID, $3 seconds from now, then the path of each file; on standard input a line with the SHA-256 for each. The contents are in
 * `arming-ID` already. Ends when the agent has seen it. Done twice it changes nothing.
 */
export const ARM = String.raw`${PLACE}
arming="$1/arming-$2"
armed="$1/armed-$2"
after=$3
shift 3
if [ ! -d "$armed" ]; then
  number=100
  for path; do
    read -r sum
    printf %s "$path" >"$arming/$number/path" && printf %s "$sum" >"$arming/$number/only-if" || exit 1
    number=$((number + 1))
  done
  IFS=. read -r now rest </proc/uptime
  echo "$(cat /proc/sys/kernel/random/boot_id) $((now + after)) $after" >"$arming/deadline" || exit 1
  sync_of "$arming/deadline"
  mv -- "$arming" "$armed" || exit 1
fi
tries=0
until [ -e "$armed/seen" ] || [ ! -d "$armed" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 15 ] || { echo 'the watchdog does not look' >&2; exit 1; }
  sleep 1
done
`;

/**
 * $1 folder. Afterwards nothing is armed and nothing fires: what fires already is given ten seconds to end, then taken away from it. The
 * contents that were to be put back go too. Says `armed` for what has been disarmed in time.
 */
export const DISARM = String.raw`
[ -d "$1" ] || exit 0
cd -- "$1" || exit 1
disarm() {
  for found in "$1"-*; do
    if [ -d "$found" ] && mv -- "$found" "disarmed-$found" 2>/dev/null; then echo "$1"; fi
  done
}
fires() {
  for found in firing-*; do [ ! -d "$found" ] || return 0; done
  return 1
}
disarm armed
tries=0
while fires && [ "$tries" -lt 10 ]; do
  tries=$((tries + 1))
  sleep 1
done
disarm firing >&2
rm -rf -- arming-* disarmed-* || exit 1
cd / && rmdir -- "$1" 2>/dev/null || true
`;
