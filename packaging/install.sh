#!/bin/sh
# install.sh - puts what belongs to a host's service manager where it belongs. Called by make install.
#
#   DESTDIR=... PREFIX=/usr/local SYSCONFDIR=/etc APP=signupflow packaging/install.sh
#
# APP takes signupflow's place in names and contents. Nothing is started and no job is scheduled: timers are to be enabled,
# and the files for cron, which has no such switch, go to PREFIX/share/sfb to be copied from.
set -eu
: "${DESTDIR=}" "${PREFIX=/usr/local}" "${SYSCONFDIR=/etc}" "${APP=signupflow}"
case $APP in *[!A-Za-z0-9_.-]* | '') echo "install.sh: APP=$APP: letters, digits, dots, dashes and underscores only" >&2; exit 1 ;; esac
case $PREFIX in /*) ;; *) echo "install.sh: PREFIX=$PREFIX is no absolute path" >&2; exit 1 ;; esac
cd "$(dirname "$0")"
umask 022
prefix=$(printf '%s' "$PREFIX" | sed 's/[|&\\]/\\&/g') # as sed takes it

# put DIRECTORY FILE...: with the names of this installation
put() {
    to=$DESTDIR$1
    shift
    mkdir -p "$to"
    for file; do
        name=$(basename "$file" | sed "s/signupflow/$APP/g")
        sed "s|/usr/local|$prefix|g; s/signupflow/$APP/g" "$file" >"$to/$name.new"
        if [ -x "$file" ]; then chmod 755 "$to/$name.new"; else chmod 644 "$to/$name.new"; fi
        mv "$to/$name.new" "$to/$name"
    done
}

put "$PREFIX/lib/systemd/system" systemd/*
put "$PREFIX/lib/sysusers.d" sysusers.d/*
put "$PREFIX/lib/tmpfiles.d" tmpfiles.d/*
put "$PREFIX/libexec/sfb" scripts/unit-failed
put "$SYSCONFDIR/logrotate.d" logrotate.d/*
put "$PREFIX/share/sfb" sfb.env.example compose.yaml manifest.schema.json
put "$PREFIX/share/sfb/cron.d" cron.d/*
put "$PREFIX/share/sfb/kubernetes" kubernetes/*
put "$PREFIX/share/sfb/iam" iam/*
