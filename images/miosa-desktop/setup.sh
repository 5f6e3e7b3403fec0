# Runs as root inside the new system, with the files of root/ in it already.

ln -sf python3 /usr/bin/python

useradd --create-home --uid 1000 --shell /bin/bash user
for folder in /workspace /app; do
    mkdir -p "$folder"
    chown user:user "$folder"
    chmod 1777 "$folder"
done
for folder in Desktop Documents Downloads Pictures; do
    install -d -o user -g user "/home/user/$folder"
done

git config --system --add safe.directory '*'

# A machine's environment is made by one login shell; without forks for id and mesg it takes a third of the time.
sed -i 's/"$(id -u)"/"${UID:-$(id -u)}"/' /etc/profile
sed -i '/^mesg n/d' /root/.profile

# Drawn here rather than kept as a picture in the repository; a few seconds.
mkdir -p /usr/share/backgrounds
python3 /usr/share/miosa/wallpaper.py /usr/share/backgrounds/miosa.png

# The menu and the list of applications hold what a person would start: no settings of parts, no second xterm.
cd /usr/share/applications
rm -f tint2.desktop tint2conf.desktop debian-uxterm.desktop python3.11.desktop feh.desktop openbox.desktop thunar-settings.desktop thunar-bulk-rename.desktop \
    org.xfce.mousepad-settings.desktop xfce4-about.desktop display-im6*.desktop
# Only the first line of a kind: actions of an application have names, too.
rename() { sed -i "0,/^Name=.*/s//Name=$2/; 0,/^Icon=.*/s||Icon=$3|" "$1.desktop"; }
# With a picture's path the panel needs not look through the icon themes when it starts.
icons=/usr/share/icons/elementary-xfce/apps/48
rename chromium Chromium /usr/share/icons/hicolor/48x48/apps/chromium.png
rename thunar Files $icons/system-file-manager.png
rename lxterminal Terminal $icons/utilities-terminal.png
rename org.xfce.mousepad Editor $icons/accessories-text-editor.png
rename debian-xterm XTerm $icons/utilities-terminal.png
update-desktop-database -q || true
cd /

cat >>/etc/X11/app-defaults/XTerm <<'TEXT'
*faceName: DejaVu Sans Mono
*faceSize: 11
*background: #161a25
*foreground: #dde3ef
*cursorColor: #7aa2f7
*internalBorder: 8
TEXT

# Mousepad keeps its settings in GSettings; these are its defaults here.
glib-compile-schemas /usr/share/glib-2.0/schemas

# The first window with text would wait for this otherwise. A cache counts only while its folder has the time that it says, and an image has no
# times after the beginning of its year. /var/cache is emptied at the end of a build, so it lies where 59-miosa.conf says.
find /usr/share/fonts /usr/local/share/fonts -type d -exec touch -d @1767225600 {} +
mkdir -p /usr/lib/fontconfig-cache
fc-cache -f

# What differs from build to build: the day of the last password change, backups, caches.
sed -i 's/^\([^:]*:[^:]*\):[0-9]*:/\1:20454:/' /etc/shadow
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/extended_states /var/cache/ldconfig/aux-cache
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
PYTHONHASHSEED=0 python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3 || true
