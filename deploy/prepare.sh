#!/bin/sh
# Makes what docker-compose.yml wants to find: five folders and the secrets, each readable by one user alone.
#
#   sudo deploy/prepare.sh [PLACE]        PLACE is /srv/vms-privacy by default
#
# Once: it never writes over a secret. What it makes is on no command line and in no output. Other disks may be mounted
# at PLACE/data, PLACE/keys, PLACE/database and PLACE/store before.
set -eu
umask 077

place=${1:-/srv/vms-privacy}
# The users of the three containers, as docker-compose.yml names them. They need no account on this machine.
service=10001 database=10002 store=10003

if [ -e "$place/secrets" ]; then
    echo "$place/secrets is there already: nothing was changed" >&2
    exit 1
fi

folder() { # NAME USER
    install -d -m 0700 -o "$2" -g "$2" "$place/$1"
}

secret() { # NAME USER, with its content from standard input
    cat >"$place/secrets/$1"
    chown "$2:$2" "$place/secrets/$1"
    chmod 0600 "$place/secrets/$1"
}

letters() { # HOW MANY random hexadecimal digits
    openssl rand -hex "$(($1 / 2))"
}

certificate() { # HOST USER: one that this host signs for itself; whoever asks trusts it by name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout "$place/secrets/.key" -out "$place/secrets/.certificate" 2>/dev/null
    cat "$place/secrets/.certificate" >>"$place/secrets/.trusted"
    secret "$1-certificate" "$2" <"$place/secrets/.certificate"
    secret "$1-key" "$2" <"$place/secrets/.key"
    rm "$place/secrets/.key" "$place/secrets/.certificate"
}

# Two of the containers read these beside it, as users that own nothing of the checkout.
chmod a+r "$(dirname "$0")"/*

install -d -m 0711 "$place"
# The engine mounts each file by its name; nobody else has to look into the folder.
install -d -m 0700 "$place/secrets"
folder data "$service"
folder keys "$service"
folder database "$database"
folder store "$store"
install -d -m 0700 -o "$store" -g "$store" "$place/store/footage" "$place/store/accounts"

owner=$(letters 48) member=$(letters 48)
letters 48 | secret database-admin-password "$database"
echo "$owner" | secret database-owner-password "$database"
echo "$member" | secret database-service-password "$database"
echo "database:5432:privacy:privacy_service:$member" | secret pgpass-service "$service"
{
    echo "database:5432:privacy:privacy_owner:$owner"
    echo "database:5432:privacy:privacy_service:$member"
} | secret pgpass-setup "$service"

access=$(letters 20) hidden=$(letters 40)
letters 20 | secret store-admin-access-key "$store"
letters 40 | secret store-admin-secret-key "$store"
echo "$access" | secret s3-access-key "$service"
echo "$hidden" | secret s3-secret-key "$service"
echo "$access" | secret store-service-access-key "$store"
echo "$hidden" | secret store-service-secret-key "$store"

certificate database "$database"
certificate store "$store"
# Certificates are no secrets: whoever trusts them may read them.
mv "$place/secrets/.trusted" "$place/secrets/trusted-certificates"
chmod 0644 "$place/secrets/trusted-certificates"

echo "$place is ready. Next, in the folder of docker-compose.yml: docker compose build"
