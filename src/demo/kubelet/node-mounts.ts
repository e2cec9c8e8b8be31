// Gives a node's mount namespace a disk of its own: whatever is written in the node stays out of the machine's files.

/**
 * What kubelet would set for the whole machine. In a node these files show the wanted value already, so that it has nothing to set.
 * https://github.com/kubernetes/kubernetes/blob/v1.37.2/pkg/kubelet/cm/container_manager_linux.go
 */
const sysctls: Readonly<Record<string, number>> = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

const sysctlLines = Object.entries(sysctls).map(([file, value]) => `pretend ${file} ${value}`);

/**
 * A script for `sh -eu` inside new namespaces; its arguments are the node's name, its folder, and pairs of name and path of programs for /usr/bin.
 * What the machine has mounted for a kubelet or containerd of its own is put away first, out of this namespace only.
 */
export const mountScript = `
name=$1 folder=$2
shift 2
disk=$folder/disk
mount --make-rprivate /
mount -t proc proc /proc
echo "$name" > /proc/sys/kernel/hostname
awk '$2 ~ "^/(run|var/lib)/" { print $2 }' /proc/self/mounts | sort -r | while read -r target; do
  umount -l "$(printf '%b' "$target")"
done

for top in etc usr opt; do
  [ -d "/$top" ] || continue
  mkdir -p "$disk/$top" "$disk/.overlay/$top"
  mount -t overlay overlay -o "lowerdir=/$top,upperdir=$disk/$top,workdir=$disk/.overlay/$top" "/$top"
done
while [ $# -gt 0 ]; do
  : > "/usr/bin/$1"
  mount --bind "$2" "/usr/bin/$1"
  shift 2
done
mkdir -p /etc/kubernetes /usr/libexec/kubernetes
mount --bind "$folder/etc-kubernetes" /etc/kubernetes
echo "$name" > /etc/hostname
rm -f /etc/resolv.conf
: > /etc/resolv.conf
# Some systems lock root, which would lock out an ssh client with a key too.
sed -i 's/^root:[^:]*:/root:*:/' /etc/shadow

mkdir -p "$disk/var/lib/kubelet" "$disk/var/lib/etcd" "$disk/var/log/pods" "$disk/var/tmp"
chmod 700 "$disk/var/lib/etcd"
chmod 1777 "$disk/var/tmp"
[ -L "$disk/var/run" ] || ln -s /run "$disk/var/run"
mount --bind "$folder/logs/pods" "$disk/var/log/pods"
mount -t tmpfs -o mode=755 tmpfs /run
mount --rbind "$disk/var" /var

pretend() {
  file=/run/sysctl-$(echo "$1" | tr / .)
  echo "$2" > "$file"
  mount --bind "$file" "/proc/sys/$1"
}
${sysctlLines.join('\n')}
mount --make-rshared /
`;
