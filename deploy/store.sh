#!/bin/sh
# Inside the store's container. `serve` runs the store; `accounts` makes, once and while it runs, an account for the
# service and a bucket that is this account's own. The service is never given the keys of the store's administrator.
set -eu

told() { # NAME of a secret
    cat "/run/secrets/$1"
}

case ${1:-} in
serve)
    ROOT_ACCESS_KEY_ID=$(told store-admin-access-key)
    ROOT_SECRET_ACCESS_KEY=$(told store-admin-secret-key)
    export ROOT_ACCESS_KEY_ID ROOT_SECRET_ACCESS_KEY
    # No folder for versions: nobody can make the bucket keep what was erased.
    exec versitygw --port :7070 --region "$REGION" --iam-dir /store/accounts --health /health --keep-alive --quiet \
        --cert /run/secrets/store-certificate --key /run/secrets/store-key \
        posix --dir-perms 0700 --file-perms 0600 --disable-object-lock-file /store/footage
    ;;
accounts)
    ADMIN_ACCESS_KEY_ID=$(told store-admin-access-key)
    ADMIN_SECRET_ACCESS_KEY=$(told store-admin-secret-key)
    export ADMIN_ACCESS_KEY_ID ADMIN_SECRET_ACCESS_KEY ADMIN_REGION="$REGION" ADMIN_ENDPOINT_URL=https://store:7070
    export SSL_CERT_FILE=/run/secrets/trusted-certificates
    versitygw admin create-user --role user \
        --access "$(told store-service-access-key)" --secret "$(told store-service-secret-key)"
    versitygw admin create-bucket --owner "$(told store-service-access-key)" --bucket footage
    ;;
*)
    echo "serve or accounts" >&2
    exit 2
    ;;
esac
