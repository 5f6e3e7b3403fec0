#!/bin/sh
# Becomes PID 1 of a machine for one test: unshare --pid --mount --fork sh machine.sh DIR GUEST [CGROUP]; descriptor 3 is the listening socket.
# The host's root is the lower layer, everything that is written goes to memory.
set -e
dir=$1
guest=$2
[ -z "$3" ] || echo 0 > "$3/cgroup.procs"
mount -t tmpfs tmpfs "$dir"
mkdir "$dir/upper" "$dir/work" "$dir/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
root=$dir/root
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mount -t tmpfs tmpfs "$root/root"
mkdir -p "$root/workspace" "$root/app" "$root/srv/small"
mount -t tmpfs -o size=1m tmpfs "$root/srv/small"
cp "$guest" "$root/.miosa-guest"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin IMAGE_SAYS=hello chroot "$root" /.miosa-guest
